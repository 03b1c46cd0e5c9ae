/* cpu_slice: how long a thread wants the processor for at a time. Room: base. Threads: any. */
#ifndef PADDOCK_BASE_CPU_SLICE_H
#define PADDOCK_BASE_CPU_SLICE_H

#include <stdbool.h>
#include <stdint.h>

/* The calling thread runs often and shortly: `ns`, from 100,000 to 100,000,000. Since Linux 6.12
 * such a thread, when it wakes, need not wait for the end of the milliseconds that threads with
 * long work are given. Its share of time and its nice value stay. Older kernels take no notice, so
 * nothing may depend on it; false: refused (no such call, or a sandbox that forbids it). */
bool cpu_slice(uint64_t ns);

#endif
