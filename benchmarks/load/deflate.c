#define _GNU_SOURCE
#include "deflate.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "failure.h"

enum { MEMORY_LEVEL = 8, SCRATCH_BYTES = 64 * 1024 };

/* What ends a flushed block, and is left out of a message (RFC 7692 section 7.2.1). */
static const uint8_t tail[] = {0x00, 0x00, 0xff, 0xff};

/* ---- the agreement ---- */

/* A parameter's `=N`, quoted or not; 0 where it is no number of bits. */
static int window_bits(const char *value)
{
    char *end;
    long bits = strtol(value + (*value == '"'), &end, 10);
    return bits >= 8 && bits <= 15 && (!*end || !strcmp(end, "\"")) ? bits : 0;
}

static const char *read_parameter(struct agreement *agreement, const char *name, const char *value)
{
    if (!strcasecmp(name, "client_no_context_takeover") && !value)
        agreement->client_takeover = false;
    else if (!strcasecmp(name, "server_no_context_takeover") && !value)
        agreement->server_takeover = false;
    else if (!strcasecmp(name, "client_max_window_bits") && value && window_bits(value))
        agreement->client_bits = window_bits(value);
    else if (!strcasecmp(name, "server_max_window_bits") && value && window_bits(value))
        agreement->server_bits = window_bits(value);
    else
        return "an unknown parameter of permessage-deflate";
    return NULL;
}

const char *read_agreement(struct agreement *agreement)
{
    char copy[sizeof agreement->answer], *rest = NULL;
    const char *complaint = NULL;

    agreement->deflate = *agreement->answer;
    agreement->client_takeover = agreement->server_takeover = true;
    agreement->client_bits = agreement->server_bits = 15;
    if (!agreement->deflate)
        return NULL;
    strcpy(copy, agreement->answer);
    const char *extension = strtok_r(copy, "; \t", &rest);
    if (!extension || strcasecmp(extension, DEFLATE_OFFER))
        return "an extension that was not offered";
    for (char *name; !complaint && (name = strtok_r(NULL, "; \t", &rest));) {
        char *value = strchr(name, '=');
        if (value)
            *value++ = 0;
        complaint = read_parameter(agreement, name, value);
    }
    return complaint;
}

/* ---- sending ---- */

struct deflater {
    z_stream stream;
    bool takeover;
};

struct deflater *open_deflater(const struct agreement *agreement)
{
    struct deflater *deflater = allocate(1, sizeof *deflater);

    deflater->takeover = agreement->client_takeover;
    if (deflateInit2(&deflater->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -agreement->client_bits, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        fail("zlib cannot compress with a window of 2^%d bytes", agreement->client_bits);
    return deflater;
}

size_t deflated_bound(size_t length)
{
    return compressBound(length) + 64;
}

size_t deflate_message(struct deflater *deflater, const uint8_t *message, size_t length, uint8_t *to, size_t room)
{
    z_stream *stream = &deflater->stream;

    stream->next_in = (Bytef *)message;
    stream->avail_in = length;
    stream->next_out = to;
    stream->avail_out = room;
    if (deflate(stream, Z_SYNC_FLUSH) != Z_OK || stream->avail_in || !stream->avail_out)
        fail("zlib: cannot compress %zu bytes", length);
    if (!deflater->takeover)
        deflateReset(stream);
    return room - stream->avail_out - sizeof tail;
}

void close_deflater(struct deflater *deflater)
{
    deflateEnd(&deflater->stream);
    free(deflater);
}

/* ---- receiving ---- */

struct inflater {
    z_stream stream;
    bool takeover;
};

struct inflater *open_inflater(const struct agreement *agreement)
{
    struct inflater *inflater = allocate(1, sizeof *inflater);

    inflater->takeover = agreement->server_takeover;
    if (inflateInit2(&inflater->stream, -agreement->server_bits) != Z_OK)
        fail("zlib: cannot make an inflater");
    return inflater;
}

const char *inflate_piece(struct inflater *inflater, const uint8_t *data, size_t length,
                          void (*take)(void *, const uint8_t *, size_t), void *taker)
{
    static uint8_t scratch[SCRATCH_BYTES];
    z_stream *stream = &inflater->stream;

    stream->next_in = (Bytef *)data;
    stream->avail_in = length;
    do {
        stream->next_out = scratch;
        stream->avail_out = sizeof scratch;
        int status = inflate(stream, Z_SYNC_FLUSH);
        if (status == Z_STREAM_END)
            return "compressed with a last block, which this client does not read on after";
        if (status != Z_OK && status != Z_BUF_ERROR)
            return stream->msg ? stream->msg : "not deflate";
        take(taker, scratch, sizeof scratch - stream->avail_out);
    } while (!stream->avail_out);
    return NULL;
}

const char *end_inflated_message(struct inflater *inflater, void (*take)(void *, const uint8_t *, size_t), void *taker)
{
    const char *complaint = inflate_piece(inflater, tail, sizeof tail, take, taker);

    if (!inflater->takeover)
        inflateReset(&inflater->stream);
    return complaint;
}

void close_inflater(struct inflater *inflater)
{
    if (inflater)
        inflateEnd(&inflater->stream);
    free(inflater);
}
