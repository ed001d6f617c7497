#include <stdio.h>

#include "failure.h"
#include "histogram.h"
#include "modes.h"

void run_percentiles(void)
{
    static struct histogram histogram;
    unsigned long long value;
    int read;

    while ((read = scanf("%llu", &value)) == 1)
        record(&histogram, value);
    if (read != EOF)
        fail("standard input has something that is no number");
    print_histogram(&histogram);
    printf("\n");
}
