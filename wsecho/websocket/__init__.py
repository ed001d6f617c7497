"""The WebSocket protocol: the opening handshake, the echo of frames, permessage-deflate; bytes in, bytes out; it may
import `http`.
"""
