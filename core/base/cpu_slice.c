#include "base/cpu_slice.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* struct sched_attr of sched_setattr(2), which the C library does not have. */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};
_Static_assert(sizeof(struct attributes) == 48, "the first version of the structure");

bool cpu_slice(uint64_t ns)
{
    const struct attributes a = {
        .size = sizeof a, .nice = getpriority(PRIO_PROCESS, (id_t)gettid()), .runtime = ns};
    return syscall(SYS_sched_setattr, 0, &a, 0) == 0;
}
