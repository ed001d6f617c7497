"""What the server compiles for TLS: `wsecho/tls/client_hello.py` with C types; Cython for what Python cannot do."""
