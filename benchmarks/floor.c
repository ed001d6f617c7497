/* The floor: what an echoed WebSocket message costs when nothing but the echo is done.
 *
 * One thread, level-triggered epoll, one recv and one send for each readable connection. It performs the opening
 * handshake, unmasks, echoes frame by frame, answers pings and closes. It does not count, log, check UTF-8, keep
 * connections alive or time them out: whatever another server spends beyond this program is its own.
 *
 *     floor [PORT]          listens on 127.0.0.1; port 0 (the default) takes a free one; prints "port N"
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    RECEIVE_BYTES = 64 * 1024,
    REQUEST_LIMIT_BYTES = 16 * 1024,
    PAYLOAD_LIMIT_BYTES = 64 * 1024 * 1024,
    EVENTS_PER_WAIT = 256,
    MASK_BYTES = 4,
};

enum opcode { OP_CLOSE = 0x8, OP_PING = 0x9, OP_PONG = 0xA };

struct bytes {
    uint8_t *data;
    size_t length, capacity;
};

struct connection {
    int fd;
    enum { HANDSHAKE, OPEN, CLOSING } state;
    struct bytes in;  /* the beginning of a request or of a frame whose rest is still to come */
    struct bytes out; /* replies that the socket did not take yet; nothing is read while there are any */
    size_t out_sent;  /* how much of `out` it took since */
};

static int epoll_fd;
static struct bytes shared; /* what every connection receives into, unless it holds the beginning of a frame */

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void reserve(struct bytes *bytes, size_t capacity)
{
    if (capacity <= bytes->capacity)
        return;
    bytes->data = realloc(bytes->data, capacity);
    if (!bytes->data)
        die("realloc");
    bytes->capacity = capacity;
}

static void append(struct bytes *bytes, const uint8_t *data, size_t length)
{
    reserve(bytes, bytes->length + length);
    memcpy(bytes->data + bytes->length, data, length);
    bytes->length += length;
}

/* ---- the accept key: base64(SHA-1(key + GUID)), RFC 6455 4.2.2 ---- */

static uint32_t rotate(uint32_t word, int bits)
{
    return word << bits | word >> (32 - bits);
}

static void sha1_block(uint32_t hash[5], const uint8_t block[64])
{
    static const uint32_t constants[4] = {0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6};
    uint32_t w[80], a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4];

    for (int i = 0; i < 80; i++) {
        if (i < 16)
            w[i] = (uint32_t)block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 | block[4 * i + 3];
        else
            w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        uint32_t choose = (b & c) | (~b & d), parity = b ^ c ^ d, majority = (b & c) | (b & d) | (c & d);
        uint32_t mixed = i < 20 ? choose : i >= 40 && i < 60 ? majority : parity;
        uint32_t next = rotate(a, 5) + mixed + e + constants[i / 20] + w[i];
        e = d, d = c, c = rotate(b, 30), b = a, a = next;
    }
    hash[0] += a, hash[1] += b, hash[2] += c, hash[3] += d, hash[4] += e;
}

static void sha1(const uint8_t *data, size_t length, uint8_t digest[20])
{
    uint32_t hash[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    uint8_t padded[128] = {0}; /* the input has 60 bytes, so it pads to two blocks: room is all it needs */
    size_t total = length + 9 <= 64 ? 64 : 128;

    memcpy(padded, data, length);
    padded[length] = 0x80;
    for (int i = 0; i < 8; i++)
        padded[total - 1 - i] = (uint64_t)length * 8 >> 8 * i;
    for (size_t at = 0; at < total; at += 64)
        sha1_block(hash, padded + at);
    for (int i = 0; i < 20; i++)
        digest[i] = hash[i / 4] >> (24 - 8 * (i % 4));
}

static void base64(const uint8_t *data, size_t length, char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < length; i += 3) {
        uint32_t group = data[i] << 16 | (i + 1 < length ? data[i + 1] << 8 : 0) | (i + 2 < length ? data[i + 2] : 0);
        *text++ = letters[group >> 18];
        *text++ = letters[group >> 12 & 63];
        *text++ = i + 1 < length ? letters[group >> 6 & 63] : '=';
        *text++ = i + 2 < length ? letters[group & 63] : '=';
    }
    *text = 0;
}

