/* What other nodes have counted comes in. */
#include "telemetry/fleet.h"

#include "base/grow.h"
#include "base/latch.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/wait.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void it_reaches(void *ctx, size_t place, uint64_t position)
{
    struct fleet *f = ctx;
    if (place >= PLACES_MAX)
        return;
    GROW(f->reaches, place, f->reaches_cap);
    f->reaches[place] = position; /* they come one after the other */
    f->n_reaches = place + 1;
}

static bool part_came(void *ctx, size_t place, struct delta_at at, const void *data, size_t len)
{
    struct fleet *f = ctx;
    GROW(f->parts, f->n_parts, f->parts_cap);
    size_t before = f->came.len;
    f->cut_short = place >= PLACES_MAX || !bytes_add(&f->came, data, len);
    if (f->cut_short)
        return false; /* the next round */
    f->parts[f->n_parts++] = (struct came){place, before, len, at};
    return true;
}

bool fleet_read(struct fleet *f, bool *more, struct err *e)
{
    struct store *s = f->telemetry->config.store;
    struct delta_at *after = mem_alloc((f->n_taken + 1) * sizeof *after);
    for (size_t i = 0; i < f->n_taken; i++)
        after[i] = f->taken[i].gap ? (struct delta_at){UINT64_MAX, 0} : f->taken[i].at;
    struct delta_read d = {
        .after = after, .n = f->n_taken, .reaches = it_reaches, .each = part_came, .ctx = f};
    bytes_clear(&f->came);
    f->n_parts = f->n_reaches = 0;
    f->cut_short = false;
    bool ok = store_deltas_wait(s, &d, e);
    free(after);
    *more = d.more;
    if (!ok)
        return false;
    pthread_mutex_lock(&f->taking);
    for (size_t i = 0; i < f->n_reaches; i++)
        fleet_taken(f, i)->reaches = f->reaches[i];
    pthread_mutex_unlock(&f->taking);
    return true;
}

/* Models that are not known here yet are made by the log writer, which owns the table. */
struct make_mail {
    struct mail mail; /* first */
    struct fleet *fleet;
    uint64_t *uids;
    size_t n;
    struct latch done;
};

static void run_make(struct mail *m)
{
    struct make_mail *k = (struct make_mail *)(void *)m;
    for (size_t i = 0; i < k->n; i++)
        count_model_of(k->fleet->telemetry, k->uids[i]);
    latch_open(&k->done);
}

static void make_models(struct fleet *f, const struct delta_reader *part)
{
    struct delta_reader r = *part;
    struct delta_model m;
    struct delta_word word;
    struct delta_piece piece;
    struct make_mail k = {.mail.run = run_make, .fleet = f};
    k.uids = mem_alloc((r.left + 1) * sizeof *k.uids);
    while (delta_next_model(&r, &m)) {
        struct live *l = models_find(&f->telemetry->models, m.uid);
        if (l)
            live_release(l, &f->telemetry->rings);
        else
            k.uids[k.n++] = m.uid;
        bool good = true;
        for (unsigned i = 0; good && i < m.n_words; i++)
            good = delta_next_word(&r, &word);
        for (unsigned i = 0; good && i < m.n_pieces; i++)
            good = delta_next_piece(&r, &piece);
    }
    if (k.n) {
        latch_init(&k.done);
        fleet_on_writer(f, &k.mail, &k.done);
    }
    free(k.uids);
}

/* What the sender's kinds are here. */
static bool read_kinds(struct delta_reader *r, const struct delta_model *m, struct live *l,
                       struct tally_kinds *kinds)
{
    memset(kinds, KIND_OTHER, sizeof *kinds);
    for (unsigned i = 0; i < m->n_words; i++) {
        struct delta_word w;
        if (!delta_next_word(r, &w))
            return false;
        uint32_t kind = l ? words_put(w.is_name ? &l->names : &l->errors, w.text, w.len) : 0;
        (w.is_name ? kinds->names : kinds->errors)[w.kind] =
            (uint8_t)(kind == WORD_NONE ? KIND_OTHER : kind);
    }
    return true;
}

/* Had the rows of this model that part when they were loaded? */
static bool row_has(const struct live *l, const struct came *p)
{
    const struct live_fleet *f = l->fleet;
    if (p->place >= f->n_row)
        return false;
    const struct delta_at *row = &f->row[p->place];
    return p->id.position < row->position ||
           (p->id.position == row->position && p->id.part <= row->part);
}

