/* The line on stdout says that all connections are open, and used. They are held until standard input ends; the
 * server's pings are answered meanwhile, and a connection that ends is an error. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "connections.h"
#include "failure.h"
#include "modes.h"
#include "options.h"
#include "window.h"

enum { EVENTS_AT_A_TIME = 256, LONGEST_HOLD_SECONDS = 3600 };

static void opened(struct connection *c)
{
    if (!options.used_once) {
        connection_settled();
        return;
    }
    connection_queue(c);
    connection_flush(c);
}

/* No more will be inflated. */
static void echoed(struct connection *c, uint64_t time)
{
    (void)time;
    close_inflater(c->inflater);
    c->inflater = NULL;
    connection_settled();
}

static bool input_ended(void)
{
    char dropped[256];
    return read(STDIN_FILENO, dropped, sizeof dropped) <= 0;
}

static void hold(void)
{
    struct pollfd awaited[] = {
        {.fd = STDIN_FILENO, .events = POLLIN},
        {.fd = epoll_descriptor(), .events = POLLIN},
    };
    uint64_t end = now() + LONGEST_HOLD_SECONDS * SECOND;

    while (now() < end) {
        if (poll(awaited, 2, 1000) < 0 && errno != EINTR)
            fail("poll: %s", strerror(errno));
        if (awaited[1].revents)
            serve(0, EVENTS_AT_A_TIME);
        if (awaited[0].revents && input_ended())
            return;
    }
    fail("held for %d seconds, and standard input has not ended", LONGEST_HOLD_SECONDS);
}

void run_idle(void)
{
    handlers = (struct handlers){.opened = opened, .echoed = echoed};
    sample_every = 1;
    open_connections();
    printf("{\"size\": %zu, \"used_once\": %s, ", options.size, options.used_once ? "true" : "false");
    print_terms();
    printf("}\n");
    fflush(stdout);
    hold();
    close_connections();
}
