/* Fuzzes the loops of wsecho/codec/native/bytes.h by comparing them with naive implementations.
 *
 * With libFuzzer:  clang -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Iwsecho/codec/native \
 *                      fuzz/bytes_fuzzer.c -o build/bytes_fuzzer && build/bytes_fuzzer -max_total_time=30
 * Without:         gcc -DREPLAY -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -Iwsecho/codec/native \
 *                      fuzz/bytes_fuzzer.c -o build/bytes_fuzzer && build/bytes_fuzzer [FILE ...]
 *
 * These properties must hold: unmasking equals XOR byte by byte, at every alignment and shift, and writes no other
 * bytes. The UTF-8 automaton agrees with a decoder that computes code points. The results are the same if the data is
 * processed in two pieces, wherever it is split.
 */
#include "bytes.h"

#include <stdio.h>
#include <stdlib.h>

/* The loops read blocks of at most 64 bytes. Alignments below 64 and longer inputs therefore cover every path. */
#define LONGEST 4096
#define ALIGNMENTS 64
#define GUARD 0xA5

enum { COMPLETE = 0, INVALID = 1 };

static void require(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

static uint8_t mask_byte(uint32_t mask, size_t position)
{
    return (uint8_t)(mask >> 8 * (position % 4));
}

/* The mask for the byte after `count` bytes, as wsecho/websocket/receive_buffer.py computes it between two pieces. */
static uint32_t rotated(uint32_t mask, size_t count)
{
    unsigned bits = 8 * (count % 4);

    return bits ? mask >> bits | mask << (32 - bits) : mask;
}

/* Unmask `count` bytes and move them `shift` bytes down, to offset `alignment` of a buffer of the exact size. */
static void check_unmask(const uint8_t *payload, size_t count, uint32_t mask, size_t alignment, size_t shift, size_t cut)
{
    size_t size = alignment + shift + count, i;
    int ascii, high_bits = 0;
    uint8_t *buffer = malloc(size + 1);

    require(buffer != NULL, "there is memory");
    memset(buffer, GUARD, size + 1);
    memcpy(buffer + alignment + shift, payload, count);
    ascii = wsecho_unmask(buffer + alignment, buffer + alignment + shift, cut, mask);
    ascii &= wsecho_unmask(buffer + alignment + cut, buffer + alignment + shift + cut, count - cut, rotated(mask, cut));
    for (i = 0; i < alignment; i++)
        require(buffer[i] == GUARD, "nothing before the target is touched");
    for (i = 0; i < count; i++) {
        require(buffer[alignment + i] == (payload[i] ^ mask_byte(mask, i)), "unmasking is XOR");
        high_bits |= buffer[alignment + i] & 0x80;
    }
    require(ascii == !high_bits, "what is called ASCII is, and nothing else");
    for (i = count; i < shift + count; i++)
        require(buffer[alignment + i] == (i < shift ? GUARD : payload[i - shift]), "nothing after the target is touched");
    require(buffer[size] == GUARD, "nothing after the source is touched");
    free(buffer);
}

/* The number of bytes of the character at `text`, by its code point (RFC 3629 section 3). 0 if it is invalid, -1 if it
 * is incomplete but may become valid. */
static int character(const uint8_t *text, size_t count)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t low, high, continuation_bits = 0x3F;
    int length = text[0] < 0x80 ? 1 : text[0] >> 5 == 6 ? 2 : text[0] >> 4 == 14 ? 3 : text[0] >> 3 == 30 ? 4 : 0, i;

    if (length < 2)
        return length;
    /* All code points that can begin with these bytes are in [low, high]. */
    low = high = text[0] & (0xFF >> (length + 1));
    for (i = 1; i < length; i++) {
        if ((size_t)i < count && text[i] >> 6 != 2)
            return 0;
        low = low << 6 | ((size_t)i < count ? text[i] & continuation_bits : 0);
        high = high << 6 | ((size_t)i < count ? text[i] & continuation_bits : continuation_bits);
    }
    if (high < smallest[length] || low > 0x10FFFF || (low >= 0xD800 && high <= 0xDFFF))
        return 0;
    return (size_t)length <= count ? length : -1;
}

