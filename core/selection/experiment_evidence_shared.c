/* Evidence where several nodes share the store: what came in here is told, what comes from all is
 * kept until it was looked at. As it is told:
 *
 *   for each experiment: u64 uid, i64 since, u32 length of the rest of it, then for each arm that
 * has something: u8 arm, u64 requests, u64 errors, f64 planned, u32 length, latencies
 * (stats/codec.h), u8 scores, and for each: u8 metric, moments (stats/moments.h)
 *
 * Little-endian, nothing aligned. What was told last is held for a while: should the store turn out
 * to have lost it, it is told again. */
#include "base/log.h"
#include "base/mem.h"
#include "selection/experiment_evidence_impl.h"
#include "selection/outcome_block.h"
#include "stats/codec.h"

#include <stdlib.h>
#include <string.h>

#define HELD       64 /* tellings: some 13 s at least */
#define PART_MAX   ((size_t)8 << 20)
#define RECENT_MAX ((size_t)4 << 20) /* bytes of facts, for who begins to listen */

struct recent {
    struct recent *next;
    struct fact fact; /* its data behind it */
    char bytes[];
};

struct evidence_shared {
    struct bytes held[HELD]; /* by position */
    uint64_t first, last;    /* positions held; last 0: none yet */
    struct recent *oldest, *newest;
    size_t recent_bytes;
    uint64_t heard;
};

/* ---- telling ---- */

static bool is_empty(const struct evidence_slot *s)
{
    uint64_t n = s->score_count;
    for (size_t i = 0; i < EVIDENCE_ARMS; i++)
        n += s->requests[i];
    return n == 0;
}

static void put_length(struct bytes *b, size_t at)
{
    const uint32_t len = (uint32_t)(b->len - at - sizeof len);
    if (!b->full)
        memcpy(b->data + at, &len, sizeof len);
}

static void put_scores(struct bytes *b, const struct moments *scores)
{
    uint8_t n = 0;
    for (uint8_t i = 0; i < EXPERIMENT_GUARDRAILS; i++)
        n += scores[i].count > 0;
    bytes_char(b, (char)n);
    for (uint8_t i = 0; i < EXPERIMENT_GUARDRAILS; i++)
        if (scores[i].count) {
            bytes_char(b, (char)i);
            b->full = !moments_encode(&scores[i], b) || b->full;
        }
}

static void put_arm(struct bytes *b, const struct evidence_slot *s, uint8_t arm)
{
    bytes_char(b, (char)arm);
    bytes_add(b, &s->requests[arm], sizeof s->requests[arm]);
    bytes_add(b, &s->errors[arm], sizeof s->errors[arm]);
    bytes_add(b, &s->planned[arm], sizeof s->planned[arm]);
    const size_t at = b->len;
    bytes_add(b, "\0\0\0\0", sizeof(uint32_t));
    b->full = !sketch_encode(&s->latency[arm], b) || b->full;
    put_length(b, at);
    put_scores(b, s->scores[arm]);
}

static void put_listener(struct bytes *b, const struct listener *l)
{
    bytes_add(b, &l->watch.uid, sizeof l->watch.uid);
    bytes_add(b, &l->watch.since_ms, sizeof l->watch.since_ms);
    const size_t at = b->len;
    bytes_add(b, "\0\0\0\0", sizeof(uint32_t));
    for (uint8_t i = 0; i <= l->watch.treatment_count; i++)
        put_arm(b, &l->slot, i);
    put_length(b, at);
}

/* What came in since is the next telling. False: nothing did. */
static bool gather(struct experiment_evidence *e)
{
    struct evidence_shared *s = e->shared;
    struct bytes *b = &s->held[(s->last + 1) % HELD];
    bytes_release(b);
    bytes_init(b, PART_MAX);
    for (struct listener *l = e->first; l; l = l->next) {
        const size_t before = b->len;
        if (is_empty(&l->slot))
            continue;
        put_listener(b, l);
        if (b->full) { /* the others of it come with the next */
            b->len = before;
            b->full = false;
            break;
        }
        evidence_slot_clear(&l->slot);
    }
    if (b->len == 0)
        return false;
    s->last++;
    s->first = s->last >= HELD ? s->last - HELD + 1 : s->first;
    return true;
}

