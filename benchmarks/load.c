/* The load: keeps messages in flight to a WebSocket echo server, checks what comes back, and reads from the
 * operating system what the server's processes spent on it.
 *
 *     load HOST PORT CONNECTIONS SIZE IN_FLIGHT SECONDS text|binary WARM_UP [SERVER_PID ...]
 *
 * Every connection keeps IN_FLIGHT messages of SIZE bytes in flight: the first ones leave in one write, afterwards
 * every echo is replaced by a new message, and all that one read brought are replaced by one write. The messages
 * are masked before the clock starts. After WARM_UP seconds the window opens for SECONDS; the CPU time of the
 * SERVER_PIDs is read where it opens and where it closes. Then every message still in flight is awaited.
 *
 * Each echo's header, and so its length, is compared with what it has to be; one payload in SAMPLE_EVERY is compared
 * byte by byte. Neighbouring messages differ, so a lost, doubled or swapped one is found. Anything but the expected
 * byte, a closed connection or a silence of STALL_SECONDS ends the program with status 1 and a line on stderr.
 *
 * Prints one line of JSON about the window. Single thread: the client can be what limits the messages per second,
 * which is why the figure to compare is CPU time per message.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
    RECEIVE_BYTES = 256 * 1024,
    EVENTS_PER_WAIT = 256,
    SAMPLE_EVERY = 64,
    STALL_SECONDS = 5,
    DRAIN_SECONDS = 10,
    RUN_LIMIT_SECONDS = 15, /* servers send keepalive pings from 20 s on, which this client takes for a wrong echo */
    MASK_BYTES = 4,
};

static const uint64_t SECOND = 1000000000;

struct connection {
    int fd, index;
    size_t send_at;    /* where in `sending` the next byte to send is */
    size_t owed;       /* bytes to send that the socket did not take yet */
    bool blocked;      /* epoll is asked to tell when the socket takes bytes again */
    size_t slot;       /* which message of the ring the next echo belongs to */
    size_t offset;     /* how much of that echo has arrived */
    uint64_t echoes;   /* complete ones */
    uint64_t *sent_at; /* nanoseconds, one for each message in flight */
};

static int epoll_fd;
static struct connection *connections;
static int connection_count;

static size_t in_flight, payload_bytes;
static size_t ring;                  /* messages until the content repeats: one more than can be in flight */
static size_t frame_bytes;           /* of a masked message as it is sent */
static uint8_t *sending;             /* the ring and its beginning again, so that any run in it is one piece */
static size_t echo_header, echo_bytes;
static uint8_t *expected;            /* the ring as it has to come back */

static bool refill = true;           /* replace each echo by a new message */
static size_t awaited;               /* messages in flight over all connections */
static uint64_t messages;            /* echoes since the window opened */

static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "load: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    exit(1);
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        fail("no memory for %zu x %zu bytes", count, size);
    return memory;
}

/* ---- time ---- */

static uint64_t read_clock(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time) < 0)
        fail("cannot read a clock: %s", strerror(errno));
    return time.tv_sec * SECOND + time.tv_nsec;
}

static uint64_t now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* Nanoseconds of CPU time, user and system, of all threads of these processes. The process clock is the scheduler's
 * own sum: exact where the times in /proc/PID/stat have a resolution of 10 ms. */
static uint64_t cpu_time(char **pids)
{
    uint64_t total = 0;
    for (; *pids; pids++) {
        clockid_t clock;
        int error = clock_getcpuclockid(atoi(*pids), &clock);
        if (error)
            fail("no CPU clock of process %s: %s", *pids, strerror(error));
        total += read_clock(clock);
    }
    return total;
}

/* ---- latency: a histogram whose buckets are 3 % wide ---- */

enum { SUB_BITS = 5, SUB_BUCKETS = 1 << SUB_BITS };

static uint64_t latency_buckets[(64 - SUB_BITS) * SUB_BUCKETS];

static void record_latency(uint64_t nanoseconds)
{
    int shift = 63 - __builtin_clzll(nanoseconds | SUB_BUCKETS) - SUB_BITS;
    latency_buckets[shift * SUB_BUCKETS + ((nanoseconds >> shift) & (SUB_BUCKETS - 1))]++;
}

/* Microseconds: the lower bound of the bucket that holds the given share of the messages. */
static double latency_percentile(double share)
{
    uint64_t seen = 0;
    size_t bucket = 0;
    while (bucket < sizeof latency_buckets / sizeof *latency_buckets - 1) {
        seen += latency_buckets[bucket];
        if (seen >= share * messages)
            break;
        bucket++;
    }
    return (double)((SUB_BUCKETS + bucket % SUB_BUCKETS) << bucket / SUB_BUCKETS) / 1000;
}

/* ---- the messages ---- */

