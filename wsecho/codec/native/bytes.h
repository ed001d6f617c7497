/* Loops over payload bytes: unmasking and UTF-8 validation. They use nothing of Python, so that tests and fuzzers can
 * run them alone. */
#ifndef WSECHO_BYTES_H
#define WSECHO_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t wsecho_load8(const uint8_t *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

/* Returns eight bytes of masking key, in memory order, for the payload from byte `offset` on. The lowest byte of `mask`
 * masks byte 0. */
static inline uint64_t wsecho_key(uint32_t mask, size_t offset)
{
    const unsigned rotation = 8 * (offset & 3);
    const uint64_t twice = (uint64_t)mask << 32 | mask;
    const uint64_t key = rotation ? twice >> rotation | twice << (64 - rotation) : twice;

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_bswap64(key);
#else
    return key;
#endif
}

/* Defines a function that unmasks whole blocks of a vector type, two at a time, and returns the number of bytes that it
 * unmasked. It ORs all of them into `seen`, eight bytes at a time. */
#define WSECHO_UNMASK_BLOCKS(name, attributes, block_type)                                                            \
    attributes static size_t name(uint8_t *to, const uint8_t *from, size_t count, uint64_t key, uint64_t *seen)       \
    {                                                                                                                  \
        block_type keys, first, second, some = {0}, others = {0};                                                     \
        size_t i, bytes = 0;                                                                                           \
                                                                                                                       \
        for (i = 0; i < sizeof keys; i += sizeof key)                                                                  \
            memcpy((uint8_t *)&keys + i, &key, sizeof key);                                                            \
        for (; bytes + 2 * sizeof keys <= count; bytes += 2 * sizeof keys) {                                           \
            memcpy(&first, from + bytes, sizeof first);                                                                \
            memcpy(&second, from + bytes + sizeof first, sizeof second);                                               \
            first ^= keys;                                                                                             \
            second ^= keys;                                                                                            \
            some |= first;                                                                                             \
            others |= second;                                                                                          \
            memcpy(to + bytes, &first, sizeof first);                                                                  \
            memcpy(to + bytes + sizeof first, &second, sizeof second);                                                 \
        }                                                                                                              \
        some |= others;                                                                                                \
        for (i = 0; i < sizeof some; i += sizeof key)                                                                  \
            *seen |= wsecho_load8((const uint8_t *)&some + i);                                                         \
        return bytes;                                                                                                  \
    }

#if defined(__GNUC__)
typedef uint64_t wsecho_16_bytes __attribute__((vector_size(16)));
WSECHO_UNMASK_BLOCKS(wsecho_unmask_blocks, , wsecho_16_bytes)
#endif
#if defined(__GNUC__) && defined(__x86_64__)
#define WSECHO_HAS_AVX2
typedef uint64_t wsecho_32_bytes __attribute__((vector_size(32)));
WSECHO_UNMASK_BLOCKS(wsecho_unmask_blocks_avx2, __attribute__((target("avx2"))), wsecho_32_bytes)
#endif

/* Payloads shorter than this many bytes gain nothing from the wider registers. */
enum { WSECHO_LONG = 128 };

/* Copies `count` bytes from `from` to `to`, XORed with `mask`, whose lowest byte comes first (RFC 6455 section 5.3).
 * `to` may be before `from` in the same buffer: each block is loaded before any byte at or after it is stored. Bytes
 * left over after the whole words are unmasked as one more word, which overlaps the last whole one and is loaded before
 * anything is stored.
 * Returns whether all unmasked bytes are ASCII. This costs almost nothing here and spares most texts a second pass. */
static inline int wsecho_unmask(uint8_t *to, const uint8_t *from, size_t count, uint32_t mask)
{
    const uint64_t key = wsecho_key(mask, 0);
    const uint64_t high_bits = 0x8080808080808080u;
    uint64_t word, last, seen = 0;
    size_t i = 0;

    if (count < sizeof word) {
        for (; i < count; i++) {
            to[i] = from[i] ^ (uint8_t)(mask >> 8 * (i & 3));
            seen |= to[i];
        }
        return !(seen & 0x80);
    }
    last = wsecho_load8(from + count - sizeof last) ^ wsecho_key(mask, count);
#if defined(WSECHO_HAS_AVX2)
    if (count >= WSECHO_LONG && __builtin_cpu_supports("avx2"))
        i = wsecho_unmask_blocks_avx2(to, from, count, key, &seen);
    else
#endif
#if defined(__GNUC__)
        i = wsecho_unmask_blocks(to, from, count, key, &seen);
#endif
    for (; i + sizeof word <= count; i += sizeof word) {
        word = wsecho_load8(from + i) ^ key;
        seen |= word;
        memcpy(to + i, &word, sizeof word);
    }
    memcpy(to + count - sizeof last, &last, sizeof last);
    return !((seen | last) & high_bits);
}

/* Returns how many bytes from `text` on are ASCII. */
static inline size_t wsecho_ascii(const uint8_t *text, size_t count)
{
    const uint64_t high_bits = 0x8080808080808080u;
    uint64_t words[8];
    size_t i;

    for (i = 0; i + sizeof words <= count; i += sizeof words) {
        memcpy(words, text + i, sizeof words);
        if ((words[0] | words[1] | words[2] | words[3] | words[4] | words[5] | words[6] | words[7]) & high_bits)
            break;
    }
    for (; i + 8 <= count; i += 8) {
        if (wsecho_load8(text + i) & high_bits)
            break;
    }
    /* The bytes that are left, together with some that have already been checked. */
    if (i + 8 > count && count >= 8 && !(wsecho_load8(text + count - 8) & high_bits))
        return count;
    while (i < count && text[i] < 0x80)
        i++;
    return i;
}

/* For each state of the UTF-8 automaton: the range of valid next bytes, and the state after one of them (RFC 3629
 * section 4). The states are those of wsecho/websocket/receive_buffer.py: 0 is complete, 1 is invalid, and every
 * other one stands for what is missing of a character. */
static const struct {
    uint8_t low, high, following;
} wsecho_next_byte[] = {
    {0, 0, 0},       {1, 0, 1},       {0x80, 0xBF, 0}, {0x80, 0xBF, 2}, {0x80, 0xBF, 3},
    {0xA0, 0xBF, 2}, {0x80, 0x9F, 2}, {0x90, 0xBF, 3}, {0x80, 0x8F, 3},
};

/* Returns the state after `byte`, which is the first of a character and not ASCII. */
static inline int wsecho_after_lead(uint8_t byte)
{
    if (byte < 0xC2 || byte > 0xF4)
        return 1;
    if (byte < 0xE0)
        return 2;
    if (byte < 0xF0)
        return byte == 0xE0 ? 5 : byte == 0xED ? 6 : 3;
    return byte == 0xF0 ? 7 : byte == 0xF4 ? 8 : 4;
}

static inline int wsecho_validate_utf8(const uint8_t *text, size_t count, int state)
{
    size_t i = 0;

    while (i < count && state != 1) {
        if (state == 0 && text[i] < 0x80) {
            i += wsecho_ascii(text + i, count - i);
            continue;
        }
        if (state == 0)
            state = wsecho_after_lead(text[i]);
        else if (text[i] < wsecho_next_byte[state].low || text[i] > wsecho_next_byte[state].high)
            state = 1;
        else
            state = wsecho_next_byte[state].following;
        i++;
    }
    return state;
}

#endif
