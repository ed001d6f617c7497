"""The compiled codec: `wsecho/websocket/echo.py` and `inflater.py` with C types, and Cython where Python will not."""