/* `key` has exactly 24 characters. */
static void accept_key(const char *key, char answer[29])
{
    char joined[61];
    uint8_t digest[20];

    snprintf(joined, sizeof joined, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    sha1((const uint8_t *)joined, 60, digest);
    base64(digest, sizeof digest, answer);
}

/* ---- sending ---- */

static void watch(struct connection *c, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event) < 0)
        die("epoll_ctl");
}

/* Send now what the socket takes, keep the rest. False: the peer is gone. */
static bool reply(struct connection *c, const uint8_t *data, size_t length)
{
    size_t sent = 0;

    if (c->out.length == 0) {
        ssize_t taken = send(c->fd, data, length, MSG_NOSIGNAL);
        if (taken < 0 && errno != EAGAIN)
            return false;
        sent = taken < 0 ? 0 : taken;
        if (sent == length)
            return true;
        watch(c, EPOLLOUT);
    }
    append(&c->out, data + sent, length - sent);
    return true;
}

/* The socket takes bytes again. False: the peer is gone. */
static bool flush(struct connection *c)
{
    ssize_t taken = send(c->fd, c->out.data + c->out_sent, c->out.length - c->out_sent, MSG_NOSIGNAL);

    if (taken < 0)
        return errno == EAGAIN;
    c->out_sent += taken;
    if (c->out_sent < c->out.length)
        return true;
    c->out.length = c->out_sent = 0;
    watch(c, EPOLLIN);
    if (c->state == CLOSING)
        shutdown(c->fd, SHUT_WR);
    return true;
}

/* ---- the handshake ---- */

