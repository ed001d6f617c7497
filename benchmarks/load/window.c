#include "window.h"

#include <stdio.h>

#include "clock.h"
#include "connection.h"
#include "options.h"

struct window open_window(void)
{
    return (struct window){
        .nanoseconds = now(),
        .server_cpu = cpu_time(options.pids, options.pid_count),
        .client_cpu = own_cpu_time(),
        .payload_bytes = payload_bytes_received,
        .wire_bytes = wire_bytes_received,
    };
}

struct window close_window(const struct window *opened)
{
    struct window window = open_window();

    window.nanoseconds -= opened->nanoseconds;
    window.server_cpu -= opened->server_cpu;
    window.client_cpu -= opened->client_cpu;
    window.payload_bytes -= opened->payload_bytes;
    window.wire_bytes -= opened->wire_bytes;
    return window;
}

double in_seconds(uint64_t nanoseconds)
{
    return (double)nanoseconds / SECOND;
}

void print_cpu(const struct window *window)
{
    printf("\"server_cpu_seconds\": %.9f, \"client_cpu_seconds\": %.9f", in_seconds(window->server_cpu),
           in_seconds(window->client_cpu));
}

/* A JSON string or null. What a peer wrote is in it. */
static void print_text(const char *text)
{
    if (!text || !*text) {
        printf("null");
        return;
    }
    putchar('"');
    for (; *text; text++)
        printf(*text < ' ' || *text == '"' || *text == '\\' || *text > '~' ? "\\u%04x" : "%c", (unsigned char)*text);
    putchar('"');
}

void print_terms(void)
{
    printf("\"connections\": %d, \"extensions\": ", options.connections);
    print_text(extensions);
    if (options.deflate)
        printf(", \"declined\": %llu, \"echoes_compressed\": %s", (unsigned long long)declined,
               uncompressed_echoes ? "false" : compressed_echoes ? "true" : "null");
    printf(", \"tls\": ");
    print_text(tls);
}
