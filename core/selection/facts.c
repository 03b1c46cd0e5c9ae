#include "selection/facts.h"

#include "base/bytes.h"
#include "base/cond.h"
#include "base/grow.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "store/nodes.h"
#include "store/wait.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define EVERY_MS    200
#define PUT_AWAY_MS 60000
#define BATCHES     64                   /* of one teller in one round */
#define MAGIC       UINT32_C(0x31464b50) /* "PKF1" */
#define CAME_MAX    ((size_t)256 << 20)

/* The first part of an entry; the others follow without anything between. */
struct entry_head {
    uint32_t magic, kind;
    int64_t at_ms;
};

struct teller {
    struct fact_teller is;
    uint64_t reaches;
    bool asked; /* the store has said it */
};

struct facts {
    struct facts_config config;
    struct teller tellers[FACT_TELLERS];
    struct fact_hearer hearers[FACT_HEARERS];
    size_t n_tellers, n_hearers;
    struct fact_batch batch;

    uint64_t heard, heard_hash, epoch; /* the hash of the last entry; 0: not known */
    bool begun, well, more;
    uint64_t head; /* the stream reaches it */
    struct bytes came;
    struct came {
        uint64_t seq;
        size_t at, len;
    } * list;
    size_t n, cap;
    int64_t put_away_ms;
    uint64_t dropped;

    pthread_t thread;
    bool runs;
    pthread_mutex_t lock; /* of the two after it */
    pthread_cond_t wake;
    bool stopping;
    atomic_uint_fast64_t heard_stat, told_entries, told_bytes, lost;
};

struct facts *facts_new(const struct facts_config *config)
{
    struct facts *f = mem_zero(1, sizeof *f);
    f->config = *config;
    f->well = true;
    f->came = BYTES_INIT(CAME_MAX);
    pthread_mutex_init(&f->lock, NULL);
    cond_init(&f->wake);
    return f;
}

void facts_free(struct facts *f)
{
    if (!f)
        return;
    bytes_release(&f->came);
    free(f->list);
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->wake);
    free(f);
}

void facts_add_teller(struct facts *f, const struct fact_teller *t)
{
    f->tellers[f->n_tellers++] = (struct teller){.is = *t};
}

void facts_add_hearer(struct facts *f, const struct fact_hearer *h)
{
    f->hearers[f->n_hearers++] = *h;
}

/* ---- telling ---- */

bool facts_reaches(struct facts *f, const char *teller, uint64_t *position, struct err *e)
{
    const struct fact_ship fact = {.kind = teller};
    struct delta_ship d = {.fact = &fact};
    bool ok = store_ship_wait(f->config.store, &d, e);
    *position = ok ? d.reaches : 0;
    return ok;
}

static bool send_batch(struct facts *f, struct teller *t, struct err *e)
{
    struct fact_batch *b = &f->batch;
    const struct entry_head head = {MAGIC, (uint32_t)b->kind, b->at_ms};
    const void *parts[FACT_PARTS + 1] = {&head};
    size_t lens[FACT_PARTS + 1] = {sizeof head}, bytes = 0;
    uint64_t hashes[FACT_PARTS + 1] = {0};
    memcpy(parts + 1, b->parts, b->n * sizeof *parts);
    memcpy(lens + 1, b->lens, b->n * sizeof *lens);
    memcpy(hashes + 1, b->hashes, b->n * sizeof *hashes);
    for (size_t i = 0; i <= b->n; i++)
        bytes += lens[i];
    const struct fact_ship fact = {.kind = t->is.name,
                                   .hashes = hashes,
                                   .now_ms = clock_wall_ms(f->config.clock),
                                   .window_ms = t->is.window_ms,
                                   .window_max = t->is.window_max};
    struct delta_ship d = {.from = t->reaches,
                           .until = b->until,
                           .parts = parts,
                           .lens = lens,
                           .n = b->n + 1,
                           .fact = &fact};
    if (!store_ship_wait(f->config.store, &d, e))
        return false;
    if (d.reaches != b->until) { /* it has lost some of it, or another start has gone on */
        log_event(LOG_WARN, "facts_told_again",
                  "\"kind\":\"%s\",\"from\":%" PRIu64 ",\"to\":%" PRIu64, t->is.name, d.reaches,
                  t->reaches);
        t->reaches = d.reaches;
        return true;
    }
    t->reaches = d.reaches;
    atomic_fetch_add(&f->told_entries, 1);
    atomic_fetch_add(&f->told_bytes, bytes);
    t->is.told(t->is.self, b, d.left_out, d.floor_ms);
    return true;
}

