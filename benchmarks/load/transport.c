#define _GNU_SOURCE
#include "transport.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "failure.h"
#include "options.h"

enum {
    CONNECTIONS_PER_SOURCE = 10000, /* loopback has some 28,000 ports for each source address */
    SOURCES = 250,
    TLS_READ_BYTES = 64 * 1024,
};

uint64_t wire_bytes_received;

static char failure[256];

const char *transport_failure(void)
{
    return failure;
}

/* ---- TLS ---- */

static const char *tls_failure(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason ? reason : errno ? strerror(errno) : "the server ended the connection";
}

/* TLS 1.3 with the one cipher that RFC 8446 section 9.1 requires of everyone: all servers pay for the same. */
static SSL_CTX *tls_context(void)
{
    static SSL_CTX *context;

    if (context)
        return context;
    context = SSL_CTX_new(TLS_client_method());
    if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) ||
        !SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256"))
        fail("OpenSSL: %s", tls_failure());
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (options.mode == IDLE) {
        SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    } else {
        SSL_CTX_set_read_ahead(context, 1);
        SSL_CTX_set_default_read_buffer_len(context, TLS_READ_BYTES);
    }
    return context;
}

static enum wait tls_wait(SSL *tls, int result)
{
    int error = SSL_get_error(tls, result);

    if (error == SSL_ERROR_WANT_READ)
        return WAIT_READABLE;
    if (error == SSL_ERROR_WANT_WRITE)
        return WAIT_WRITABLE;
    snprintf(failure, sizeof failure, "TLS: %s", tls_failure());
    return WAIT_FAILED;
}

static void start_tls(struct transport *transport)
{
    transport->tls = SSL_new(tls_context());
    if (!transport->tls || !SSL_set_fd(transport->tls, transport->fd) ||
        !SSL_set_tlsext_host_name(transport->tls, "localhost"))
        fail("OpenSSL: %s", tls_failure());
    SSL_set_connect_state(transport->tls);
}

static ssize_t tls_receive(struct transport *transport, void *to, size_t room)
{
    ERR_clear_error();
    errno = 0;
    int received = SSL_read(transport->tls, to, room);
    uint64_t counted = BIO_number_read(SSL_get_rbio(transport->tls));
    wire_bytes_received += counted - transport->tls_counted;
    transport->tls_counted = counted;
    if (received > 0)
        return received;
    if (SSL_get_error(transport->tls, received) == SSL_ERROR_ZERO_RETURN)
        return 0;
    return tls_wait(transport->tls, received) == WAIT_FAILED ? RECEIVE_FAILED : RECEIVE_NOTHING;
}

/* Record by record. One that the socket does not take is encrypted all the same. */
static ssize_t tls_send(struct transport *transport, const uint8_t *data, size_t length)
{
    size_t sent = 0, part;

    ERR_clear_error();
    while (sent < length) {
        size_t record = length - sent < SSL3_RT_MAX_PLAIN_LENGTH ? length - sent : SSL3_RT_MAX_PLAIN_LENGTH;
        errno = 0;
        int result = SSL_write_ex(transport->tls, data + sent, record, &part);
        transport->committed = result ? 0 : record;
        if (!result)
            return tls_wait(transport->tls, result) == WAIT_FAILED ? SEND_FAILED : (ssize_t)sent;
        sent += part;
    }
    return sent;
}

const char *transport_tls(const struct transport *transport)
{
    static char text[128];

    if (!transport->tls)
        return NULL;
    snprintf(text, sizeof text, "%s %s", SSL_get_version(transport->tls), SSL_get_cipher_name(transport->tls));
    return text;
}

/* ---- TCP ---- */

static enum wait tcp_failed(const char *what, int error)
{
    snprintf(failure, sizeof failure, "%s: %s", what, strerror(error));
    return WAIT_FAILED;
}

/* Of the loopback addresses, each is good for CONNECTIONS_PER_SOURCE before the next takes its turn. */
static bool bind_source(int fd, const struct sockaddr_in *server, uint64_t serial)
{
    uint32_t turn = serial / CONNECTIONS_PER_SOURCE % SOURCES;
    struct sockaddr_in source = {.sin_family = AF_INET};
    int on = 1;

    if (!turn || ntohl(server->sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
        return true;
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + turn);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    return bind(fd, (const struct sockaddr *)&source, sizeof source) == 0;
}

enum wait transport_connect(struct transport *transport, const struct sockaddr_in *server, uint64_t serial)
{
    int on = 1;

    memset(transport, 0, sizeof *transport);
    transport->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (transport->fd < 0)
        return tcp_failed("cannot make a socket", errno);
    setsockopt(transport->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!bind_source(transport->fd, server, serial))
        return tcp_failed("cannot bind", errno);
    if (connect(transport->fd, (const struct sockaddr *)server, sizeof *server) < 0 && errno != EINPROGRESS)
        return tcp_failed("cannot connect", errno);
    return WAIT_WRITABLE;
}

enum wait transport_advance(struct transport *transport)
{
    if (!transport->tls) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(transport->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error)
            return tcp_failed("cannot connect", error);
        if (!options.tls)
            return WAIT_NONE;
        start_tls(transport);
    }
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(transport->tls);
    return result == 1 ? WAIT_NONE : tls_wait(transport->tls, result);
}

ssize_t transport_receive(struct transport *transport, void *to, size_t room)
{
    if (transport->tls)
        return tls_receive(transport, to, room);
    ssize_t received = recv(transport->fd, to, room, 0);
    if (received >= 0) {
        wire_bytes_received += received;
        return received;
    }
    if (errno == EAGAIN)
        return RECEIVE_NOTHING;
    tcp_failed("cannot receive", errno);
    return RECEIVE_FAILED;
}

bool transport_has_pending(const struct transport *transport)
{
    return transport->tls && SSL_has_pending(transport->tls);
}

ssize_t transport_send(struct transport *transport, const void *data, size_t length)
{
    if (transport->tls)
        return tls_send(transport, data, length);
    ssize_t sent = send(transport->fd, data, length, MSG_NOSIGNAL);
    if (sent >= 0)
        return sent;
    if (errno == EAGAIN)
        return 0;
    tcp_failed("cannot send", errno);
    return SEND_FAILED;
}

void transport_end_sending(struct transport *transport)
{
    if (transport->tls)
        SSL_shutdown(transport->tls);
    shutdown(transport->fd, SHUT_WR);
}

void transport_close(struct transport *transport, bool reset)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    if (reset)
        setsockopt(transport->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    SSL_free(transport->tls);
    close(transport->fd);
}
