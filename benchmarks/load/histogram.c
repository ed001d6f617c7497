#include "histogram.h"

#include <stdio.h>

enum { SLOT_BITS = 11, HALF = HISTOGRAM_SLOTS / 2 };

static int bucket_of(uint64_t value)
{
    return 64 - __builtin_clzll(value | (HISTOGRAM_SLOTS - 1)) - SLOT_BITS;
}

/* The highest of the values that slot number `slot` counts. */
static uint64_t highest_in(uint64_t slot)
{
    uint64_t bucket = slot < HISTOGRAM_SLOTS ? 0 : slot / HALF - 1;
    return ((slot - bucket * HALF + 1) << bucket) - 1;
}

void record(struct histogram *histogram, uint64_t microseconds)
{
    uint64_t value = microseconds < HISTOGRAM_LONGEST ? microseconds : HISTOGRAM_LONGEST;
    int bucket = bucket_of(value);

    histogram->counts[bucket * HALF + (value >> bucket)]++;
    histogram->total++;
    histogram->sum += microseconds;
    if (microseconds > histogram->highest)
        histogram->highest = microseconds;
}

void record_span(struct histogram *histogram, uint64_t nanoseconds)
{
    record(histogram, (nanoseconds + 500) / 1000);
}

uint64_t percentile(const struct histogram *histogram, unsigned per_mille)
{
    uint64_t rank = (histogram->total * per_mille + 999) / 1000, seen = 0;

    for (uint64_t slot = 0; slot < sizeof histogram->counts / sizeof *histogram->counts; slot++) {
        seen += histogram->counts[slot];
        if (seen && seen >= rank)
            return highest_in(slot) < histogram->highest ? highest_in(slot) : histogram->highest;
    }
    return 0;
}

void print_histogram(const struct histogram *histogram)
{
    static const unsigned per_mille[] = {500, 900, 990, 999};

    printf("{");
    for (int i = 0; i < 4; i++)
        printf("\"p%g\": %llu, ", per_mille[i] / 10.0, (unsigned long long)percentile(histogram, per_mille[i]));
    printf("\"max\": %llu, \"mean\": %.1f}", (unsigned long long)histogram->highest,
           histogram->total ? (double)histogram->sum / histogram->total : 0);
}