static bool starts(const struct fleet *f)
{
    return atomic_load(&f->telemetry->since) == 0;
}

/* A node that catches up counts its own stream again, and knows still what it has sent itself. */
static bool counts_own(const struct fleet *f, const struct came *p)
{
    return p->place == f->place && starts(f);
}

/* [lock] `l` NULL: the model is gone. */
static bool count_model(struct fleet *f, struct delta_reader *r, const struct delta_model *m,
                        struct live *l, const struct came *p, const struct counting *c)
{
    struct tally_kinds kinds;
    struct err e;
    if (!read_kinds(r, m, l, &kinds))
        return false;
    const bool counts = l && !row_has(l, p);
    for (unsigned i = 0; i < m->n_pieces; i++) {
        struct delta_piece piece;
        if (!delta_next_piece(r, &piece))
            return false;
        const struct tally_bytes b = {piece.bytes, piece.len, &kinds};
        if (counts && (!live_take(l, piece.tier, piece.start, &b, c, &e) ||
                       (counts_own(f, p) && !live_take_own(l, &b, c, &e))))
            log_text(LOG_ERROR, "delta_damaged", e.detail);
    }
    return true;
}

static bool count_part(struct fleet *f, struct delta_reader *r, const struct came *p)
{
    struct counting c = counting_now(f->telemetry, &f->workshop);
    struct delta_model m;
    if (starts(f))
        c.since = INT64_MAX;
    while (delta_next_model(r, &m)) {
        struct live *l = models_find(&f->telemetry->models, m.uid);
        if (l)
            pthread_mutex_lock(&l->lock);
        bool good = count_model(f, r, &m, l, p, &c);
        if (l) {
            pthread_mutex_unlock(&l->lock);
            live_release(l, &f->telemetry->rings);
        }
        if (!good)
            return false;
    }
    return r->left == 0;
}

bool fleet_goes_on(const struct taken *t, const struct came *p, const struct delta_head *h)
{
    return p->id.part == 1 ? h->from <= t->whole
                           : p->id.position == t->at.position && p->id.part == t->at.part + 1;
}

static void say_damaged(struct fleet *f, const char *what)
{
    atomic_fetch_add(&f->missed, 1);
    log_text(LOG_ERROR, "delta_damaged", what);
}

static void say_gap(struct fleet *f, size_t place, struct taken *t)
{
    if (t->gap)
        return;
    t->gap = true;
    atomic_fetch_add(&f->missed, 1);
    log_event(LOG_WARN, "deltas_missed",
              "\"place\":%zu,\"have\":%" PRIu64
              ",\"detail\":\"this node was away for too long; it takes what another one has\"",
              place, t->whole);
}

static void take_part(struct fleet *f, const struct came *p)
{
    struct err e = {0};
    struct delta_reader r = {0};
    bool good = delta_open(&r, f->came.data + p->at, p->len, &e);
    if (good)
        make_models(f, &r);
    pthread_mutex_lock(&f->taking);
    struct taken *t = fleet_taken(f, p->place);
    if (good && !fleet_goes_on(t, p, &r.head))
        say_gap(f, p->place, t);
    if (!t->gap) {
        if (!good || !count_part(f, &r, p))
            say_damaged(f, good ? "it cannot be read to its end" : e.detail);
        t->at = p->id;
        if (good && p->id.part >= r.head.parts)
            t->whole = p->id.position;
        atomic_fetch_add(&f->taken_bytes, p->len);
    }
    pthread_mutex_unlock(&f->taking);
}

/* All was read that there is: who had said more, and says nothing any more, leaves a gap as well.
 */
static void find_gaps(struct fleet *f)
{
    pthread_mutex_lock(&f->taking);
    for (size_t i = 0; i < f->n_taken; i++)
        if (i != f->place && f->taken[i].whole < f->taken[i].reaches)
            say_gap(f, i, &f->taken[i]);
    pthread_mutex_unlock(&f->taking);
}

bool fleet_take(struct fleet *f, bool own_too, struct err *e)
{
    for (bool more = true; more;) {
        bool any = false;
        if (!fleet_read(f, &more, e))
            return false;
        for (size_t i = 0; i < f->n_parts; i++)
            if (own_too || f->parts[i].place != f->place) {
                take_part(f, &f->parts[i]);
                any = true;
            }
        if (!more && !f->cut_short && !starts(f))
            find_gaps(f);
        more = more && any;
    }
    return true;
}
