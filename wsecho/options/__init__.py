"""The options: what each accepts and means, and where its value comes from; it may import `http`, `websocket` and
`proxies`.
"""