static size_t write_header(uint8_t *to, uint8_t opcode, bool masked)
{
    int extra = payload_bytes < 126 ? 0 : payload_bytes < 65536 ? 2 : 8;
    to[0] = 0x80 | opcode;
    to[1] = (masked ? 0x80 : 0) | (extra == 0 ? payload_bytes : extra == 2 ? 126 : 127);
    for (int i = 0; i < extra; i++)
        to[2 + i] = payload_bytes >> 8 * (extra - 1 - i);
    return 2 + extra;
}

/* Byte i of the ring's message number `slot`. Text is ASCII. */
static uint8_t content(size_t slot, size_t i, bool text)
{
    uint32_t mixed = (uint32_t)(slot * 7919 + i) * 2654435761u >> 24;
    return text ? ' ' + mixed % 95 : mixed;
}

static void prepare_messages(bool text)
{
    uint8_t opcode = text ? 0x1 : 0x2, header[10];

    ring = in_flight + 1;
    echo_header = write_header(header, opcode, false);
    echo_bytes = echo_header + payload_bytes;
    frame_bytes = echo_bytes + MASK_BYTES;
    sending = allocate(ring + in_flight, frame_bytes);
    expected = allocate(ring, echo_bytes);
    for (size_t slot = 0; slot < ring; slot++) {
        uint8_t *echo = expected + slot * echo_bytes, *frame = sending + slot * frame_bytes;
        uint8_t *mask = frame + write_header(frame, opcode, true), *masked = mask + MASK_BYTES;
        write_header(echo, opcode, false);
        for (int i = 0; i < MASK_BYTES; i++)
            mask[i] = 1 + content(slot, i, true);
        for (size_t i = 0; i < payload_bytes; i++) {
            echo[echo_header + i] = content(slot, i, text);
            masked[i] = echo[echo_header + i] ^ mask[i % MASK_BYTES];
        }
    }
    memcpy(sending + ring * frame_bytes, sending, in_flight * frame_bytes);
}

/* ---- connections ---- */

static void shake_hands(struct connection *c)
{
    /* The key and the answer to it are the example of RFC 6455 1.3. */
    static const char request[] = "GET /benchmark HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    char response[4096] = "", *end = NULL;
    size_t length = 0;

    if (send(c->fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0)
        fail("connection %d: cannot send the handshake: %s", c->index, strerror(errno));
    while (!end) {
        ssize_t received = recv(c->fd, response + length, sizeof response - 1 - length, 0);
        if (received <= 0)
            fail("connection %d: no answer to the handshake", c->index);
        length += received;
        response[length] = 0;
        end = strstr(response, "\r\n\r\n");
    }
    if (strncmp(response, "HTTP/1.1 101 ", 13) || !strstr(response, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
        fail("connection %d: handshake refused: %.*s", c->index, (int)strcspn(response, "\r"), response);
    if (end + 4 != response + length)
        fail("connection %d: the server spoke first", c->index);
}

static void open_connection(struct connection *c, const struct sockaddr_in *address)
{
    struct timeval timeout = {.tv_sec = STALL_SECONDS};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    int on = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    c->sent_at = allocate(in_flight, sizeof *c->sent_at);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(c->fd, (const struct sockaddr *)address, sizeof *address) < 0)
        fail("connection %d: %s", c->index, strerror(errno));
    shake_hands(c);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
}

static void open_connections(const char *host, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};

    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        fail("not an IPv4 address: %s", host);
    connections = allocate(connection_count, sizeof *connections);
    for (int i = 0; i < connection_count; i++) {
        connections[i].index = i;
        open_connection(&connections[i], &address);
    }
}

/* Send what is owed; where the socket takes only a part, epoll tells when to go on. */
static void flush(struct connection *c)
{
    ssize_t sent = send(c->fd, sending + c->send_at, c->owed, MSG_NOSIGNAL);

    if (sent < 0 && errno != EAGAIN)
        fail("connection %d: cannot send: %s", c->index, strerror(errno));
    if (sent > 0) {
        c->owed -= sent;
        c->send_at = (c->send_at + sent) % (ring * frame_bytes);
    }
    bool blocked = c->owed > 0;
    struct epoll_event event = {.events = EPOLLIN | (blocked ? EPOLLOUT : 0), .data.ptr = c};
    if (blocked == c->blocked)
        return;
    c->blocked = blocked;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
}

static void complete_echo(struct connection *c, uint64_t time)
{
    uint64_t *sent_at = &c->sent_at[c->echoes % in_flight];

    record_latency(time - *sent_at);
    *sent_at = time;
    c->echoes++;
    c->slot = (c->slot + 1) % ring;
    c->offset = 0;
    messages++;
    if (refill)
        c->owed += frame_bytes;
    else
        awaited--;
}

/* Compare received bytes with those that have to come. */
static void check(struct connection *c, const uint8_t *data, size_t length, uint64_t time)
{
    while (length) {
        const uint8_t *echo = expected + c->slot * echo_bytes;
        size_t part = echo_bytes - c->offset < length ? echo_bytes - c->offset : length;
        size_t header_left = c->offset < echo_header ? echo_header - c->offset : 0;
        bool sampled = (c->echoes + c->index) % SAMPLE_EVERY == 0;
        size_t compared = sampled || part < header_left ? part : header_left;
        if (memcmp(data, echo + c->offset, compared))
            fail("connection %d: echo %llu is wrong", c->index, (unsigned long long)c->echoes);
        data += part;
        length -= part;
        c->offset += part;
        if (c->offset == echo_bytes)
            complete_echo(c, time);
    }
}

static void on_readable(struct connection *c)
{
    static uint8_t buffer[RECEIVE_BYTES];
    ssize_t received = recv(c->fd, buffer, sizeof buffer, 0);

    if (received == 0)
        fail("connection %d: closed by the server", c->index);
    if (received < 0 && errno != EAGAIN)
        fail("connection %d: cannot receive: %s", c->index, strerror(errno));
    if (received > 0)
        check(c, buffer, received, now());
    if (c->owed)
        flush(c);
}

/* ---- the run ---- */

static void send_first_messages(void)
{
    for (int i = 0; i < connection_count; i++) {
        struct connection *c = &connections[i];
        for (size_t j = 0; j < in_flight; j++)
            c->sent_at[j] = now();
        c->owed = in_flight * frame_bytes;
        flush(c);
    }
    awaited = connection_count * in_flight;
}

/* Serve the sockets until the time has come or nothing is awaited. */
static void run_until(uint64_t time)
{
    struct epoll_event events[EVENTS_PER_WAIT];

    while (awaited && now() < time) {
        int count = epoll_wait(epoll_fd, events, EVENTS_PER_WAIT, STALL_SECONDS * 1000);
        if (count == 0)
            fail("no echo for %d seconds", STALL_SECONDS);
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & ~EPOLLOUT)
                on_readable(c);
            else
                flush(c);
        }
    }
}

