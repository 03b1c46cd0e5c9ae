#include "support/store_double.h"

#include <time.h>

static struct store_double *double_of(struct store *s)
{
    return (struct store_double *)(void *)s;
}

static bool load(struct store *s, bool (*row)(void *ctx, const struct store_row *r, struct err *e),
                 void *ctx, struct store_head *head, struct err *e)
{
    return double_of(s)->inner->ops->load(double_of(s)->inner, row, ctx, head, e);
}

static bool chain(struct store *s, const char *ns, char hash[SHA256_HEX_SIZE], struct err *e)
{
    return double_of(s)->inner->ops->chain(double_of(s)->inner, ns, hash, e);
}

static bool keys(struct store *s, const char *prefix,
                 bool (*each)(void *ctx, const struct store_key *k), void *ctx, struct err *e)
{
    return double_of(s)->inner->ops->keys(double_of(s)->inner, prefix, each, ctx, e);
}

static void pass_on(struct store_double *d, struct store_commit *c, bool failing)
{
    if (!failing) {
        d->inner->ops->commit(d->inner, c);
        return;
    }
    c->ok = false;
    fail(&c->err, &ERR_IO, "the disk is said to be full");
    c->done(c);
}

static void commit(struct store *s, struct store_commit *c)
{
    struct store_double *d = double_of(s);
    pthread_mutex_lock(&d->lock);
    d->commits++;
    bool failing = d->failing, holding = d->holding;
    void (*before)(struct store_double *) = d->before_commit;
    d->before_commit = NULL;
    if (holding)
        d->held = c;
    pthread_mutex_unlock(&d->lock);
    if (before)
        before(d);
    if (!holding)
        pass_on(d, c, failing);
}

static void journal(struct store *s, struct journal_read *r)
{
    double_of(s)->inner->ops->journal(double_of(s)->inner, r);
}

void store_double_init(struct store_double *d, struct store *inner)
{
    *d = (struct store_double){.inner = inner};
    pthread_mutex_init(&d->lock, NULL);
    d->ops = (struct store_ops){
        .name = "double",
        .load = load,
        .chain = chain,
        .keys = keys,
        .commit = commit,
        .journal = journal,
    };
    d->store.ops = &d->ops;
}

void store_double_release(struct store_double *d)
{
    pthread_mutex_destroy(&d->lock);
}

void store_double_fail(struct store_double *d, bool failing)
{
    pthread_mutex_lock(&d->lock);
    d->failing = failing;
    pthread_mutex_unlock(&d->lock);
}

void store_double_hold(struct store_double *d, bool holding)
{
    pthread_mutex_lock(&d->lock);
    d->holding = holding;
    struct store_commit *held = holding ? NULL : d->held;
    bool failing = d->failing;
    if (held)
        d->held = NULL;
    pthread_mutex_unlock(&d->lock);
    if (held)
        pass_on(d, held, failing);
}

void store_double_await(struct store_double *d)
{
    bool held = false;
    while (!held) {
        pthread_mutex_lock(&d->lock);
        held = d->held != NULL;
        pthread_mutex_unlock(&d->lock);
        if (!held)
            nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}

unsigned store_double_commits(struct store_double *d)
{
    pthread_mutex_lock(&d->lock);
    unsigned n = d->commits;
    pthread_mutex_unlock(&d->lock);
    return n;
}
