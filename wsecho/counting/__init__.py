"""Counters: a row of integers for each worker, in a page of memory that all workers share; it may import
`websocket`.
"""
