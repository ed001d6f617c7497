#define _GNU_SOURCE
#include "connection.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "clock.h"
#include "connections.h"
#include "echo_reader.h"
#include "failure.h"
#include "options.h"
#include "upgrade.h"

enum { RECEIVE_BYTES = 256 * 1024 };

struct handlers handlers;
char *extensions, *tls;
uint64_t declined;

static void watch(struct connection *c, uint32_t events)
{
    if (c->events != events)
        watch_connection(c, events);
    c->events = events;
}

/* ---- sending ---- */

void connection_queue(struct connection *c)
{
    c->owed += frame_size(c->tape, c->frame);
    c->frame = frame_after(c->tape, c->frame);
    c->queued++;
}

static size_t send_part(struct connection *c, const uint8_t *data, size_t length)
{
    ssize_t sent = transport_send(&c->transport, data, length);

    if (sent == SEND_FAILED)
        fail("connection %d: %s", c->index, transport_failure());
    return sent;
}

/* True: it is gone. */
static bool flush_pong(struct connection *c)
{
    c->pong_sent += send_part(c, c->pong + c->pong_sent, c->pong_length - c->pong_sent);
    if (c->pong_sent < c->pong_length)
        return false;
    c->pong_length = c->pong_sent = 0;
    c->sending_pong = false;
    return true;
}

/* True: so much of the tape is gone as could be sent in one piece, and there may be more. */
static bool flush_run(struct connection *c)
{
    size_t piece = c->tape->end - c->send_at, run = c->owed < piece ? c->owed : piece;
    size_t rest = c->pong_length ? rest_of_frame(c->tape, c->send_at) : 0;

    if (c->pong_length) /* its turn comes as soon as may be */
        run = rest > c->transport.committed ? rest : c->transport.committed;
    size_t sent = send_part(c, c->tape->bytes + c->send_at, run);
    c->owed -= sent;
    c->send_at = wrapped(c->tape, c->send_at + sent);
    return sent == run;
}

/* Whether it may go now: not within a message, nor within what TLS has already taken of the messages. */
static bool pong_may_go(const struct connection *c)
{
    return c->pong_length && !c->transport.committed && (!c->owed || !rest_of_frame(c->tape, c->send_at));
}

void connection_flush(struct connection *c)
{
    bool going_on = true;

    while (going_on && (c->pong_length || c->owed)) {
        c->sending_pong = c->sending_pong || pong_may_go(c);
        going_on = c->sending_pong ? flush_pong(c) : flush_run(c);
    }
    watch(c, EPOLLIN | (c->pong_length || c->owed ? EPOLLOUT : 0));
}

/* ---- receiving ---- */

static void flush_if_owed(struct connection *c)
{
    if (c->state == OPEN && (c->owed || c->pong_length))
        connection_flush(c);
}

static void receive(struct connection *c)
{
    static uint8_t buffer[RECEIVE_BYTES];

    do {
        ssize_t received = transport_receive(&c->transport, buffer, sizeof buffer);
        if (received == RECEIVE_NOTHING)
            break;
        if (received <= 0)
            fail("connection %d: %s", c->index, received ? transport_failure() : "ended by the server without a Close");
        read_echoes(c, buffer, received, now());
    } while (c->state == OPEN && transport_has_pending(&c->transport));
    flush_if_owed(c);
}

/* ---- opening ---- */

static void await(struct connection *c, enum wait wait)
{
    if (wait == WAIT_FAILED)
        fail("connection %d: %s", c->index, transport_failure());
    watch(c, wait == WAIT_WRITABLE ? EPOLLOUT : EPOLLIN);
}

void connection_open(struct connection *c, uint64_t serial)
{
    int index = c->index;
    uint64_t *sent_at = c->sent_at;

    memset(c, 0, sizeof *c);
    c->index = index;
    c->sent_at = sent_at;
    await(c, transport_connect(&c->transport, &options.server, serial));
}

