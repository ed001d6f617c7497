/* A handshake counts when it is complete, with its echo unless there is none. The reset after it leaves no port behind
 * in TIME_WAIT. TLS sessions are not resumed: each handshake is a full one. */
#include <stdio.h>

#include "connections.h"
#include "failure.h"
#include "modes.h"
#include "options.h"
#include "window.h"

static uint64_t handshakes; /* since the window opened */
static uint64_t serial;     /* of the next connection */
static uint64_t going_on = 1;

static void complete(struct connection *c)
{
    handshakes++;
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
    handlers = (struct handlers){.opened = opened, .echoed = echoed, .closed = closed};
    sample_every = 1;
    for (int i = 0; i < options.connections; i++)
        connection_open(&connections[i], serial++);
    serve_until(now() + (uint64_t)(options.warm_up * SECOND), &going_on);
    handshakes = 0;
    struct window at_opening = open_window();
    serve_until(at_opening.nanoseconds + (uint64_t)(options.seconds * SECOND), &going_on);
    struct window window = close_window(&at_opening);
    if (!handshakes)
        fail("no handshake was complete while the window was open");
    report(&window);
}
