#include "echo_reader.h"

#include <string.h>

#include "failure.h"
#include "options.h"

enum { ALWAYS_COMPARED = 32 }; /* bytes at the beginning of each payload: enough to tell a message from the next */

unsigned sample_every = 64;
uint64_t payload_bytes_received, compressed_echoes, uncompressed_echoes;

static _Noreturn void wrong(const struct connection *c, const char *how)
{
    fail("connection %d: echo %llu is wrong: %s", c->index, (unsigned long long)c->echoes, how);
}

/* ---- payloads ---- */

/* How much of the echo that is arriving is compared: all of a sample. */
static size_t compared(const struct connection *c)
{
    return (c->echoes + c->index) % sample_every == 0 ? options.size : ALWAYS_COMPARED;
}

/* A piece of the message as it was before compression. */
static void check(void *connection, const uint8_t *data, size_t length)
{
    struct connection *c = connection;

    if (length > options.size - c->echo_length)
        wrong(c, "longer than what was sent");
    if (c->echo_length < compared(c)) {
        size_t left = compared(c) - c->echo_length;
        if (memcmp(data, payload_of(c->tape, c->echo_frame) + c->echo_length, length < left ? length : left))
            wrong(c, "its payload differs");
    }
    c->echo_length += length;
    payload_bytes_received += length;
}

static void take_payload(struct connection *c, const uint8_t *data, size_t length)
{
    const char *complaint = NULL;

    if (c->header[0] & CLOSE) { /* a control frame, RFC 6455 section 5.5 */
        memcpy(c->control + c->control_length, data, length);
        c->control_length += length;
    } else if (c->compressed) {
        complaint = inflate_piece(c->inflater, data, length, check, c);
    } else {
        check(c, data, length);
    }
    if (complaint)
        wrong(c, complaint);
}

/* ---- headers ---- */

static void begin_control(struct connection *c)
{
    bool known = (c->header[0] & OPCODE) <= PONG;

    if (!known || !(c->header[0] & FIN) || c->header[0] & RSV1 || c->payload_left > LONGEST_CONTROL)
        fail("connection %d: the server sent a malformed control frame", c->index);
    c->control_length = 0;
}

static void begin_message(struct connection *c)
{
    if (c->queued == c->echoes)
        fail("connection %d: the server sent a message that nothing was sent for", c->index);
    if ((c->header[0] & OPCODE) != c->tape->opcode)
        wrong(c, "its opcode differs");
    c->in_message = true;
    c->compressed = c->header[0] & RSV1;
    if (c->compressed && !c->tape->agreement.deflate)
        wrong(c, "compressed, which was not agreed");
    if (c->compressed && !c->inflater)
        c->inflater = open_inflater(&c->tape->agreement);
}

/* A frame of a message; long or short enough in itself, unless it is compressed. */
static void begin_data(struct connection *c)
{
    bool continues = (c->header[0] & OPCODE) == CONTINUATION;

    if (continues != c->in_message || (continues && c->header[0] & RSV1))
        wrong(c, "its frames are out of order");
    if (!continues)
        begin_message(c);
    if (c->compressed)
        return;
    if (c->payload_left > options.size - c->echo_length)
        wrong(c, "longer than what was sent");
    if (c->header[0] & FIN && c->payload_left < options.size - c->echo_length)
        wrong(c, "shorter than what was sent");
}

static void begin_frame(struct connection *c)
{
    if (c->header[1] & MASKED || c->header[0] & RSV2_RSV3)
        wrong(c, "its frame has a mask or reserved bits");
    c->payload_left = announced_length(c->header);
    c->in_payload = true;
    if (c->header[0] & CLOSE)
        begin_control(c);
    else
        begin_data(c);
}

/* ---- ends of frames ---- */

/* RFC 6455 section 5.5.3: of several pings the newest is answered. A pong that is being sent stays as it is. */
static void answer_ping(struct connection *c)
{
    static const uint8_t mask[MASK_BYTES] = {0x1f, 0x2e, 0x3d, 0x4c};

    if (!c->sending_pong)
        c->pong_length = write_frame(c->pong, FIN | PONG, mask, c->control, c->control_length);
}

static _Noreturn void closed(const struct connection *c)
{
    int code = c->control_length < 2 ? 1005 : c->control[0] << 8 | c->control[1]; /* 1005: there is none */
    char reason[LONGEST_CONTROL + 1] = "";

    for (size_t i = 2; i < c->control_length; i++)
        reason[i - 2] = c->control[i] >= ' ' && c->control[i] <= '~' ? c->control[i] : '?';
    fail("connection %d: closed by the server with code %d%s%s", c->index, code, *reason ? ": " : "", reason);
}

static void end_control(struct connection *c)
{
    if ((c->header[0] & OPCODE) == PING)
        answer_ping(c);
    if ((c->header[0] & OPCODE) == CLOSE)
        closed(c);
}

static void end_message(struct connection *c, uint64_t time)
{
    const char *complaint = c->compressed ? end_inflated_message(c->inflater, check, c) : NULL;

    if (complaint)
        wrong(c, complaint);
    if (c->echo_length < options.size)
        wrong(c, "shorter than what was sent");
    compressed_echoes += c->compressed;
    uncompressed_echoes += !c->compressed;
    c->in_message = false;
    c->echo_length = 0;
    c->echo_frame = frame_after(c->tape, c->echo_frame);
    c->echoes++;
    handlers.echoed(c, time);
}

static void end_frame(struct connection *c, uint64_t time)
{
    c->header_length = 0;
    c->in_payload = false;
    if (c->header[0] & CLOSE)
        end_control(c);
    else if (c->header[0] & FIN)
        end_message(c, time);
}

void read_echoes(struct connection *c, const uint8_t *data, size_t length, uint64_t time)
{
    while (length && c->state == OPEN) {
        if (!c->in_payload) {
            c->header[c->header_length++] = *data++;
            length--;
            if (c->header_length < 2 || c->header_length < header_bytes(c->header[1]))
                continue;
            begin_frame(c);
        }
        size_t part = length < c->payload_left ? length : c->payload_left;
        take_payload(c, data, part);
        data += part;
        length -= part;
        c->payload_left -= part;
        if (!c->payload_left)
            end_frame(c, time);
    }
}
