from libc.stdint cimport uint32_t

cdef extern from "<netinet/in.h>":
    struct in_addr:
        pass
    struct in6_addr:
        pass
    struct sockaddr_in:
        int sin_family
        int sin_port
        in_addr sin_addr
    # Has room for an address of either family.
    struct sockaddr_in6:
        int sin6_family
        int sin6_port
        uint32_t sin6_flowinfo
        uint32_t sin6_scope_id
        in6_addr sin6_addr

cdef int keep_address(sockaddr_in6 *kept, object address) except -1
cdef object shown_address(const sockaddr_in6 *kept)
cdef int accept_connection(int listening, sockaddr_in6 *peer) noexcept
