"""The log: structured lines, made printable, limited in rate, and written by a thread of its own; it may import
`http`.
"""
