/* The two ways out of trouble: every error ends the program. */
#ifndef LOAD_FAILURE_H
#define LOAD_FAILURE_H

#include <stddef.h>

/* One line on stderr, status 1. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Zeroed memory, or the end. */
void *allocate(size_t count, size_t size);

#endif
