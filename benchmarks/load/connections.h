/* All connections, and the one place where the program waits. */
#ifndef LOAD_CONNECTIONS_H
#define LOAD_CONNECTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "connection.h"

enum {
    STALL_SECONDS = 10,    /* silence that is an error */
    PATIENCE_SECONDS = 60, /* for what has to come before a window closes, or after */
};

extern struct connection *connections; /* options.connections of them */

/* Raises the limit of descriptors as far as is needed. */
void make_connections(void);

/* Open all, some at a time. Each is reported to `handlers.opened`; the mode calls `connection_settled` when it has
 * done what it does on a new connection. */
void open_connections(void);
void connection_settled(void);

/* Wait for at most `timeout` nanoseconds, serve at most `most` connections. Returns how many there were. */
int serve(uint64_t timeout, int most);

/* Serve until `time` has come or `*awaited` is 0; a silence of STALL_SECONDS is an error. */
void serve_until(uint64_t time, const uint64_t *awaited);

/* Close all, and await the server's answers while there are any. */
void close_connections(void);

/* Of the epoll instance, for whoever waits for something else as well. */
int epoll_descriptor(void);

/* For connection.c: what epoll tells of. */
void watch_connection(struct connection *connection, uint32_t events);

#endif
