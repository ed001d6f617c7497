/* The header of a frame (RFC 6455 section 5.2). */
#ifndef LOAD_FRAME_H
#define LOAD_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opcode { CONTINUATION = 0x0, TEXT_MESSAGE = 0x1, BINARY_MESSAGE = 0x2, CLOSE = 0x8, PING = 0x9, PONG = 0xA };

enum {
    FIN = 0x80,
    RSV1 = 0x40, /* the message is compressed (RFC 7692 section 6) */
    RSV2_RSV3 = 0x30,
    OPCODE = 0x0F,
    MASKED = 0x80, /* in the second byte */
    MASK_BYTES = 4,
    LONGEST_SERVER_HEADER = 10,
    LONGEST_CLIENT_HEADER = LONGEST_SERVER_HEADER + MASK_BYTES,
    LONGEST_CONTROL = 125,
};

/* A whole client frame, masked. `to` has room for it. Returns its length. */
size_t write_frame(uint8_t *to, uint8_t first, const uint8_t mask[MASK_BYTES], const uint8_t *payload, size_t length);

/* Bytes of an unmasked header whose second byte this is. */
size_t header_bytes(uint8_t second);

/* The payload's length that a whole header announces. */
uint64_t announced_length(const uint8_t *header);

#endif
