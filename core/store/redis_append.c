/* Writing series. On a single Redis that is one script.
 *
 * On a Cluster the series of each tag are in a slot of their own, so it is three steps: the names
 * of the series are put down, and what trims cover is learnt; then one script for each tag, many at
 * once, but what says that others are there, and what is only taken away, after these; then, when
 * all were carried out, the marks. What is of one model is of one tag, so it is
 * done as a whole or not at all. An append that fails in between has written some tags and no
 * marks; who is told so sends it again, and each record has one place, so nothing is there twice.
 */
#include "store/redis.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static void at_put(int64_t at, char out[REDIS_AT_SIZE])
{
    uint64_t n = (uint64_t)at ^ ((uint64_t)1 << 63);
    for (int i = REDIS_AT_SIZE - 1; i >= 0; i--, n >>= 8)
        out[i] = (char)(n & 255);
}

int64_t redis_place_at(const char *place)
{
    uint64_t n = 0;
    for (int i = 0; i < REDIS_AT_SIZE; i++)
        n = n << 8 | (unsigned char)place[i];
    return (int64_t)(n ^ ((uint64_t)1 << 63));
}

void ask_place(struct ask *c, const char *mark, int64_t at, const char *id)
{
    size_t m = strlen(mark), len = strlen(id);
    char *to = arena_alloc(c->arena, m + REDIS_AT_SIZE + len + 1);
    if (to) {
        memcpy(to, mark, m + 1);
        at_put(at, to + m);
        memcpy(to + m + REDIS_AT_SIZE, id, len + 1);
    }
    ask_add(c, to, to ? m + REDIS_AT_SIZE + len : 0);
}

const char *redis_tag(struct ask *c, const char *key)
{
    size_t len = strlen(key);
    if (c->link->store->cluster && len > 1 && key[len - 1] == '/')
        key = arena_copy(c->arena, key, len - 1);
    const char *slash = strrchr(key, '/');
    const char *tag = slash ? slash + 1 : key;
    /* An empty tag is none, and then i: and d: would be in slots of their own. */
    return c->link->store->cluster && (*tag == '\0' || *tag == '}') ? "-" : tag;
}

/* --- pieces of arguments --- */

static void add_record(struct ask *c, const struct series_record *r)
{
    ask_text(c, r->key);
    ask_place(c, "", r->at, r->id);
    ask_add(c, r->data, r->len);
}

static void add_marks(struct ask *c, const struct series_append *a)
{
    ask_uint(c, a->n_marks);
    for (size_t i = 0; i < a->n_marks; i++) {
        ask_text(c, a->marks[i].name);
        ask_int(c, a->marks[i].value);
    }
}

static enum ask_result not_mine(struct ask *c, struct err *e)
{
    atomic_store(&c->link->store->decides_ns, 0);
    return fail(e, &ERR_BUSY, "another node decides this"), ASK_FAILED;
}

static enum ask_result appended(struct ask *c, const redisReply *r, struct err *e)
{
    if (r->type != REDIS_REPLY_INTEGER)
        return redis_strange(e), ASK_FAILED;
    return r->integer ? ASK_DONE : not_mine(c, e);
}

/* --- a Cluster: what goes to one tag --- */

struct trimmed {
    const char *key;
    int64_t before;
    bool empty;
};

/* A record or a trim, in the order they go to Redis: by turn and tag, records first, each as it
 * came. */
struct piece {
    const char *tag;
    int turn; /* 0: at once; the rest each after what has an earlier one was carried out */
    const struct series_record *record; /* or */
    struct trimmed *trim;
};

struct spreading {
    const char *number, *writer, *term;
    struct piece *pieces;
    struct trimmed *trims;
    size_t n, n_trims, sent;
};

static int in_order(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    int order = x->turn - y->turn;
    if (!order)
        order = strcmp(x->tag, y->tag);
    if (!order)
        order = !x->record - !y->record;
    if (!order && x->record)
        order = (x->record > y->record) - (x->record < y->record);
    else if (!order)
        order = (x->trim > y->trim) - (x->trim < y->trim);
    return order;
}

/* Pieces of one tag, for its script to report on. */
struct part {
    struct piece *pieces;
    size_t n;
};

