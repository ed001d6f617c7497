/* SHA-1 (RFC 3174), for the proof that a handshake was read (RFC 6455 section 4.2.2). Nothing secret depends on it. It
 * uses nothing of Python, so that fuzzers can run it alone. */
#ifndef WSECHO_SHA1_H
#define WSECHO_SHA1_H

#include <stddef.h>
#include <stdint.h>

#define WSECHO_SHA1_BLOCK 64
#define WSECHO_SHA1_DIGEST 20

/* Section 3(c): the circular left shift. */
static inline uint32_t wsecho_sha1_rotated(uint32_t word, int bits)
{
    return word << bits | word >> (32 - bits);
}

static inline uint32_t wsecho_sha1_load(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static inline void wsecho_sha1_store(uint8_t *to, uint32_t word)
{
    to[0] = (uint8_t)(word >> 24);
    to[1] = (uint8_t)(word >> 16);
    to[2] = (uint8_t)(word >> 8);
    to[3] = (uint8_t)word;
}

/* The functions of section 5, for the steps 0 to 19, 20 to 39 and 60 to 79, and 40 to 59. */
#define WSECHO_SHA1_CHOICE(b, c, d) ((d) ^ ((b) & ((c) ^ (d))))
#define WSECHO_SHA1_PARITY(b, c, d) ((b) ^ (c) ^ (d))
#define WSECHO_SHA1_MAJORITY(b, c, d) (((b) & (c)) | ((d) & ((b) | (c))))

/* Section 6.1, step d. Instead of moving the variables, each step gets them under other names. */
#define WSECHO_SHA1_STEP(function, constant, a, b, c, d, e, word)                                                     \
    e += wsecho_sha1_rotated(a, 5) + function(b, c, d) + (constant) + (word);                                         \
    b = wsecho_sha1_rotated(b, 30);

/* Twenty steps, from step `first` on. After five, each variable has its own name again. */
#define WSECHO_SHA1_STEPS(function, constant, first)                                                                  \
    for (t = (first); t < (first) + 20; t += 5) {                                                                      \
        WSECHO_SHA1_STEP(function, constant, a, b, c, d, e, words[t])                                                  \
        WSECHO_SHA1_STEP(function, constant, e, a, b, c, d, words[t + 1])                                              \
        WSECHO_SHA1_STEP(function, constant, d, e, a, b, c, words[t + 2])                                              \
        WSECHO_SHA1_STEP(function, constant, c, d, e, a, b, words[t + 3])                                              \
        WSECHO_SHA1_STEP(function, constant, b, c, d, e, a, words[t + 4])                                              \
    }

/* Section 6.1: adds one block to the hash. */
static inline void wsecho_sha1_add(uint32_t hash[5], const uint8_t block[WSECHO_SHA1_BLOCK])
{
    uint32_t words[80];
    uint32_t a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4];
    int t;

    for (t = 0; t < 16; t++)
        words[t] = wsecho_sha1_load(block + 4 * t);
    for (; t < 80; t++)
        words[t] = wsecho_sha1_rotated(words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16], 1);
    WSECHO_SHA1_STEPS(WSECHO_SHA1_CHOICE, 0x5A827999, 0)
    WSECHO_SHA1_STEPS(WSECHO_SHA1_PARITY, 0x6ED9EBA1, 20)
    WSECHO_SHA1_STEPS(WSECHO_SHA1_MAJORITY, 0x8F1BBCDC, 40)
    WSECHO_SHA1_STEPS(WSECHO_SHA1_PARITY, 0xCA62C1D6, 60)
    hash[0] += a;
    hash[1] += b;
    hash[2] += c;
    hash[3] += d;
    hash[4] += e;
}

/* Writes the digest of `count` blocks to `digest`. They must end with the padding of section 4. */
static inline void wsecho_sha1(uint8_t digest[WSECHO_SHA1_DIGEST], const uint8_t *blocks, size_t count)
{
    uint32_t hash[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    size_t index;

    for (index = 0; index < count; index++)
        wsecho_sha1_add(hash, blocks + index * WSECHO_SHA1_BLOCK);
    for (index = 0; index < 5; index++)
        wsecho_sha1_store(digest + 4 * index, hash[index]);
}

#endif
