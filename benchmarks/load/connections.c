#define _GNU_SOURCE
#include "connections.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "failure.h"
#include "options.h"

enum {
    OPENING_AT_A_TIME = 50, /* no more than the shortest usual backlog */
    EVENTS_PER_WAIT = 256,
    SPARE_DESCRIPTORS = 16,
};

struct connection *connections;

static int epoll_fd;
static uint64_t opened, unsettled;

int epoll_descriptor(void)
{
    return epoll_fd;
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    rlim_t needed = options.connections + SPARE_DESCRIPTORS;

    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < needed)
        fail("%d connections need %llu descriptors, and the hard limit is %llu", options.connections,
             (unsigned long long)needed, (unsigned long long)limit.rlim_max);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void make_connections(void)
{
    raise_descriptor_limit();
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        fail("epoll_create1: %s", strerror(errno));
    connections = allocate(options.connections, sizeof *connections);
    for (int i = 0; i < options.connections; i++)
        connections[i].index = i;
}

void watch_connection(struct connection *c, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    int operation = c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    if (epoll_ctl(epoll_fd, operation, c->transport.fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
}

static void open_next(void)
{
    connection_open(&connections[opened], opened);
    opened++;
    unsettled++;
}

void connection_settled(void)
{
    unsettled--;
    if (opened < (uint64_t)options.connections)
        open_next();
}

void open_connections(void)
{
    while (opened < (uint64_t)options.connections && unsettled < OPENING_AT_A_TIME)
        open_next();
    serve_until(UINT64_MAX, &unsettled);
}

int serve(uint64_t timeout, int most)
{
    struct epoll_event events[EVENTS_PER_WAIT];
    struct timespec time = {.tv_sec = timeout / SECOND, .tv_nsec = timeout % SECOND};
    int count = epoll_pwait2(epoll_fd, events, most < EVENTS_PER_WAIT ? most : EVENTS_PER_WAIT, &time, NULL);

    if (count < 0 && errno != EINTR)
        fail("epoll_pwait2: %s", strerror(errno));
    for (int i = 0; i < count; i++)
        connection_ready(events[i].data.ptr, events[i].events);
    return count;
}

void serve_until(uint64_t time, const uint64_t *awaited)
{
    for (uint64_t at; *awaited && (at = now()) < time;) {
        uint64_t stall = at + STALL_SECONDS * SECOND;
        if (!serve((time < stall ? time : stall) - at, EVENTS_PER_WAIT) && stall < time)
            fail("nothing came from the server for %d seconds", STALL_SECONDS);
    }
}

void close_connections(void)
{
    static const uint64_t patience = 2 * SECOND; /* a server that does not close is left alone */

    for (int i = 0; i < options.connections; i++)
        if (connections[i].state == OPEN)
            connection_close(&connections[i]);
    for (int open = options.connections; open;) {
        if (!serve(patience, EVENTS_PER_WAIT))
            return;
        open = 0;
        for (int i = 0; i < options.connections; i++)
            open += connections[i].state != CLOSED;
    }
}
