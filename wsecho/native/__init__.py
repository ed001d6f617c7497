"""The compiled codec: `wsecho/echo.py` with C types, and what Python cannot say in Cython. `wsecho.codec` chooses."""
