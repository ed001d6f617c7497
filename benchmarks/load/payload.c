#include "payload.h"

#include <stdio.h>
#include <string.h>

#include "options.h"

uint8_t plain_byte(size_t message, size_t i, bool text)
{
    uint32_t mixed = (uint32_t)(message * 7919 + i) * 2654435761u >> 24;
    return text ? ' ' + mixed % 95 : mixed;
}

/* xorshift64: the values in the JSON vary, but never from run to run. */
static unsigned draw(uint64_t *state, unsigned limit)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (*state >> 11) % limit;
}

/* One record as a service might log it: the names are always the same, the values are not. */
static int write_record(char *to, size_t room, uint64_t *state)
{
    static const char *const services[] = {"checkout", "search", "inventory", "payments", "profile", "shipping"};
    static const char *const levels[] = {"debug", "info", "warning", "error"};
    static const char *const words[] = {
        "order", "accepted", "retry",  "timeout", "upstream", "cache",  "miss", "user",
        "queue", "drained",  "socket", "closed",  "refund",   "issued", "slow", "query",
    };
    static const char *const regions[] = {"eu-north", "eu-west", "us-east", "ap-south"};
    unsigned drawn[16];

    for (int i = 0; i < 16; i++) /* not in the call: its arguments have no order */
        drawn[i] = draw(state, 1u << 31);
    int length = snprintf(
        to, room,
        "{\"id\":\"%08x%08x\",\"time\":\"2024-%02u-%02uT%02u:%02u:%02u.%03uZ\",\"level\":\"%s\",\"service\":\"%s\","
        "\"region\":\"%s\",\"durationMs\":%u.%02u,\"status\":%u,\"user\":{\"id\":%u,\"active\":%s},\"message\":\"",
        drawn[0], drawn[1], 1 + drawn[2] % 12, 1 + drawn[3] % 28, drawn[4] % 24, drawn[5] % 60, drawn[6] % 60,
        drawn[7] % 1000, levels[drawn[8] % 4], services[drawn[9] % 6], regions[drawn[10] % 4], drawn[11] % 900,
        drawn[12] % 100, 200 + drawn[13] % 304, drawn[14] % 1000000, drawn[15] % 2 ? "true" : "false");

    for (unsigned count = 3 + draw(state, 6); count; count--)
        length += snprintf(to + length, room - length, "%s%s", words[draw(state, 16)], count > 1 ? " " : "\"},");
    return length;
}

static void write_json(uint8_t *to, size_t message)
{
    uint64_t state = (message + 1) * 0x9E3779B97F4A7C15;
    char record[1024];

    to[0] = '[';
    for (size_t at = 1; at < options.size;) {
        size_t length = write_record(record, sizeof record, &state);
        size_t part = length < options.size - at ? length : options.size - at;
        memcpy(to + at, record, part);
        at += part;
    }
}

void write_payload(uint8_t *to, size_t message)
{
    if (options.payload == JSON) {
        write_json(to, message);
        return;
    }
    for (size_t i = 0; i < options.size; i++)
        to[i] = plain_byte(message, i, options.payload == TEXT);
}
