/* number: JSON numbers read as the nearest double. Room: telemetry. Threads: pure, [any]. */
#ifndef PADDOCK_TELEMETRY_NUMBER_H
#define PADDOCK_TELEMETRY_NUMBER_H

/* Read one number of RFC 8259's grammar at `p`. The text must end in a byte that no number has (a
 * NUL, a line feed, a quote): then nothing past it is read. Returns where it ends, or NULL if there
 * is none. The value is correctly rounded; it is infinite when it is too great for a double. */
const char *number_scan(const char *p, double *value);

#endif