/* COMPLETE, INVALID, or 2 if the text ends inside a character. */
static int naive_utf8(const uint8_t *text, size_t count)
{
    size_t i = 0;
    int length;

    while (i < count) {
        length = character(text + i, count - i);
        if (length <= 0)
            return length == 0 ? INVALID : 2;
        i += (size_t)length;
    }
    return COMPLETE;
}

static void check_utf8(const uint8_t *text, size_t count, size_t cut)
{
    int whole, pieces;
    size_t ascii;
    /* Copies of exactly the size needed, so that AddressSanitizer detects a read beyond the end. */
    uint8_t *first = malloc(cut + !cut), *second = malloc(count - cut + !(count - cut));

    require(first != NULL && second != NULL, "there is memory");
    memcpy(first, text, cut);
    memcpy(second, text + cut, count - cut);
    whole = wsecho_validate_utf8(text, count, COMPLETE);
    pieces = wsecho_validate_utf8(second, count - cut, wsecho_validate_utf8(first, cut, COMPLETE));
    require(whole == pieces, "text comes out the same in two pieces");
    require((whole > INVALID ? 2 : whole) == naive_utf8(text, count), "the automaton equals the decoder");
    ascii = wsecho_ascii(second, count - cut);
    require(ascii <= count - cut && (ascii == count - cut || second[ascii] >= 0x80), "ASCII ends where it ends");
    while (ascii > 0)
        require(second[--ascii] < 0x80, "ASCII is ASCII");
    free(first);
    free(second);
}

/* An input has four bytes of mask, one for the alignment, one for the shift, and two for the cut. The rest is used as
 * payload and as text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t mask;
    size_t count, cut;

    if (size < 8 || size > LONGEST)
        return 0;
    memcpy(&mask, data, sizeof mask);
    count = size - 8;
    cut = ((size_t)data[6] << 8 | data[7]) % (count + 1);
    check_unmask(data + 8, count, mask, data[4] % ALIGNMENTS, data[5], cut);
    check_utf8(data + 8, count, cut);
    return 0;
}

#ifdef REPLAY
static uint32_t seed = 1;

static uint8_t random_byte(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint8_t)(seed >> 24);
}

/* Tests every length up to 300 at every alignment. */
static void sweep_unmask(void)
{
    uint8_t payload[300];
    size_t count, alignment;

    for (count = 0; count < sizeof payload; count++)
        payload[count] = random_byte();
    for (count = 0; count <= sizeof payload; count++)
        for (alignment = 0; alignment < ALIGNMENTS; alignment++)
            check_unmask(payload, count, 0x5AFE8001u, alignment, alignment % 15, random_byte() % (count + 1));
}

/* Tests every text of up to four bytes at which ranges of RFC 3629 begin or end, after up to 79 ASCII bytes. */
static void sweep_utf8(void)
{
    static const uint8_t edges[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
                                    0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
    const size_t count = sizeof edges;
    size_t which, ascii = 0;
    uint8_t text[80 + 4];

    memset(text, 'a', sizeof text);
    for (which = 0; which < count * count * count * count; which++) {
        ascii = (ascii + 1) % 80;
        text[ascii] = edges[which % count];
        text[ascii + 1] = edges[which / count % count];
        text[ascii + 2] = edges[which / count / count % count];
        text[ascii + 3] = edges[which / count / count / count];
        check_utf8(text, ascii + 1 + which % 4, ascii + which / 4 % (1 + which % 4));
        check_utf8(text, ascii + 4, ascii + which % 4);
        memset(text + ascii, 'a', 4);
    }
}

static void sweep_random(void)
{
    uint8_t data[512];
    size_t round, i, size;

    for (round = 0; round < 20000; round++) {
        size = 8 + (random_byte() << 1) % (sizeof data - 8);
        for (i = 0; i < size; i++)
            data[i] = round % 3 || i < 8 ? random_byte() : (uint8_t)(random_byte() % 0x80);
        LLVMFuzzerTestOneInput(data, size);
    }
}

int main(int count, char **names)
{
    static uint8_t data[LONGEST];
    int i;

    sweep_unmask();
    sweep_utf8();
    sweep_random();
    for (i = 1; i < count; i++) {
        FILE *file = fopen(names[i], "rb");

        require(file != NULL, names[i]);
        LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof data, file));
        fclose(file);
    }
    puts("bytes.h: all holds");
    return 0;
}
#endif
