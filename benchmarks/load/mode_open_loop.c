/* Message number n is due n / RATE seconds after the start, on connection n % CONNECTIONS, and is sent then whether
 * earlier ones have been echoed or not. Its latency runs from when it was due until its echo was read: what a server,
 * or this program, delays is counted for every message that had to wait (no "coordinated omission"). How late this
 * program itself was is reported beside it. */
#include <stdio.h>

#include "connections.h"
#include "failure.h"
#include "histogram.h"
#include "modes.h"
#include "options.h"
#include "window.h"

enum {
    SPIN_NANOSECONDS = 60 * 1000, /* before a message is due, the program looks at the clock instead of sleeping */
    EVENTS_BETWEEN = 2,           /* served before it looks again whether a message is due */
};

static uint64_t start, window_start, window_end;
static double period;          /* nanoseconds */
static uint64_t sent, awaited; /* messages since the start */
static uint64_t arrived;       /* while the window was open */
static struct histogram latency, lateness;

static void opened(struct connection *c)
{
    (void)c;
    connection_settled();
}

static uint64_t due(uint64_t message)
{
    return start + (uint64_t)(message * period);
}

static bool in_window(uint64_t time)
{
    return time >= window_start && time < window_end;
}

static void echoed(struct connection *c, uint64_t time)
{
    uint64_t was_due = due((c->echoes - 1) * options.connections + c->index);

    awaited--;
    arrived += in_window(time);
    if (in_window(was_due))
        record_span(&latency, time - was_due);
}

/* All that are due and belong to the time before the window's end. */
static void send_due(void)
{
    uint64_t time;

    for (; due(sent) < window_end && due(sent) <= (time = now()); sent++) {
        struct connection *c = &connections[sent % options.connections];
        if (in_window(due(sent)))
            record_span(&lateness, time - due(sent));
        awaited++;
        connection_queue(c);
        connection_flush(c);
    }
}

/* Send and receive until `time`. */
static void run_until(uint64_t time)
{
    for (uint64_t at; (at = now()) < time;) {
        send_due();
        uint64_t next = due(sent) < time ? due(sent) : time;
        at = now();
        serve(next > at + SPIN_NANOSECONDS ? next - at - SPIN_NANOSECONDS : 0, EVENTS_BETWEEN);
    }
}

static void report(const struct window *window)
{
    printf("{\"rate\": %.1f, \"rate_achieved\": %.1f, \"seconds\": %.6f, \"messages\": %llu, \"latency_us\": ",
           options.rate, arrived / options.seconds, in_seconds(window->nanoseconds),
           (unsigned long long)latency.total);
    print_histogram(&latency);
    printf(", \"sends_late\": {\"max_us\": %llu, \"p99_us\": %llu}, ", (unsigned long long)lateness.highest,
           (unsigned long long)percentile(&lateness, 990));
    print_cpu(window);
    printf(", \"size\": %zu, \"payload\": \"%s\", ", options.size, payload_name());
    print_terms();
    printf("}\n");
}

void run_open_loop(void)
{
    handlers = (struct handlers){.opened = opened, .echoed = echoed};
    open_connections();
    period = SECOND / options.rate;
    start = now();
    window_start = start + (uint64_t)(options.warm_up * SECOND);
    window_end = window_start + (uint64_t)(options.seconds * SECOND);
    run_until(window_start);
    struct window at_opening = open_window();
    run_until(window_end);
    struct window window = close_window(&at_opening);
    send_due();
    serve_until(now() + PATIENCE_SECONDS * SECOND, &awaited);
    if (awaited)
        fail("%llu echoes are missing", (unsigned long long)awaited);
    report(&window);
    close_connections();
}
