"""Transports of plain TCP connections: this project's own, on one epoll set, and aiofastnet's where there is none; it
may import `http`.
"""
