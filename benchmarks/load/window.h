/* The measured window: what was spent and received between its opening and its closing. */
#ifndef LOAD_WINDOW_H
#define LOAD_WINDOW_H

#include <stdint.h>

struct window {
    uint64_t nanoseconds, server_cpu, client_cpu; /* CPU time in nanoseconds, too */
    uint64_t payload_bytes, wire_bytes;           /* received */
};

/* A window that opens now: holds what the clocks and counters show. */
struct window open_window(void);

/* What was added since. */
struct window close_window(const struct window *opened);

double in_seconds(uint64_t nanoseconds);

/* The members of a JSON object that all modes have, first to last: the window's CPU times... */
void print_cpu(const struct window *window);

/* ...and what was asked for, and what the server agreed to. */
void print_terms(void);

#endif
