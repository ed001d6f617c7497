/* A handshake counts when it is complete, with its echo unless there is none. The reset after it leaves no port behind
 * in TIME_WAIT. TLS sessions are not resumed: each handshake is a full one. The window stays open for at least as many
 * as there are connections. */
#include <stdio.h>

#include "connections.h"
#include "failure.h"
#include "modes.h"
#include "options.h"
#include "window.h"

static uint64_t handshakes; /* since the window opened */
static uint64_t missing;    /* those without which the window does not close */
static uint64_t serial;     /* of the next connection */

static void complete(struct connection *c)
{
    handshakes++;
    missing -= missing > 0;
    connection_reset(c);
}

static void opened(struct connection *c)
{
    if (!options.echo) {
        complete(c);
        return;
    }
    connection_queue(c);
    connection_flush(c);
}

static void echoed(struct connection *c, uint64_t time)
{
    (void)time;
    complete(c);
}

static void closed(struct connection *c)
{
    connection_open(c, serial++);
}

static void report(const struct window *window)
{
    double seconds = in_seconds(window->nanoseconds);

    printf("{\"handshakes\": %llu, \"seconds\": %.6f, \"handshakes_per_second\": %.1f, ",
           (unsigned long long)handshakes, seconds, handshakes / seconds);
    print_cpu(window);
    printf(", \"server_cpu_us_per_handshake\": %.3f, \"echo\": %s, ",
           in_seconds(window->server_cpu) * 1e6 / handshakes, options.echo ? "true" : "false");
    print_terms();
    printf("}\n");
}

void run_handshakes(void)
{
    static const uint64_t always = 1;

    handlers = (struct handlers){.opened = opened, .echoed = echoed, .closed = closed};
    sample_every = 1;
    for (int i = 0; i < options.connections; i++)
        connection_open(&connections[i], serial++);
    serve_until(now() + (uint64_t)(options.warm_up * SECOND), &always);
    handshakes = 0;
    missing = options.connections;
    struct window at_opening = open_window();
    serve_until(at_opening.nanoseconds + (uint64_t)(options.seconds * SECOND), &always);
    serve_until(now() + PATIENCE_SECONDS * SECOND, &missing);
    struct window window = close_window(&at_opening);
    if (missing)
        fail("the window was open for %.0f seconds, and %llu handshakes were complete", in_seconds(window.nanoseconds),
             (unsigned long long)handshakes);
    report(&window);
}