static enum ask_result refused(struct ask *c, const redisReply *r, struct err *e)
{
    struct redis *s = c->link->store;
    bool term = strcmp(r->element[0]->str, "term") == 0;
    int64_t seen = 0;
    if (r->elements != 2 || !redis_number(r->element[1], &seen))
        return redis_strange(e), ASK_FAILED;
    /* If this one is late it is refused in the control plane's slot next time; if not, the number
     * there was lost, and is raised. */
    atomic_store(term ? &s->least_term : &s->least_writer, (uint_fast64_t)seen);
    return fail(e, &ERR_IO, "a later %s has written", term ? "decider" : "start of this node"),
           ASK_FAILED;
}

static enum ask_result part_written(struct ask *c, const redisReply *r, struct err *e)
{
    const struct part *p = c->state;
    size_t at = 1;
    if (r->type != REDIS_REPLY_ARRAY || r->elements < 1 ||
        r->element[0]->type != REDIS_REPLY_STRING)
        return redis_strange(e), ASK_FAILED;
    if (strcmp(r->element[0]->str, "1") != 0)
        return refused(c, r, e);
    for (size_t i = 0; i < p->n; i++) {
        if (p->pieces[i].record)
            continue;
        if (at == r->elements || r->element[at]->type != REDIS_REPLY_STRING)
            return redis_strange(e), ASK_FAILED;
        p->pieces[i].trim->empty = strcmp(r->element[at++]->str, "1") == 0;
    }
    return ASK_DONE;
}

static void send_part(struct ask *whole, struct piece *pieces, size_t n)
{
    const struct spreading *g = whole->state;
    struct ask *c = ask_part(whole);
    struct part *p = arena_zero(c->arena, sizeof *p);
    size_t records = 0;
    *p = (struct part){pieces, n};
    while (records < n && pieces[records].record)
        records++;
    c->state = p;
    ask_begin_at(c, SCRIPT_APPEND_PART, pieces->tag);
    ask_text(c, g->writer);
    ask_text(c, g->term);
    ask_text(c, pieces->tag);
    ask_uint(c, records);
    for (size_t i = 0; i < records; i++)
        add_record(c, pieces[i].record);
    ask_uint(c, n - records);
    for (size_t i = records; i < n; i++) {
        ask_text(c, pieces[i].trim->key);
        ask_place(c, "", pieces[i].trim->before, "");
    }
    c->reply = part_written;
    ask_send(c);
}

/* --- a Cluster: the three steps --- */

static void end_spread(struct ask *c)
{
    const struct series_append *a = c->job->append;
    const struct spreading *g = c->state;
    ask_begin(c, SCRIPT_APPEND_END);
    ask_text(c, a->duty ? "1" : "0");
    ask_text(c, g->number);
    ask_uint(c, a->n);
    for (size_t i = 0; i < a->n; i++)
        ask_text(c, a->records[i].key);
    ask_uint(c, g->n_trims);
    for (size_t i = 0; i < g->n_trims; i++) {
        ask_text(c, g->trims[i].key);
        ask_text(c, g->trims[i].empty ? "1" : "0");
    }
    add_marks(c, a);
    c->reply = appended;
}

static size_t same_tag(const struct spreading *g, size_t from)
{
    size_t to = from + 1;
    while (to < g->n && g->pieces[to].turn == g->pieces[from].turn &&
           strcmp(g->pieces[to].tag, g->pieces[from].tag) == 0)
        to++;
    return to;
}

/* Late is the tag of the last record, which may say that the others are there, and later what is
 * only taken away from: whoever is told that this failed must find the one or the other. Where
 * there are marks these say it. */
static void order(struct ask *c, struct spreading *g)
{
    const struct series_append *a = c->job->append;
    const char *last = a->n ? redis_tag(c, a->records[a->n - 1].key) : "";
    if (g->n)
        qsort(g->pieces, g->n, sizeof *g->pieces, in_order);
    for (size_t from = 0, to; from < g->n && !a->n_marks; from = to) {
        to = same_tag(g, from);
        bool is_last = strcmp(g->pieces[from].tag, last) == 0;
        for (size_t i = from; i < to; i++)
            g->pieces[i].turn = !g->pieces[from].record ? 2 : is_last;
    }
    if (g->n)
        qsort(g->pieces, g->n, sizeof *g->pieces, in_order);
}

