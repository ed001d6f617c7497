#include "tape.h"

#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "frame.h"
#include "options.h"
#include "payload.h"

enum {
    MOST_MESSAGES = 256, /* different ones, unless more can be in flight */
    MOST_PAYLOAD_BYTES = 8 << 20,
    WINDOW_BYTES = 32 << 10, /* of deflate */
};
static const size_t MOST_TAPE_BYTES = (size_t)4 << 30;

static size_t at_most(size_t value, size_t limit)
{
    return value < limit ? value : limit;
}

static size_t at_least(size_t value, size_t limit)
{
    return value > limit ? value : limit;
}

/* One more than can be in flight, so that a lost, doubled or swapped one is found. Of what is compressed there are
 * many, and together they are longer than the window, or each would be found in it. */
static size_t count_messages(void)
{
    size_t count = (options.mode == OPEN_LOOP ? MOST_MESSAGES : options.in_flight) + 1;

    if (options.payload == JSON || options.deflate) {
        count = at_least(count, at_most(MOST_MESSAGES, MOST_PAYLOAD_BYTES / options.size));
        count = at_least(count, 2 * WINDOW_BYTES / options.size + 1);
    }
    return count;
}

static void write_payloads(struct tape *tape)
{
    tape->payloads = allocate(tape->messages, options.size);
    tape->opcode = options.payload == BINARY ? BINARY_MESSAGE : TEXT_MESSAGE;
    for (size_t message = 0; message < tape->messages; message++)
        write_payload(tape->payloads + message * options.size, message);
}

/* Frame after frame; `deflater` is NULL where nothing was agreed. */
static void write_frames(struct tape *tape, struct deflater *deflater)
{
    size_t room = deflated_bound(options.size), at = 0;
    uint8_t *deflated = deflater ? allocate(1, room) : NULL;

    for (size_t frame = 0; frame < tape->frames; frame++) {
        const uint8_t *payload = payload_of(tape, frame);
        size_t length = options.size;
        uint8_t mask[MASK_BYTES];
        for (size_t i = 0; i < sizeof mask; i++)
            mask[i] = 1 + plain_byte(frame, i, true);
        if (deflater) {
            length = deflate_message(deflater, payload, options.size, deflated, room);
            payload = deflated;
        }
        at += write_frame(tape->bytes + at, FIN | (deflater ? RSV1 : 0) | tape->opcode, mask, payload, length);
        tape->ends[frame] = at;
    }
    tape->loop_end = tape->end = at;
    free(deflated);
}

/* Until as many are there again as can be in flight. */
static void repeat_first_frames(struct tape *tape)
{
    size_t again = at_most(options.in_flight, tape->frames - tape->introduction);

    for (size_t i = 0; i < again; i++) {
        size_t frame = tape->introduction + i, size = frame_size(tape, frame);
        memcpy(tape->bytes + tape->end, tape->bytes + tape->ends[frame] - size, size);
        tape->end += size;
    }
}

static struct tape *make_tape(const struct agreement *agreement)
{
    bool takeover = agreement->deflate && agreement->client_takeover;
    struct tape *tape = allocate(1, sizeof *tape);

    tape->agreement = *agreement;
    tape->messages = count_messages();
    tape->introduction = takeover ? tape->messages : 0;
    tape->frames = tape->introduction + tape->messages;
    size_t longest = LONGEST_CLIENT_HEADER + (agreement->deflate ? deflated_bound(options.size) : options.size);
    size_t room = (tape->frames + options.in_flight) * longest;
    if (room > MOST_TAPE_BYTES)
        fail("%zu different messages of %zu bytes are too much memory", tape->messages, options.size);
    write_payloads(tape);
    tape->bytes = allocate(1, room);
    tape->ends = allocate(tape->frames, sizeof *tape->ends);
    struct deflater *deflater = agreement->deflate ? open_deflater(agreement) : NULL;
    write_frames(tape, deflater);
    if (deflater)
        close_deflater(deflater);
    repeat_first_frames(tape);
    return tape;
}

const struct tape *tape_for(const struct agreement *agreement)
{
    static struct tape *plain, *compressed;
    struct tape **tape = agreement->deflate ? &compressed : &plain;

    if (!*tape)
        *tape = make_tape(agreement);
    if (strcmp((*tape)->agreement.answer, agreement->answer))
        fail("the server agreed to \"%s\" and to \"%s\"", (*tape)->agreement.answer, agreement->answer);
    return *tape;
}

size_t frame_after(const struct tape *tape, size_t frame)
{
    return frame + 1 < tape->frames ? frame + 1 : tape->introduction;
}

size_t frame_size(const struct tape *tape, size_t frame)
{
    return tape->ends[frame] - (frame ? tape->ends[frame - 1] : 0);
}

const uint8_t *payload_of(const struct tape *tape, size_t frame)
{
    return tape->payloads + frame % tape->messages * options.size;
}

size_t wrapped(const struct tape *tape, size_t at)
{
    size_t loop_start = tape->introduction ? tape->ends[tape->introduction - 1] : 0;
    return at < tape->loop_end ? at : at - (tape->loop_end - loop_start);
}

size_t rest_of_frame(const struct tape *tape, size_t at)
{
    size_t low = 0, high = tape->frames - 1;

    at = wrapped(tape, at);
    while (low < high) { /* the first frame that ends after `at` */
        size_t middle = (low + high) / 2;
        if (tape->ends[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    size_t rest = tape->ends[low] - at;
    return rest == frame_size(tape, low) ? 0 : rest;
}
