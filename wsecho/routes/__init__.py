"""The answers to requests, by path; it may import `http`, `websocket`, `options` and `access`."""
