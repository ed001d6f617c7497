"""The asyncio protocol of a WebSocket in the compiled codec, on the transports of `wsecho/tcp/epoll_transport.pyx`."""

from wsecho.tcp.epoll_transport cimport EpollProtocol as Base
from wsecho.tcp.epoll_transport cimport EpollTransport as Transport
from wsecho.tcp.epoll_transport cimport NoResult

include "wire.pxi"
