/* permessage-deflate (RFC 7692): what was agreed, and the two directions of it. */
#ifndef LOAD_DEFLATE_H
#define LOAD_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEFLATE_OFFER "permessage-deflate"

struct agreement {
    char answer[256]; /* the server's Sec-WebSocket-Extensions; empty: none */
    bool deflate;
    bool client_takeover, server_takeover; /* whether the context outlives a message */
    int client_bits, server_bits;          /* log2 of the window that each side compresses with */
};

/* Understand `agreement->answer`. Returns what is wrong with it, or NULL. */
const char *read_agreement(struct agreement *agreement);

/* ---- sending: one stream of messages ---- */

struct deflater;

struct deflater *open_deflater(const struct agreement *agreement);

/* Room that a compressed message may need. */
size_t deflated_bound(size_t length);

/* The payload of one message, as section 7.2.1 has it. Returns its length. */
size_t deflate_message(struct deflater *deflater, const uint8_t *message, size_t length, uint8_t *to, size_t room);

void close_deflater(struct deflater *deflater);

/* ---- receiving: one stream of messages, in pieces ---- */

struct inflater;

struct inflater *open_inflater(const struct agreement *agreement);

/* Hands what `data` inflates to, piece by piece, to `take`. Returns what is wrong with `data`, or NULL. */
const char *inflate_piece(struct inflater *inflater, const uint8_t *data, size_t length,
                          void (*take)(void *, const uint8_t *, size_t), void *taker);

/* To be called after the last piece of each message. */
const char *end_inflated_message(struct inflater *inflater, void (*take)(void *, const uint8_t *, size_t), void *taker);

void close_inflater(struct inflater *inflater);

#endif
