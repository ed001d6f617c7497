/* Every connection keeps its messages in flight: the first ones leave in one write, afterwards every echo is replaced
 * by a new message, and all that one read brought are replaced by one write. The window stays open for at least as
 * many echoes as there are connections: long messages come in waves. When it has closed, every message still in
 * flight is awaited. */
#include <stdio.h>
#include <string.h>

#include "connections.h"
#include "failure.h"
#include "histogram.h"
#include "modes.h"
#include "options.h"
#include "window.h"

static bool refill = true; /* replace each echo by a new message */
static uint64_t awaited;   /* messages in flight over all connections */
static uint64_t messages;  /* echoes since the window opened */
static uint64_t missing;   /* echoes without which the window does not close */
static struct histogram latency;

static void opened(struct connection *c)
{
    c->sent_at = allocate(options.in_flight, sizeof *c->sent_at);
    connection_settled();
}

static void echoed(struct connection *c, uint64_t time)
{
    uint64_t *sent_at = &c->sent_at[(c->echoes - 1) % options.in_flight];

    record_span(&latency, time - *sent_at);
    *sent_at = time;
    messages++;
    missing -= missing > 0;
    if (refill)
        connection_queue(c);
    else
        awaited--;
}

static void send_first_messages(void)
{
    for (int i = 0; i < options.connections; i++) {
        struct connection *c = &connections[i];
        for (size_t j = 0; j < options.in_flight; j++) {
            c->sent_at[j] = now();
            connection_queue(c);
        }
        connection_flush(c);
    }
    awaited = options.connections * options.in_flight;
}

static void report(const struct window *window, uint64_t measured, const struct histogram *measured_latency)
{
    double seconds = in_seconds(window->nanoseconds);

    printf("{\"messages\": %llu, \"seconds\": %.6f, \"messages_per_second\": %.1f, \"payload_bytes\": %llu, ",
           (unsigned long long)measured, seconds, measured / seconds, (unsigned long long)window->payload_bytes);
    print_cpu(window);
    printf(", \"wire_bytes_received_per_message\": %.2f, \"latency_us\": ", (double)window->wire_bytes / measured);
    print_histogram(measured_latency);
    printf(", \"size\": %zu, \"in_flight\": %zu, \"payload\": \"%s\", ", options.size, options.in_flight,
           payload_name());
    print_terms();
    printf("}\n");
}

void run_echo(void)
{
    static struct histogram measured_latency;

    handlers = (struct handlers){.opened = opened, .echoed = echoed};
    open_connections();
    send_first_messages();
    serve_until(now() + (uint64_t)(options.warm_up * SECOND), &awaited);

    messages = 0;
    missing = options.connections;
    memset(&latency, 0, sizeof latency);
    struct window at_opening = open_window();
    serve_until(at_opening.nanoseconds + (uint64_t)(options.seconds * SECOND), &awaited);
    serve_until(now() + PATIENCE_SECONDS * SECOND, &missing);
    struct window window = close_window(&at_opening);
    uint64_t measured = messages;
    measured_latency = latency;
    if (missing)
        fail("the window was open for %.0f seconds, and %llu echoes were complete", in_seconds(window.nanoseconds),
             (unsigned long long)measured);

    refill = false;
    serve_until(now() + PATIENCE_SECONDS * SECOND, &awaited);
    if (awaited)
        fail("%llu echoes are missing", (unsigned long long)awaited);
    report(&window, measured, &measured_latency);
    close_connections();
}
