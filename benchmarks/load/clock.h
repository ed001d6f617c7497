/* Time that passes, and CPU time that is spent, both in nanoseconds. */
#ifndef LOAD_CLOCK_H
#define LOAD_CLOCK_H

#include <stdint.h>
#include <sys/types.h>

#define SECOND UINT64_C(1000000000)

uint64_t now(void);

/* User and system, of all threads of these processes. The process clock is the scheduler's own sum: exact where the
 * times in /proc/PID/stat have a resolution of 10 ms. */
uint64_t cpu_time(const pid_t *pids, int count);

/* Of this process. */
uint64_t own_cpu_time(void);

#endif
