"""HTTP and what stands in a request, whichever HTTP version carries it: bytes and `now` in, bytes out; it imports
nothing of wsecho.
"""
