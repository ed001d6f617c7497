/* A non-blocking stream of bytes to the server: TCP, or TLS over it. */
#ifndef LOAD_TRANSPORT_H
#define LOAD_TRANSPORT_H

#include <netinet/in.h>
#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct transport {
    int fd;
    SSL *tls;             /* NULL: plain */
    uint64_t tls_counted; /* of the bytes that TLS has received, those that are in `wire_bytes_received` */
    size_t committed;     /* bytes of a record that is encrypted but not sent: the next to be sent are these again */
};

/* What a call that could not go on at once waits for. */
enum wait { WAIT_NONE, WAIT_READABLE, WAIT_WRITABLE, WAIT_FAILED };

enum { RECEIVE_NOTHING = -1, RECEIVE_FAILED = -2, SEND_FAILED = -1 };

/* Bytes that came over all TCP connections, TLS's own included; the opening handshakes as well. */
extern uint64_t wire_bytes_received;

/* Begin to connect. `serial` chooses the source address on loopback, so that its ports suffice. */
enum wait transport_connect(struct transport *transport, const struct sockaddr_in *server, uint64_t serial);

/* Go on with connecting and with TLS's handshake, when the socket is ready for what was waited for. */
enum wait transport_advance(struct transport *transport);

/* Bytes received, 0 at the end of the stream, RECEIVE_NOTHING (for now) or RECEIVE_FAILED. */
ssize_t transport_receive(struct transport *transport, void *to, size_t room);

/* Whether there may be more to receive that the socket does not tell of. */
bool transport_has_pending(const struct transport *transport);

/* Bytes taken, 0 where the socket takes none for now, or SEND_FAILED. `data` begins with what is committed. */
ssize_t transport_send(struct transport *transport, const void *data, size_t length);

/* No more will be sent; what comes can still be received. */
void transport_end_sending(struct transport *transport);

/* With a reset, so that the port is free at once, or in the orderly way. */
void transport_close(struct transport *transport, bool reset);

/* Why the last call failed. */
const char *transport_failure(void);

/* As `TLSv1.3 TLS_AES_128_GCM_SHA256`; NULL for a plain one. */
const char *transport_tls(const struct transport *transport);

#endif