static void ask_for_upgrade(struct connection *c)
{
    const char *request = upgrade_request();

    if (transport_send(&c->transport, request, strlen(request)) != (ssize_t)strlen(request))
        fail("connection %d: cannot send the handshake", c->index);
    c->state = UPGRADING;
    c->response = allocate(1, LONGEST_RESPONSE + 1);
    watch(c, EPOLLIN);
}

static void advance(struct connection *c)
{
    enum wait wait = transport_advance(&c->transport);

    if (wait == WAIT_NONE)
        ask_for_upgrade(c);
    else
        await(c, wait);
}

/* What was agreed to decides what is sent. A server may decline on some connections, to save memory for one. */
static void agree(struct connection *c, const struct agreement *agreed)
{
    c->tape = tape_for(agreed);
    if (agreed->deflate && !extensions)
        extensions = strdup(agreed->answer);
    declined += options.deflate && !agreed->deflate;
    if (options.tls && !tls)
        tls = strdup(transport_tls(&c->transport));
}

/* The whole head of the response is there, and perhaps frames after it. */
static void upgrade(struct connection *c, size_t head)
{
    struct agreement agreed;
    char *response = c->response;
    size_t length = c->response_length;
    const char *complaint = read_response(response, &agreed);

    if (complaint)
        fail("connection %d: %s", c->index, complaint);
    agree(c, &agreed);
    c->state = OPEN;
    c->response = NULL;
    handlers.opened(c);
    if (c->state == OPEN)
        read_echoes(c, (uint8_t *)response + head, length - head, now());
    free(response);
    flush_if_owed(c);
    if (c->state == OPEN && transport_has_pending(&c->transport))
        receive(c);
}

static void receive_response(struct connection *c)
{
    size_t room = LONGEST_RESPONSE - c->response_length, head;
    ssize_t received = transport_receive(&c->transport, c->response + c->response_length, room);

    if (received == RECEIVE_NOTHING)
        return;
    if (received <= 0)
        fail("connection %d: no answer to the handshake: %s", c->index, received ? transport_failure() : "closed");
    c->response_length += received;
    c->response[c->response_length] = 0;
    if ((head = response_length(c->response)))
        upgrade(c, head);
    else if (c->response_length == LONGEST_RESPONSE)
        fail("connection %d: the answer to the handshake does not end", c->index);
}

/* ---- closing ---- */

static void end(struct connection *c, bool reset)
{
    transport_close(&c->transport, reset);
    close_inflater(c->inflater);
    c->inflater = NULL;
    free(c->response);
    c->response = NULL;
    c->state = CLOSED;
}

void connection_reset(struct connection *c)
{
    end(c, true);
}

void connection_close(struct connection *c)
{
    static const uint8_t close_frame[] = {FIN | CLOSE, MASKED | 2, 1, 2, 3, 4, 0x03 ^ 1, 0xe8 ^ 2}; /* 1000 */

    transport_send(&c->transport, close_frame, sizeof close_frame);
    transport_end_sending(&c->transport);
    c->state = CLOSING;
    watch(c, EPOLLIN);
}

static void drop(struct connection *c)
{
    static uint8_t dropped[RECEIVE_BYTES];
    ssize_t received;

    while ((received = transport_receive(&c->transport, dropped, sizeof dropped)) > 0)
        ;
    if (received != RECEIVE_NOTHING)
        end(c, false);
}

void connection_ready(struct connection *c, uint32_t events)
{
    if (c->state == CONNECTING)
        advance(c);
    else if (c->state == UPGRADING)
        receive_response(c);
    else if (c->state == CLOSING)
        drop(c);
    else if (c->state == OPEN && events & ~EPOLLOUT)
        receive(c);
    else if (c->state == OPEN)
        connection_flush(c);
    if (c->state == CLOSED && handlers.closed)
        handlers.closed(c);
}
