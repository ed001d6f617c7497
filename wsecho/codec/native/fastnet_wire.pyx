"""The asyncio protocol of a WebSocket in the compiled codec, on aiofastnet's transports: with TLS, or without epoll."""

from aiofastnet.transport cimport Protocol as Base
from aiofastnet.transport cimport Transport
from aiofastnet.utils cimport NoResult

include "wire.pxi"
