#include "frame.h"

#include <string.h>

static size_t write_header(uint8_t *to, uint8_t first, uint64_t length)
{
    int extended = length < 126 ? 0 : length < 65536 ? 2 : 8;

    to[0] = first;
    to[1] = MASKED | (extended == 0 ? length : extended == 2 ? 126 : 127);
    for (int i = 0; i < extended; i++)
        to[2 + i] = length >> 8 * (extended - 1 - i);
    return 2 + extended;
}

size_t write_frame(uint8_t *to, uint8_t first, const uint8_t mask[MASK_BYTES], const uint8_t *payload, size_t length)
{
    size_t header = write_header(to, first, length);
    uint8_t *masked = to + header + MASK_BYTES;

    memcpy(to + header, mask, MASK_BYTES);
    for (size_t i = 0; i < length; i++)
        masked[i] = payload[i] ^ mask[i % MASK_BYTES];
    return header + MASK_BYTES + length;
}

size_t header_bytes(uint8_t second)
{
    return (second & 0x7f) < 126 ? 2 : (second & 0x7f) == 126 ? 4 : 10;
}

uint64_t announced_length(const uint8_t *header)
{
    size_t extended = header_bytes(header[1]) - 2;
    uint64_t length = extended ? 0 : header[1] & 0x7f;

    for (size_t i = 0; i < extended; i++)
        length = length << 8 | header[2 + i];
    return length;
}
