"""The address of a connection's peer, as the system has it: as Python objects it would take 160 bytes of an idle
connection. An address of another family than IPv4 and IPv6 is no address.
"""

from libc.errno cimport errno
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

cdef extern from "<sys/socket.h>":
    ctypedef unsigned int socklen_t
    struct sockaddr:
        pass
    struct sockaddr_storage:
        int ss_family
    enum: AF_INET, AF_INET6

cdef extern from *:
    """
    #include <fcntl.h>
    #include <sys/socket.h>
    #include <unistd.h>
    /* Returns the descriptor of an accepted socket, which a program that is started later does not inherit. */
    static int wsecho_accept(int listening, struct sockaddr_storage *peer, socklen_t *size)
    {
    #ifdef SOCK_CLOEXEC
        return accept4(listening, (struct sockaddr *)peer, size, SOCK_CLOEXEC);
    #else
        int descriptor = accept(listening, (struct sockaddr *)peer, size);
        if (descriptor >= 0)
            fcntl(descriptor, F_SETFD, FD_CLOEXEC);
        return descriptor;
    #endif
    }
    """
    int wsecho_accept(int listening, sockaddr_storage *peer, socklen_t *size)

cdef extern from "<arpa/inet.h>":
    int inet_pton(int family, const char *text, void *address)
    const char *inet_ntop(int family, const void *address, char *text, socklen_t room)
    int IN6_IS_ADDR_V4MAPPED(const in6_addr *address)
    uint16_t htons(uint16_t number)
    uint16_t ntohs(uint16_t number)
    uint32_t htonl(uint32_t number)
    uint32_t ntohl(uint32_t number)

cdef extern from "<netdb.h>":
    int getnameinfo(
        const sockaddr *address, socklen_t size, char *host, socklen_t room, char *service, socklen_t none, int flags
    )
    enum: NI_MAXHOST, NI_NUMERICHOST


cdef int keep_address(sockaddr_in6 *kept, object address) except -1:
    """Keep an address that a Python socket has returned, or None."""
    cdef sockaddr_in *ipv4 = <sockaddr_in *>kept
    memset(kept, 0, sizeof(sockaddr_in6))
    if not address:
        return 0
    # The zone follows from the scope.
    host = address[0].partition("%")[0].encode()
    if len(address) == 2:
        ipv4.sin_family = AF_INET
        ipv4.sin_port = htons(address[1])
        inet_pton(AF_INET, host, &ipv4.sin_addr)
    else:
        kept.sin6_family = AF_INET6
        kept.sin6_port = htons(address[1])
        kept.sin6_flowinfo = htonl(address[2])
        kept.sin6_scope_id = address[3]
        inet_pton(AF_INET6, host, &kept.sin6_addr)
    return 0


cdef object shown_address(const sockaddr_in6 *kept):
    """Return an address as a Python socket does, and with its zone; None if there is none."""
    cdef char host[NI_MAXHOST]
    if kept.sin6_family == AF_INET:
        # Both families have the port at the same place.
        return shown_ipv4(<const uint8_t *>&(<const sockaddr_in *>kept).sin_addr), ntohs(kept.sin6_port)
    if kept.sin6_family != AF_INET6:
        return None
    if not kept.sin6_scope_id or getnameinfo(
        <const sockaddr *>kept, sizeof(sockaddr_in6), host, NI_MAXHOST, NULL, 0, NI_NUMERICHOST
    ):
        inet_ntop(AF_INET6, &kept.sin6_addr, host, NI_MAXHOST)
    return host.decode(), ntohs(kept.sin6_port), ntohl(kept.sin6_flowinfo), kept.sin6_scope_id


cdef str shown_ipv4(const uint8_t *octets):
    """Return an IPv4 address as inet_ntop does, which reads a format and takes ten times as many instructions."""
    cdef char text[16]
    cdef char *end = text
    cdef int index, octet
    for index in range(4):
        octet = octets[index]
        if octet >= 100:
            end[0] = c"0" + octet // 100
            end += 1
        if octet >= 10:
            end[0] = c"0" + octet // 10 % 10
            end += 1
        end[0] = c"0" + octet % 10
        end[1] = c"."
        end += 2
    return text[: end - 1 - text].decode("ascii")


cdef int accept_connection(int listening, sockaddr_in6 *peer) noexcept:
    """Accept a connection (accept(2)), and keep the address of its peer. Return its descriptor, or -1 with `errno`.

    A client that connects by IPv4 has an IPv4 address, also if the socket accepts both families.
    """
    cdef sockaddr_storage address
    cdef socklen_t size = sizeof(address)
    cdef sockaddr_in *ipv4 = <sockaddr_in *>peer
    cdef int descriptor = wsecho_accept(listening, &address, &size)
    memset(peer, 0, sizeof(sockaddr_in6))
    if descriptor < 0:
        return descriptor
    if address.ss_family == AF_INET:
        memcpy(peer, &address, sizeof(sockaddr_in))
    elif address.ss_family == AF_INET6:
        memcpy(peer, &address, sizeof(sockaddr_in6))
        if IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr):
            memset(peer, 0, sizeof(sockaddr_in6))
            ipv4.sin_family = AF_INET
            ipv4.sin_port = (<sockaddr_in6 *>&address).sin6_port
            memcpy(&ipv4.sin_addr, <uint8_t *>&(<sockaddr_in6 *>&address).sin6_addr + 12, sizeof(in_addr))
    return descriptor