static bool tell(struct facts *f, struct teller *t, struct err *e)
{
    if (!t->asked && !facts_reaches(f, t->is.name, &t->reaches, e))
        return false;
    t->asked = true;
    for (int i = 0; i < BATCHES && t->is.next(t->is.self, t->reaches, &f->batch); i++)
        if (!send_batch(f, t, e))
            return false;
    return true;
}

/* ---- hearing ---- */

static void it_reaches(void *ctx, size_t place, uint64_t position)
{
    struct facts *f = ctx;
    if (place == 0)
        f->head = position;
}

static bool entry_came(void *ctx, size_t place, struct delta_at at, const void *data, size_t len)
{
    struct facts *f = ctx;
    (void)place;
    GROW(f->list, f->n, f->cap);
    const size_t before = f->came.len;
    if (!bytes_add(&f->came, data, len))
        return false; /* the next round */
    f->list[f->n++] = (struct came){at.position, before, len};
    return true;
}

/* Entries after one, copied; and how far the stream reaches. */
static bool read_after(struct facts *f, uint64_t seq, struct err *e)
{
    const struct delta_at after = {seq, seq == UINT64_MAX ? 0 : UINT64_MAX};
    struct delta_read d = {.facts = true,
                           .after = &after,
                           .n = 1,
                           .reaches = it_reaches,
                           .each = entry_came,
                           .ctx = f};
    bytes_clear(&f->came);
    f->n = 0;
    bool ok = store_deltas_wait(f->config.store, &d, e);
    f->more = d.more;
    return ok;
}

/* `insisting`: by those that are not lenient. */
static uint64_t least_saved(const struct facts *f, bool insisting)
{
    uint64_t least = f->head;
    for (size_t i = 0; i < f->n_hearers; i++) {
        const struct fact_hearer *h = &f->hearers[i];
        const uint64_t saved = insisting && h->lenient ? UINT64_MAX : h->saved(h->self);
        least = saved < least ? saved : least;
    }
    return least;
}

/* Nobody needs entries up to this one. */
static bool drop_until(struct facts *f, uint64_t seq, struct err *e)
{
    const struct fact_ship fact = {.kind = "", .drop = seq};
    struct delta_ship d = {.fact = &fact};
    return store_ship_wait(f->config.store, &d, e);
}

static bool begin(struct facts *f, struct err *e)
{
    f->begun = false;
    f->epoch = store_epoch(f->config.store);
    if (!read_after(f, UINT64_MAX, e)) /* how far it reaches */
        return false;
    uint64_t head = f->head;
    for (size_t i = 0; i < f->n_hearers; i++)
        if (!f->hearers[i].begin(f->hearers[i].self, &head, e))
            return false;
    if (head > f->head && !drop_until(f, head, e))
        return false;
    f->head = head;
    for (size_t i = 0; i < f->n_tellers; i++)
        f->tellers[i].asked = false;
    f->heard = least_saved(f, false);
    f->heard_hash = 0;
    f->begun = true;
    return true;
}

static void give(struct facts *f, const struct came *c)
{
    struct entry_head head = {0};
    const char *data = f->came.data + c->at;
    if (c->len >= sizeof head)
        memcpy(&head, data, sizeof head);
    if (head.magic != MAGIC) {
        atomic_fetch_add(&f->lost, 1);
        log_text(LOG_ERROR, "fact_damaged", "an entry has no form that this version knows");
        return;
    }
    const struct fact fact = {c->seq, (enum fact_kind)head.kind, head.at_ms, data + sizeof head,
                              c->len - sizeof head};
    for (size_t i = 0; i < f->n_hearers; i++)
        f->hearers[i].fact(f->hearers[i].self, &fact);
}

static void say_lost(struct facts *f, uint64_t to)
{
    atomic_fetch_add(&f->lost, 1);
    log_event(LOG_ERROR, "facts_lost", "\"from\":%" PRIu64 ",\"to\":%" PRIu64, f->heard, to);
}

/* Is the stream still the one that was heard? The last entry that was is read once more: it must be
 * the same. `*first`: the first one that is new; `*next`: its number, or the one that will be. */
