#define _GNU_SOURCE
#include "clock.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "failure.h"

static uint64_t read_clock(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time) < 0)
        fail("cannot read a clock: %s", strerror(errno));
    return time.tv_sec * SECOND + time.tv_nsec;
}

uint64_t now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t cpu_time(const pid_t *pids, int count)
{
    uint64_t total = 0;
    for (int i = 0; i < count; i++) {
        clockid_t clock;
        int error = clock_getcpuclockid(pids[i], &clock);
        if (error)
            fail("no CPU clock of process %d: %s", (int)pids[i], strerror(error));
        total += read_clock(clock);
    }
    return total;
}

uint64_t own_cpu_time(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}
