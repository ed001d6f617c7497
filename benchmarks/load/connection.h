/* One WebSocket connection: opened, sent on from the tape, and every echo checked.
 *
 * Whatever is wrong, an echo, a frame, a Close or an end that nobody asked for, ends the program with a line that
 * names the connection.
 */
#ifndef LOAD_CONNECTION_H
#define LOAD_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "tape.h"
#include "transport.h"

enum state { CONNECTING, UPGRADING, OPEN, CLOSING, CLOSED };

struct connection {
    struct transport transport;
    int index;
    enum state state;
    uint32_t events; /* that epoll is asked for */
    char *response;  /* to the opening handshake, until it is complete */
    size_t response_length;

    /* sending */
    const struct tape *tape; /* for what the server agreed to */
    size_t frame;    /* of the tape: the next to be queued */
    size_t send_at;  /* in the tape: the next byte to send */
    size_t owed;     /* bytes queued that the socket did not take yet */
    uint64_t queued; /* messages */
    uint8_t pong[LONGEST_CLIENT_HEADER + LONGEST_CONTROL];
    size_t pong_length, pong_sent;
    bool sending_pong; /* begun, and nothing else until it is gone */

    /* receiving: the frame that is arriving */
    uint8_t header[LONGEST_SERVER_HEADER];
    size_t header_length;
    bool in_payload;
    uint64_t payload_left;
    uint8_t control[LONGEST_CONTROL];
    size_t control_length;

    /* receiving: the echo that is arriving */
    bool in_message, compressed;
    size_t echo_frame;  /* of the tape, that it is the echo of */
    size_t echo_length; /* of its payload, so far and inflated */
    uint64_t echoes;    /* complete ones */
    struct inflater *inflater;

    uint64_t *sent_at; /* the mode's own, see mode_echo.c */
};

/* What a mode does when something has happened. */
struct handlers {
    void (*opened)(struct connection *connection);
    void (*echoed)(struct connection *connection, uint64_t time); /* `echoes` counts it already; it may close */
    void (*closed)(struct connection *connection);                /* may be NULL; may open it again */
};

extern struct handlers handlers;

/* One payload in so many is compared byte by byte. */
extern unsigned sample_every;

extern uint64_t payload_bytes_received; /* inflated; of whole echoes and of parts */
extern uint64_t compressed_echoes, uncompressed_echoes;
extern char *extensions;           /* that the server agreed to where it did; NULL: nowhere */
extern uint64_t declined;          /* connections on which it did not, though there was an offer */
extern char *tls;                  /* of the first connection; NULL: plain */

/* Begin; `serial` as for transport_connect. */
void connection_open(struct connection *connection, uint64_t serial);

/* What epoll told of it. */
void connection_ready(struct connection *connection, uint32_t events);

/* Add the next message of the tape to what is owed; connection_flush sends it. */
void connection_queue(struct connection *connection);

void connection_flush(struct connection *connection);

/* Close code 1000; then everything is dropped until the server has closed, and that is no error. */
void connection_close(struct connection *connection);

/* At once. */
void connection_reset(struct connection *connection);

#endif
