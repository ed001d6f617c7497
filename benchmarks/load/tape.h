/* Every message that will be sent, framed, masked and, where agreed, compressed before the clock starts.
 *
 * A tape is a run of frames: an introduction that is played once, then a loop. Without a context that outlives a
 * message there is only the loop. With one, the same messages are compressed twice in one stream: the introduction
 * for a peer that knows nothing yet, the loop for one that knows the messages before. What a decompressor knows at
 * the loop's beginning is the same in every turn, the end of the messages, so that the loop can be played for ever.
 */
#ifndef LOAD_TAPE_H
#define LOAD_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deflate.h"

struct tape {
    struct agreement agreement;
    uint8_t *bytes; /* all frames; and the loop's first ones again, so that most runs are one piece */
    size_t *ends;   /* of each frame in `bytes` */
    size_t frames, introduction;
    size_t loop_end, end; /* of the frames, and of those that are there again */
    size_t messages;      /* different ones */
    uint8_t *payloads;    /* of each message, `options.size` bytes */
    uint8_t opcode;
};

/* The tape of all connections that agreed to this, made for the first. */
const struct tape *tape_for(const struct agreement *agreement);

/* The frame that is sent after this one. */
size_t frame_after(const struct tape *tape, size_t frame);

size_t frame_size(const struct tape *tape, size_t frame);

/* What the frame has to come back as. */
const uint8_t *payload_of(const struct tape *tape, size_t frame);

/* The place in `bytes` where to send on after `at`. */
size_t wrapped(const struct tape *tape, size_t at);

/* Bytes from `at` to the end of the frame there; 0 where one begins. */
size_t rest_of_frame(const struct tape *tape, size_t at);

#endif
