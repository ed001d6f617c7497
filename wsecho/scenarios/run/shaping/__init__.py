"""What the options of a scenario do to the frames and bytes that the server sends."""