/* Those of one turn, then those of the next; then the last step. */
static enum ask_result send_parts(struct ask *c)
{
    struct spreading *g = c->state;
    if (g->sent == g->n) {
        end_spread(c);
        return ASK_AGAIN;
    }
    const int turn = g->pieces[g->sent].turn;
    c->parts = 1;
    c->joined = send_parts;
    while (g->sent < g->n && g->pieces[g->sent].turn == turn) {
        size_t from = g->sent;
        g->sent = same_tag(g, from);
        send_part(c, &g->pieces[from], g->sent - from);
    }
    return ASK_PARTS;
}

static enum ask_result begun(struct ask *c, const redisReply *r, struct err *e)
{
    const struct series_append *a = c->job->append;
    struct spreading *g = arena_zero(c->arena, sizeof *g);
    const size_t fixed = 3;
    bool good = r->type == REDIS_REPLY_ARRAY && r->elements >= 1;
    for (size_t i = 0; good && i < r->elements; i++)
        good = r->element[i]->type == REDIS_REPLY_STRING;
    if (good && r->element[0]->len == 0)
        return not_mine(c, e);
    if (!good || r->elements < fixed || (r->elements - fixed) % 2)
        return redis_strange(e), ASK_FAILED;
    c->state = g;
    g->number = arena_text(c->arena, r->element[0]->str);
    g->writer = arena_text(c->arena, r->element[1]->str);
    g->term = arena_text(c->arena, r->element[2]->str);
    size_t trims = (r->elements - fixed) / 2;
    g->pieces = arena_zero(c->arena, (a->n + trims + 1) * sizeof *g->pieces);
    g->trims = arena_zero(c->arena, (trims + 1) * sizeof *g->trims);
    if (!g->pieces || !g->trims)
        return fail(e, &ERR_MEMORY, "too many series at once"), ASK_FAILED;
    for (size_t i = 0; i < a->n; i++)
        g->pieces[g->n++] =
            (struct piece){.tag = redis_tag(c, a->records[i].key), .record = &a->records[i]};
    for (size_t i = fixed; i < r->elements; i += 2) {
        int64_t which;
        if (!redis_number(r->element[i + 1], &which) || which < 0 || (size_t)which >= a->n_trims)
            return redis_strange(e), ASK_FAILED;
        struct trimmed *t = &g->trims[g->n_trims++];
        *t = (struct trimmed){arena_text(c->arena, r->element[i]->str), a->trims[which].before,
                              false};
        g->pieces[g->n++] = (struct piece){.tag = redis_tag(c, t->key), .trim = t};
    }
    order(c, g);
    return send_parts(c);
}

static void append_spread(struct ask *c)
{
    const struct redis *s = c->link->store;
    const struct series_append *a = c->job->append;
    ask_begin(c, SCRIPT_APPEND_BEGIN);
    ask_text(c, a->duty ? "1" : "0");
    ask_uint(c, atomic_load(&s->least_writer));
    ask_uint(c, atomic_load(&s->least_term));
    ask_uint(c, a->n);
    for (size_t i = 0; i < a->n; i++)
        ask_text(c, a->records[i].key);
    ask_uint(c, a->n_trims);
    for (size_t i = 0; i < a->n_trims; i++)
        ask_text(c, a->trims[i].key);
    c->reply = begun;
    ask_send(c);
}

void redis_append(struct ask *c)
{
    const struct series_append *a = c->job->append;
    if (c->link->store->cluster) {
        append_spread(c);
        return;
    }
    ask_begin(c, SCRIPT_APPEND);
    ask_text(c, a->duty ? "1" : "0");
    ask_uint(c, a->n);
    for (size_t i = 0; i < a->n; i++)
        add_record(c, &a->records[i]);
    ask_uint(c, a->n_trims);
    for (size_t i = 0; i < a->n_trims; i++) {
        ask_text(c, a->trims[i].key);
        ask_place(c, "", a->trims[i].before, "");
    }
    add_marks(c, a);
    c->reply = appended;
    ask_send(c);
}