/* Await every echo that is still to come, so that each message sent was also checked; then say goodbye. */
static void drain(void)
{
    static const uint8_t close_frame[] = {0x88, 0x82, 1, 2, 3, 4, 0x03 ^ 1, 0xe8 ^ 2}; /* 1000 */

    refill = false;
    run_until(now() + DRAIN_SECONDS * SECOND);
    if (awaited)
        fail("%zu echoes are missing", awaited);
    for (int i = 0; i < connection_count; i++) {
        send(connections[i].fd, close_frame, sizeof close_frame, MSG_NOSIGNAL);
        shutdown(connections[i].fd, SHUT_WR);
    }
}

static void measure(double warm_up, double seconds, char **pids)
{
    send_first_messages();
    run_until(now() + (uint64_t)(warm_up * SECOND));

    messages = 0;
    memset(latency_buckets, 0, sizeof latency_buckets);
    uint64_t opened = now(), server = cpu_time(pids), client = read_clock(CLOCK_PROCESS_CPUTIME_ID);
    run_until(opened + (uint64_t)(seconds * SECOND));
    server = cpu_time(pids) - server;
    client = read_clock(CLOCK_PROCESS_CPUTIME_ID) - client;
    double elapsed = (double)(now() - opened) / SECOND;
    uint64_t measured = messages;
    if (!measured)
        fail("no echo arrived while the window was open");
    double p50 = latency_percentile(0.50), p99 = latency_percentile(0.99);

    drain();
    printf("{\"messages\": %llu, \"seconds\": %.6f, \"messages_per_second\": %.1f, \"bytes\": %llu, "
           "\"server_cpu_seconds\": %.9f, \"client_cpu_seconds\": %.9f, "
           "\"latency_p50_us\": %.1f, \"latency_p99_us\": %.1f}\n",
           (unsigned long long)measured, elapsed, measured / elapsed, (unsigned long long)measured * payload_bytes,
           (double)server / SECOND, (double)client / SECOND, p50, p99);
}

int main(int argc, char **argv)
{
    if (argc < 9)
        fail("usage: load HOST PORT CONNECTIONS SIZE IN_FLIGHT SECONDS text|binary WARM_UP [SERVER_PID ...]");
    connection_count = atoi(argv[3]);
    payload_bytes = strtoul(argv[4], NULL, 10);
    in_flight = strtoul(argv[5], NULL, 10);
    double seconds = atof(argv[6]), warm_up = atof(argv[8]);
    if (connection_count < 1 || in_flight < 1 || seconds <= 0 || warm_up < 0)
        fail("CONNECTIONS, IN_FLIGHT and SECONDS must be above 0, WARM_UP not below");
    if (seconds + warm_up > RUN_LIMIT_SECONDS)
        fail("WARM_UP and SECONDS together may be %d at most", RUN_LIMIT_SECONDS);
    prepare_messages(strcmp(argv[7], "binary") != 0);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    open_connections(argv[1], atoi(argv[2]));
    measure(warm_up, seconds, argv + 9);
    return 0;
}
