/* What the messages say. */
#ifndef LOAD_PAYLOAD_H
#define LOAD_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Message number `message`, of `options.size` bytes and of the kind `options.payload`. The same in every run. */
void write_payload(uint8_t *to, size_t message);

/* Byte `i` of a text, which is ASCII, or of a binary message. */
uint8_t plain_byte(size_t message, size_t i, bool text);

#endif
