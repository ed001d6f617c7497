"""The choice between the Python codec and the compiled one, and their glue to a transport; it may import `http`,
`websocket`, `counting` and `tcp`.
"""
