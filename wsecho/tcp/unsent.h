/* The bytes of a transport that its socket has not taken yet, in chunks.
 *
 * One contiguous buffer would have to grow by copying: for a moment, a slow reader would take twice its memory.
 */
#ifndef WSECHO_UNSENT_H
#define WSECHO_UNSENT_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

/* A chunk has room for the bytes that it was made for, within these limits. Later bytes fill it up first. */
#define WSECHO_SMALLEST_CHUNK ((size_t)1024)
#define WSECHO_LARGEST_CHUNK ((size_t)60 * 1024)
/* Chunks that one system call sends. */
#define WSECHO_CHUNKS_AT_ONCE 16

struct wsecho_chunk {
    struct wsecho_chunk *next;
    size_t start, stop, capacity;
    char data[];
};

/* All zero: there are no unsent bytes. */
struct wsecho_unsent {
    struct wsecho_chunk *first, *last;
    size_t size;
};

static inline struct wsecho_chunk *wsecho_add_chunk(struct wsecho_unsent *unsent, size_t size)
{
    size_t least = size > WSECHO_SMALLEST_CHUNK ? size : WSECHO_SMALLEST_CHUNK;
    size_t capacity = least < WSECHO_LARGEST_CHUNK ? least : WSECHO_LARGEST_CHUNK;
    struct wsecho_chunk *chunk = malloc(sizeof *chunk + capacity);

    if (chunk) {
        chunk->next = NULL;
        chunk->start = chunk->stop = 0;
        chunk->capacity = capacity;
        *(unsent->last ? &unsent->last->next : &unsent->first) = chunk;
        unsent->last = chunk;
    }
    return chunk;
}

/* Copy `size` bytes behind the others. Return -1 if there is not enough memory for all of them. */
static inline int wsecho_keep(struct wsecho_unsent *unsent, const char *data, size_t size)
{
    while (size) {
        struct wsecho_chunk *chunk = unsent->last;
        size_t room;

        if (!chunk || chunk->stop == chunk->capacity)
            chunk = wsecho_add_chunk(unsent, size);
        if (!chunk)
            return -1;
        room = chunk->capacity - chunk->stop;
        if (room > size)
            room = size;
        memcpy(chunk->data + chunk->stop, data, room);
        chunk->stop += room;
        unsent->size += room;
        data += room;
        size -= room;
    }
    return 0;
}

/* Drop the first `count` bytes. */
static inline void wsecho_drop(struct wsecho_unsent *unsent, size_t count)
{
    unsent->size -= count;
    while (count) {
        struct wsecho_chunk *chunk = unsent->first;

        if (chunk->stop - chunk->start > count) {
            chunk->start += count;
            return;
        }
        count -= chunk->stop - chunk->start;
        unsent->first = chunk->next;
        if (!unsent->first)
            unsent->last = NULL;
        free(chunk);
    }
}

/* Send what the socket takes without waiting. Return -1, with `errno`, if the connection is broken. */
static inline int wsecho_send(struct wsecho_unsent *unsent, int descriptor)
{
    while (unsent->size) {
        struct iovec pieces[WSECHO_CHUNKS_AT_ONCE];
        struct msghdr message = {.msg_iov = pieces};
        struct wsecho_chunk *chunk = unsent->first;
        size_t offered = 0;
        ssize_t sent;

        for (; chunk && message.msg_iovlen < WSECHO_CHUNKS_AT_ONCE; chunk = chunk->next, message.msg_iovlen++) {
            pieces[message.msg_iovlen].iov_base = chunk->data + chunk->start;
            pieces[message.msg_iovlen].iov_len = chunk->stop - chunk->start;
            offered += chunk->stop - chunk->start;
        }
        sent = sendmsg(descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        wsecho_drop(unsent, (size_t)sent);
        if ((size_t)sent < offered)
            return 0;
    }
    return 0;
}

#endif
