/* The opening handshake (RFC 6455 section 4.1). */
#ifndef LOAD_UPGRADE_H
#define LOAD_UPGRADE_H

#include <stddef.h>

#include "deflate.h"

enum { LONGEST_RESPONSE = 4096 };

/* The request, with the offer of permessage-deflate if the options say so. */
const char *upgrade_request(void);

/* Bytes of the response's head, or 0 while it is not complete. `response` ends with a zero byte. */
size_t response_length(const char *response);

/* Whether the head accepts, and what it agrees to. Returns what is wrong, or NULL. Changes the head. */
const char *read_response(char *head, struct agreement *agreement);

#endif
