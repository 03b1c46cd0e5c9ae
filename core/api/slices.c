#include "api/slices.h"

#include "base/mailbox.h"
#include "base/mem.h"
#include "http/loop.h"

#include <stdlib.h>

#define ABREAST 4 /* go on in turn; more would all be slow */

struct slices {
    struct mail mail; /* first: it is how the next slice comes */
    struct loop *loop;
    const struct clock *clock;
    struct slice_job *abreast[ABREAST];
    struct slice_job *waiting, *waiting_last;
    size_t count, at;
    int64_t slice_ns; /* when this slice began */
    bool posted;
};

bool slices_over(struct slices *s)
{
    return clock_mono_ns(s->clock) - s->slice_ns > SLICE_NS;
}

static void next_slice(struct mail *mail);

static void post(struct slices *s)
{
    s->mail.run = next_slice;
    if (s->posted || s->count == 0)
        return;
    s->posted = true;
    loop_post_later(s->loop, &s->mail);
}

/* Into a free place of those abreast, or behind those who wait for one. */
static void keep(struct slices *s, struct slice_job *job)
{
    s->count++;
    for (size_t i = 0; i < ABREAST; i++)
        if (!s->abreast[i]) {
            s->abreast[i] = job;
            return;
        }
    job->next = NULL;
    if (s->waiting_last)
        s->waiting_last->next = job;
    else
        s->waiting = job;
    s->waiting_last = job;
}

static struct slice_job *take_waiting(struct slices *s)
{
    struct slice_job *job = s->waiting;
    if (job)
        s->waiting = job->next;
    if (!s->waiting)
        s->waiting_last = NULL;
    return job;
}

static bool slice(struct slices *s, struct slice_job *job)
{
    s->slice_ns = clock_mono_ns(s->clock);
    if (s->slice_ns - job->begun_ns <= SLICES_SPAN_NS)
        return job->go_on(job);
    job->give_up(job);
    return true;
}

static void next_slice(struct mail *mail)
{
    struct slices *s = (struct slices *)(void *)mail;
    s->posted = false;
    do
        s->at = (s->at + 1) % ABREAST;
    while (!s->abreast[s->at]); /* there is one: else nothing was posted */
    if (slice(s, s->abreast[s->at])) {
        s->count--;
        s->abreast[s->at] = take_waiting(s);
    }
    post(s);
}

void slices_begin(struct slices *s, struct slice_job *job)
{
    job->begun_ns = clock_mono_ns(s->clock);
    if (slice(s, job))
        return;
    if (s->count >= SLICES_MAX) {
        job->give_up(job);
        return;
    }
    keep(s, job);
    post(s);
}

struct slices *slices_new(struct loop *l, const struct clock *clock)
{
    struct slices *s = mem_zero(1, sizeof *s);
    s->loop = l;
    s->clock = clock;
    return s;
}

void slices_free(struct slices *s)
{
    struct slice_job *job;
    for (size_t i = 0; s && i < ABREAST; i++)
        if (s->abreast[i])
            s->abreast[i]->drop(s->abreast[i]);
    while (s && (job = take_waiting(s)))
        job->drop(job);
    free(s);
}
