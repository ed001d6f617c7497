/* Latencies, in the layout of HdrHistogram: 1 us to 60 s with three significant digits.
 *
 * Counts lie in buckets of doubling range. The first has 2048 slots of 1 us; each further one covers twice the range
 * of the one before with 1024 slots of twice the width, because its lower half is the buckets before it. A slot is
 * so never wider than 1/1024 of what it holds. Slot `bucket * 1024 + (value >> bucket)` counts `value`, with the
 * least `bucket` that makes `value >> bucket` less than 2048.
 */
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_LONGEST = 60 * 1000 * 1000, /* microseconds; what took longer is counted as this */
    HISTOGRAM_SLOTS = 2048,               /* of the first bucket */
    HISTOGRAM_BUCKETS = 16,               /* 2048 << 15 is the first power of two above the longest */
};

struct histogram {
    uint64_t counts[(HISTOGRAM_BUCKETS + 1) * HISTOGRAM_SLOTS / 2];
    uint64_t total, sum, highest; /* values, microseconds, microseconds */
};

void record(struct histogram *histogram, uint64_t microseconds);

/* The same, of a span of the clock: rounded to the nearest microsecond. */
void record_span(struct histogram *histogram, uint64_t nanoseconds);

/* Microseconds: the highest value of the slot in which `per_mille` thousandths of all values are reached. */
uint64_t percentile(const struct histogram *histogram, unsigned per_mille);

/* A JSON object on stdout: p50, p90, p99, p99.9, max and mean in microseconds. */
void print_histogram(const struct histogram *histogram);

#endif
