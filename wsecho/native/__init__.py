"""The compiled codec: the same sources as the plain one, built by Cython with C types. `wsecho.codec` chooses."""
