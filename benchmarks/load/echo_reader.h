/* Reads the server's frames, answers its pings, and holds every echo against what was sent. */
#ifndef LOAD_ECHO_READER_H
#define LOAD_ECHO_READER_H

#include "connection.h"

/* Received bytes, cut anywhere. Calls `handlers.echoed` for each echo that is complete. A pong is left in
 * `connection->pong` for the next flush. */
void read_echoes(struct connection *connection, const uint8_t *data, size_t length, uint64_t time);

#endif
