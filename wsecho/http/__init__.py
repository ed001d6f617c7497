"""HTTP: requests, responses, HTTP/1.1, addresses, credentials and origins; bytes and `now` in, bytes out; it imports
nothing of wsecho.
"""
