"""The compiled codec: `wsecho/websocket/echo.py` and `inflater.py` with C types; Cython for what Python cannot do."""