static bool next(void *self, uint64_t after, struct fact_batch *b)
{
    struct experiment_evidence *e = self;
    struct evidence_shared *s = e->shared;
    bool any = true;
    pthread_mutex_lock(&e->lock);
    if (!s->last) { /* another start has come so far */
        s->last = after;
        s->first = after + 1;
    }
    if (after >= s->last) {
        s->last = after;
        any = gather(e);
    }
    const uint64_t at = after + 1 > s->first ? after + 1 : s->first;
    if (any)
        *b = (struct fact_batch){.until = at,
                                 .kind = FACT_EVIDENCE,
                                 .n = 1,
                                 .parts = {s->held[at % HELD].data},
                                 .lens = {s->held[at % HELD].len}};
    pthread_mutex_unlock(&e->lock);
    return any;
}

static void told(void *self, const struct fact_batch *b, size_t left_out, int64_t floor_ms)
{
    (void)self, (void)b, (void)left_out, (void)floor_ms;
}

/* ---- hearing ---- */

static struct evidence_chunk *add_chunk(struct listener *l, uint64_t seq, size_t len)
{
    struct evidence_chunk *c = mem_zero(1, sizeof *c + len);
    c->seq = seq;
    c->len = len;
    *(l->last ? &l->last->next : &l->chunks) = c;
    l->last = c;
    return c;
}

void evidence_chunks_free(struct listener *l, uint64_t upto)
{
    while (l->chunks && l->chunks->seq <= upto) {
        struct evidence_chunk *c = l->chunks;
        l->chunks = c->next;
        free(c);
    }
    if (!l->chunks)
        l->last = NULL;
}

static void hear_outcomes(struct listener *l, const struct fact *f)
{
    struct outcome o;
    for (size_t at = 0; at + OUTCOME_BLOCK_ROW <= f->len; at += OUTCOME_BLOCK_ROW) {
        if (!outcome_row_read(f->data + at, &o) || o.shadow)
            continue;
        const int arm = evidence_arm_of(&l->watch, &o.decision);
        const int metric = arm >= 0 ? evidence_metric_of(&l->watch, o.name, strlen(o.name)) : -1;
        if (metric < 0)
            continue;
        struct evidence_chunk *c = add_chunk(l, f->seq, 0);
        c->arm = arm;
        c->metric = metric;
        c->value = o.value;
    }
}

struct told_head {
    uint64_t uid;
    int64_t since_ms;
    uint32_t len;
};
#define TOLD_HEAD 20 /* without padding */

static bool read_head(const struct fact *f, size_t at, struct told_head *h)
{
    if (f->len - at < TOLD_HEAD)
        return false;
    memcpy(&h->uid, f->data + at, 8);
    memcpy(&h->since_ms, f->data + at + 8, 8);
    memcpy(&h->len, f->data + at + 16, 4);
    return h->len <= f->len - at - TOLD_HEAD;
}

static void hear_evidence(struct listener *l, const struct fact *f)
{
    struct told_head h;
    for (size_t at = 0; at < f->len && read_head(f, at, &h); at += TOLD_HEAD + h.len)
        if (h.uid == l->watch.uid && h.since_ms == l->watch.since_ms)
            memcpy(add_chunk(l, f->seq, h.len)->bytes, f->data + at + TOLD_HEAD, h.len);
}

static void hear_for(struct listener *l, const struct fact *f)
{
    if (f->seq <= l->watch.upto)
        return;
    if (f->kind == FACT_OUTCOMES)
        hear_outcomes(l, f);
    else if (f->kind == FACT_EVIDENCE)
        hear_evidence(l, f);
}

static void forget_recent(struct evidence_shared *s, size_t most)
{
    while (s->oldest && s->recent_bytes > most) {
        struct recent *r = s->oldest;
        s->oldest = r->next;
        s->recent_bytes -= r->fact.len;
        free(r);
    }
    if (!s->oldest)
        s->newest = NULL;
}

static void remember(struct evidence_shared *s, const struct fact *f)
{
    struct recent *r = mem_zero(1, sizeof *r + f->len);
    r->fact = *f;
    r->fact.data = memcpy(r->bytes, f->data, f->len);
    *(s->newest ? &s->newest->next : &s->oldest) = r;
    s->newest = r;
    s->recent_bytes += f->len;
    forget_recent(s, RECENT_MAX);
}