static bool goes_on(struct facts *f, size_t *first, uint64_t *next)
{
    *first = 0;
    *next = f->head + 1;
    if (f->n && f->list[0].seq == f->heard) {
        const uint64_t hash = hash64(f->came.data + f->list[0].at, f->list[0].len, 0);
        if (f->heard_hash && hash != f->heard_hash)
            return false;
        f->heard_hash = hash;
        *first = 1;
    } else if (f->heard_hash) {
        return false; /* at least one that all have heard stays */
    }
    if (f->n > *first)
        *next = f->list[*first].seq;
    return *next == f->heard + 1;
}

/* What was heard is not what the stream has any more, or it goes on later: begin anew, once. */
static bool hear(struct facts *f, struct err *e)
{
    bool anew = false;
    size_t first;
    uint64_t next = 0;
    do {
        if ((!f->begun || f->epoch != store_epoch(f->config.store)) && !begin(f, e))
            return false;
        if (!read_after(f, f->heard ? f->heard - 1 : 0, e))
            return false;
        if (!goes_on(f, &first, &next)) {
            f->begun = false;
            f->more = true;
            if (!anew) {
                anew = true;
                continue;
            }
            if (least_saved(f, true) < next - 1)
                say_lost(f, next - 1);
            f->heard = next - 1;
            f->begun = true;
            continue;
        }
        for (size_t i = first; i < f->n; i++) {
            give(f, &f->list[i]);
            f->heard = f->list[i].seq;
            f->heard_hash = hash64(f->came.data + f->list[i].at, f->list[i].len, 0);
        }
        f->more = f->more && f->n > first;
    } while (f->more);
    atomic_store(&f->heard_stat, f->heard);
    return true;
}

bool facts_round(struct facts *f, struct err *e)
{
    bool ok = true;
    for (size_t i = 0; i < f->n_tellers; i++)
        ok = tell(f, &f->tellers[i], e) && ok;
    return hear(f, e) && ok;
}

bool facts_put_away(struct facts *f, struct err *e)
{
    if (!store_decides(f->config.store))
        return true;
    for (size_t i = 0; i < f->n_hearers; i++)
        if (f->hearers[i].put_away)
            f->hearers[i].put_away(f->hearers[i].self);
    uint64_t drop = least_saved(f, false);
    drop = drop ? drop - 1 : 0; /* one stays, by which others know the stream */
    if (drop <= f->dropped)
        return true;
    if (!drop_until(f, drop, e))
        return false;
    f->dropped = drop;
    return true;
}

/* ---- the thread ---- */

static int64_t mono_ms(void)
{
    return clock_mono_ns(&CLOCK_SYSTEM) / 1000000;
}

static void *run(void *arg)
{
    struct facts *f = arg;
    while (cond_rest(&f->wake, &f->lock, &f->stopping, EVERY_MS)) {
        struct err e = {0};
        const int64_t now = mono_ms();
        bool well = facts_round(f, &e);
        if (well && now - f->put_away_ms >= PUT_AWAY_MS) {
            f->put_away_ms = now;
            well = facts_put_away(f, &e);
        }
        if (well != f->well)
            log_text(well ? LOG_INFO : LOG_WARN, well ? "facts" : "facts_away",
                     well ? "outcomes of all nodes come and go" : e.detail);
        f->well = well;
    }
    struct err e = {0};
    /* What came since; else the next start tells it. */
    if (!facts_round(f, &e) || !facts_put_away(f, &e))
        log_text(LOG_INFO, "facts_away", e.detail);
    return NULL;
}

bool facts_start(struct facts *f, struct err *e)
{
    if (!facts_round(f, e))
        return false;
    f->put_away_ms = mono_ms();
    f->runs = !f->config.no_thread && thread_start(&f->thread, "facts", THREAD_LATER, run, f, e);
    return f->runs || f->config.no_thread;
}

void facts_stop(struct facts *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->lock);
    if (f->runs)
        pthread_join(f->thread, NULL);
    f->runs = false;
}

void facts_stats(struct facts *f, struct facts_stats *out)
{
    *out = (struct facts_stats){.heard = atomic_load(&f->heard_stat),
                                .told_entries = atomic_load(&f->told_entries),
                                .told_bytes = atomic_load(&f->told_bytes),
                                .lost = atomic_load(&f->lost)};
}