/* Answer a complete request. Returns the bytes used: 0 when it is not complete, -1 when it is no handshake. */
static ssize_t handshake(struct connection *c, uint8_t *data, size_t length)
{
    static const char field[] = "\r\nSec-WebSocket-Key:";
    uint8_t *end = memmem(data, length, "\r\n\r\n", 4);
    char key_answer[29], response[160];

    if (!end)
        return length < REQUEST_LIMIT_BYTES ? 0 : -1;
    *end = 0;
    const char *key = strcasestr((char *)data, field);
    if (!key)
        return -1;
    key += strlen(field);
    key += strspn(key, " \t");
    if (strlen(key) < 24)
        return -1;
    accept_key(key, key_answer);
    int size = snprintf(response, sizeof response,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n", key_answer);
    c->state = OPEN;
    return reply(c, (uint8_t *)response, size) ? end + 4 - data : -1;
}

/* ---- frames ---- */

struct frame {
    size_t header; /* bytes of the client's header, mask included */
    size_t size;   /* bytes of the whole frame; 0 while the header is not complete */
    uint8_t mask[MASK_BYTES];
};

/* False: not a frame that a client may send, or a longer one than this server takes. */
static bool parse_header(const uint8_t *data, size_t length, struct frame *frame)
{
    frame->size = 0;
    if (length < 2)
        return true;
    uint64_t payload = data[1] & 0x7f;
    int extra = payload == 126 ? 2 : payload == 127 ? 8 : 0;
    if (!(data[1] & 0x80))
        return false;
    frame->header = 2 + extra + MASK_BYTES;
    if (length < frame->header)
        return true;
    if (extra)
        payload = 0;
    for (int i = 0; i < extra; i++)
        payload = payload << 8 | data[2 + i];
    if (payload > PAYLOAD_LIMIT_BYTES)
        return false;
    memcpy(frame->mask, data + 2 + extra, MASK_BYTES);
    frame->size = frame->header + payload;
    return true;
}

typedef uint64_t lanes __attribute__((vector_size(32)));

/* XOR from `from` to `to`, which may be the same place or lie before it. */
static void unmask(uint8_t *to, const uint8_t *from, size_t length, const uint8_t mask[MASK_BYTES])
{
    uint32_t word;
    size_t i = 0;

    memcpy(&word, mask, MASK_BYTES);
    uint64_t pair = (uint64_t)word << 32 | word;
    lanes wide = {pair, pair, pair, pair};
    for (; i + sizeof wide <= length; i += sizeof wide) {
        lanes chunk;
        memcpy(&chunk, from + i, sizeof chunk);
        chunk ^= wide;
        memcpy(to + i, &chunk, sizeof chunk);
    }
    for (; i < length; i++)
        to[i] = from[i] ^ mask[i % MASK_BYTES];
}

/* Turn the client's frame at `from` into the server's at `to`: the same header without its mask bit and its mask,
 * the payload unmasked, a ping made a pong. Returns the end of what was written. */
static uint8_t *turn(uint8_t *to, const uint8_t *from, const struct frame *frame)
{
    size_t header = frame->header - MASK_BYTES, payload = frame->size - frame->header;

    memmove(to, from, header);
    if ((to[0] & 0x0f) == OP_PING)
        to[0] = (to[0] & 0xf0) | OP_PONG;
    to[1] &= 0x7f;
    unmask(to + header, from + frame->header, payload, frame->mask);
    return to + header + payload;
}

/* Echo the whole frames in `data`, in place and with one send. Returns the bytes used, -1 to drop the connection.
 * `wanted` is set to the size of the frame that is not complete, if known. */
static ssize_t echo(struct connection *c, uint8_t *data, size_t length, size_t *wanted)
{
    uint8_t *at = data, *end = data + length;
    uint8_t *first = data + MASK_BYTES, *last = first; /* the first payload then stays where it is */
    struct frame frame;

    while (at < end && c->state == OPEN) {
        if (!parse_header(at, end - at, &frame))
            return -1;
        if (frame.size == 0 || frame.size > (size_t)(end - at)) {
            *wanted = frame.size;
            break;
        }
        uint8_t opcode = at[0] & 0x0f;
        if (opcode == OP_CLOSE)
            c->state = CLOSING;
        if (opcode != OP_PONG)
            last = turn(last, at, &frame);
        at += frame.size;
    }
    if (last > first && !reply(c, first, last - first))
        return -1;
    if (c->state == CLOSING && c->out.length == 0)
        shutdown(c->fd, SHUT_WR);
    return at - data;
}

/* ---- connections ---- */

/* Keep what is left of `from` for the next read, with room for the frame it begins. */
static void keep(struct connection *c, struct bytes *from, size_t used, size_t wanted)
{
    size_t left = from->length - used;

    if (left) {
        reserve(&c->in, wanted > RECEIVE_BYTES ? wanted : RECEIVE_BYTES);
        memmove(c->in.data, from->data + used, left);
    }
    c->in.length = left;
}

/* False: the connection is over. */
static bool on_readable(struct connection *c)
{
    struct bytes *into = c->in.length ? &c->in : &shared;
    size_t start = c->in.length, wanted = 0;
    ssize_t used = 0, more;
    ssize_t received = recv(c->fd, into->data + start, into->capacity - start, 0);

    if (received <= 0)
        return received < 0 && errno == EAGAIN;
    into->length = start + received;
    if (c->state == HANDSHAKE && (used = handshake(c, into->data, into->length)) < 0)
        return false;
    if (c->state == OPEN) {
        if ((more = echo(c, into->data + used, into->length - used, &wanted)) < 0)
            return false;
        used += more;
    }
    keep(c, into, c->state == CLOSING ? into->length : (size_t)used, wanted);
    return true;
}

static void end(struct connection *c)
{
    close(c->fd);
    free(c->in.data);
    free(c->out.data);
    free(c);
}

static void accept_one(int listener)
{
    int on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED))
        return;
    if (fd < 0)
        die("accept4");
    struct connection *c = calloc(1, sizeof *c);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (!c)
        die("calloc");
    c->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t size = sizeof address;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, size) < 0)
        die("bind");
    if (listen(fd, 1024) < 0 || getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        die("listen");
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS_PER_WAIT];
    struct epoll_event accepting = {.events = EPOLLIN, .data.ptr = NULL};
    int listener = listen_on(argc > 1 ? atoi(argv[1]) : 0);

    reserve(&shared, RECEIVE_BYTES);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &accepting) < 0)
        die("epoll");
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS_PER_WAIT, -1);
        if (count < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c)
                accept_one(listener);
            else if (!(c->out.length ? flush(c) : on_readable(c)))
                end(c);
        }
    }
}