static void hear(void *self, const struct fact *f)
{
    struct experiment_evidence *e = self;
    pthread_mutex_lock(&e->lock);
    for (struct listener *l = e->first; l; l = l->next)
        hear_for(l, f);
    remember(e->shared, f);
    e->shared->heard = f->seq;
    pthread_mutex_unlock(&e->lock);
}

void evidence_catch_up(struct experiment_evidence *e, struct listener *l)
{
    for (const struct recent *r = e->shared->oldest; r; r = r->next)
        hear_for(l, &r->fact);
}

static bool begin(void *self, uint64_t *head, struct err *err)
{
    struct experiment_evidence *e = self;
    (void)head, (void)err;
    pthread_mutex_lock(&e->lock);
    for (struct listener *l = e->first; l; l = l->next)
        evidence_chunks_free(l, UINT64_MAX);
    forget_recent(e->shared, 0);
    e->shared->heard = 0;
    pthread_mutex_unlock(&e->lock);
    return true;
}

static uint64_t saved(void *self)
{
    struct experiment_evidence *e = self;
    uint64_t least = UINT64_MAX;
    pthread_mutex_lock(&e->lock);
    for (const struct listener *l = e->first; l; l = l->next)
        least = l->watch.upto < least ? l->watch.upto : least;
    pthread_mutex_unlock(&e->lock);
    return least;
}

/* ---- adding up ---- */

struct reader {
    const char *at;
    size_t left;
};

static bool take(struct reader *r, void *out, size_t n)
{
    if (r->left < n)
        return false;
    memcpy(out, r->at, n);
    r->at += n;
    r->left -= n;
    return true;
}

static bool add_scores(struct reader *r, struct evidence_slot *slot, uint8_t arm)
{
    uint8_t n, metric;
    struct moments m;
    struct err e;
    if (!take(r, &n, 1))
        return false;
    for (; n; n--) {
        if (!take(r, &metric, 1) || metric >= EXPERIMENT_GUARDRAILS ||
            r->left < MOMENTS_ENCODED_SIZE || !moments_decode(&m, r->at, MOMENTS_ENCODED_SIZE, &e))
            return false;
        r->at += MOMENTS_ENCODED_SIZE;
        r->left -= MOMENTS_ENCODED_SIZE;
        moments_merge(&slot->scores[arm][metric], &m);
        slot->score_count += m.count;
    }
    return true;
}

static bool add_arm(struct reader *r, struct evidence_slot *slot)
{
    uint8_t arm;
    uint64_t requests, errors;
    double planned;
    uint32_t len;
    struct err e;
    if (!take(r, &arm, 1) || arm >= EVIDENCE_ARMS || !take(r, &requests, 8) ||
        !take(r, &errors, 8) || !take(r, &planned, 8) || !take(r, &len, 4) || len > r->left ||
        !sketch_merge_bytes(&slot->latency[arm], r->at, len, &e))
        return false;
    r->at += len;
    r->left -= len;
    slot->requests[arm] += requests;
    slot->errors[arm] += errors;
    slot->planned[arm] += planned;
    return add_scores(r, slot, arm);
}

static void add_chunk_to(const struct evidence_chunk *c, struct evidence_slot *slot)
{
    struct reader r = {c->bytes, c->len};
    bool good = true;
    if (c->len == 0) {
        moments_add(&slot->scores[c->arm][c->metric], c->value);
        slot->score_count++;
    }
    while (good && r.left)
        good = add_arm(&r, slot);
    if (!good)
        log_text(LOG_ERROR, "evidence_damaged", "what a node told cannot be read to its end");
}

uint64_t evidence_sum(const struct experiment_evidence *e, const struct listener *l,
                      struct evidence_slot *slot)
{
    for (const struct evidence_chunk *c = l->chunks; c; c = c->next)
        add_chunk_to(c, slot);
    return e->shared->heard;
}

/* ---- life ---- */

void evidence_share(struct experiment_evidence *e, struct facts *facts)
{
    e->shared = mem_zero(1, sizeof *e->shared);
    const struct fact_teller teller = {.name = "evidence", .next = next, .told = told, .self = e};
    const struct fact_hearer hearer = {
        .begin = begin, .saved = saved, .fact = hear, .lenient = true, .self = e};
    facts_add_teller(facts, &teller);
    facts_add_hearer(facts, &hearer);
}

void evidence_shared_free(struct evidence_shared *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < HELD; i++)
        bytes_release(&s->held[i]);
    forget_recent(s, 0);
    free(s);
}
