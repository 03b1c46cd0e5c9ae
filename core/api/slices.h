/* slices: work for one answer that would hold its loop is done in slices, between the turns of
 * others. Room: api. Threads: [loop], each has its own.
 *
 * Who has such work does a first slice when it is asked, and is done then nearly always. What is
 * not goes on beside a few others in turn; the rest wait until one of those is done. */
#ifndef PADDOCK_API_SLICES_H
#define PADDOCK_API_SLICES_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct slices;

#define SLICE_NS       300000 /* of one visit; the policy that is being asked may take longer */
#define SLICES_MAX     256    /* that wait or are under way in one loop */
#define SLICES_SPAN_NS 10000000000 /* after which work is given up */

/* Embedded as the first member of what is worked on. */
struct slice_job {
    struct slice_job *next;
    int64_t begun_ns;
    bool (*go_on)(struct slice_job *job);   /* a slice of it; true: it was answered, and is gone */
    void (*give_up)(struct slice_job *job); /* it lasts too long: answer that, and free it */
    void (*drop)(struct slice_job *job);    /* the loop ends, nobody can be answered: free it */
};

struct slices *slices_new(struct loop *l, const struct clock *clock)
    __attribute__((returns_nonnull));
void slices_free(struct slices *s); /* drops what is left; NULL is allowed */

/* A first slice, and then the others in turn. Where too many wait it is given up after the first.
 */
void slices_begin(struct slices *s, struct slice_job *job);
/* Is the slice over that is being done? For who is asked to go on; true after SLICE_NS. */
bool slices_over(struct slices *s);

#endif
