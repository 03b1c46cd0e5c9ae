#include "telemetry/batch_impl.h"

#include "base/grow.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

const struct err_kind BATCH_TOO_LONG = {"BATCH_TOO_LARGE", 413, "Batch too large",
                                        "A batch of inference records has at most 10,000 array "
                                        "items or 200,000 NDJSON lines. Send it in parts."};

#define CARRY_MAX     (64u << 20) /* a guard: bodies are limited long before */
#define NAMES_MAX     (4u << 20)  /* above 200,000 records of 16 scores */
#define GROUP_UNKNOWN UINT32_MAX

struct batch *batch_new(void)
{
    struct batch *b = mem_zero(1, sizeof *b);
    scanner_init(&b->scanner);
    bytes_init(&b->carry, CARRY_MAX);
    words_init(&b->errors, RECORD_ERROR_MASK - 1);
    words_init(&b->names, NAMES_MAX);
    words_init(&b->ids, BATCH_LINES_MAX);
    words_init(&b->uids, BATCH_LINES_MAX);
    return b;
}

void batch_free(struct batch *b)
{
    if (!b)
        return;
    scanner_release(&b->scanner);
    bytes_release(&b->carry);
    words_release(&b->errors);
    words_release(&b->names);
    words_release(&b->ids);
    words_release(&b->uids);
    free(b->records);
    free(b->group_of);
    free(b->scores);
    free(b->id_groups);
    free(b->groups);
    free(b->payload);
    free(b->decided);
    free(b);
}

void batch_start(struct batch *b, const struct batch_config *config, struct faults *f)
{
    b->config = *config;
    b->scanner.faults = f;
    b->scanner.now_ms = config->now_ms;
    b->scanner.oldest_ms = config->oldest_ms > 0 ? config->oldest_ms : 0;
    b->scanner.index = 0;
    b->scanner.indexed = config->format == BATCH_NDJSON;
    bytes_clear(&b->carry);
    words_clear(&b->errors);
    words_clear(&b->names);
    words_clear(&b->ids);
    words_clear(&b->uids);
    b->last_id = WORD_NONE;
    b->hopeless = b->too_long = false;
    b->n_decided = 0;
    b->lines = b->n = b->n_scores = b->rejected = b->payload_len = 0;
    b->faults_before = f->total;
}

/* --- models --- */

static uint32_t new_group(struct batch *b, uint64_t uid)
{
    uint32_t known = b->uids.n;
    uint32_t group = words_put(&b->uids, (const char *)&uid, sizeof uid);
    if (group == known) {
        GROW(b->groups, group, b->groups_cap);
        b->groups[group] = (struct payload_group){.uid = uid};
    }
    return group;
}

/* The group of a model id; the caller's registry is asked once for each. */
static uint32_t group_of_id(struct batch *b, struct span id)
{
    if (b->last_id != WORD_NONE) {
        size_t len;
        const char *last = words_get(&b->ids, b->last_id, &len);
        if (len == id.len && memcmp(last, id.text, len) == 0)
            return b->id_groups[b->last_id];
    }
    uint32_t known = b->ids.n;
    uint32_t word = words_put(&b->ids, id.text, id.len);
    if (word == WORD_NONE)
        return GROUP_UNKNOWN;
    if (word == known) {
        uint64_t uid = b->config.resolve(b->config.ctx, id.text, id.len);
        GROW(b->id_groups, word, b->id_groups_cap);
        b->id_groups[word] = uid ? new_group(b, uid) : GROUP_UNKNOWN;
    }
    b->last_id = word;
    return b->id_groups[word];
}

/* Find the model of the current record, or refuse it. */
static bool find_model(struct batch *b, const struct record *r, uint32_t *group)
{
    struct span id = r->model_id;
    if (b->config.uid) {
        const char *own = b->config.model_id;
        if (id.text && own && (strlen(own) != id.len || memcmp(own, id.text, id.len) != 0))
            scanner_refuse(&b->scanner, &ERR_INVALID, "/model_id",
                           "must be '%s', the model of the path, or be left out", own);
        return !b->scanner.refused;
    }
    if (!id.text) {
        scanner_refuse(&b->scanner, &ERR_INVALID, "/model_id", "is required");
        return false;
    }
    *group = group_of_id(b, id);
    if (*group == GROUP_UNKNOWN)
        scanner_refuse(&b->scanner, &ERR_INVALID, "/model_id", "no model with id '%.*s'",
                       (int)utf8_cut(id.text, id.len, 200), id.text);
    return !b->scanner.refused;
}

/* --- records --- */

static void keep_scores(struct batch *b, const struct record *r)
{
    for (size_t i = 0; i < r->n_scores; i++) {
        const struct score *s = &r->scores[i];
        GROW(b->scores, b->n_scores, b->scores_cap);
        b->scores[b->n_scores++] = (struct payload_score){
            s->value, (uint32_t)b->n, words_put(&b->names, s->name.text, s->name.len)};
    }
}

/* Its scores are the last that were kept. */
static void keep_decision(struct batch *b, const struct record *r, const struct batch_decision *d)
{
    GROW(b->decided, b->n_decided, b->decided_cap);
    b->decided[b->n_decided++] =
        (struct decided_record){*d, b->n, b->n_scores - r->n_scores, r->n_scores};
}

static inline void keep(struct batch *b, const struct record *r)
{
    uint32_t group = 0;
    if (b->scanner.refused && !b->config.uid && !r->model_id.text)
        scanner_refuse(&b->scanner, &ERR_INVALID, "/model_id", "is required"); /* as well */
    if (b->scanner.refused || ((!b->config.uid || r->model_id.text) && !find_model(b, r, &group))) {
        b->rejected++;
        return;
    }
    uint64_t bits = (uint64_t)r->timestamp << RECORD_TIME_SHIFT;
    if (r->skewed)
        bits |= RECORD_SKEWED;
    if (r->failure)
        bits |= RECORD_FAILURE;
    struct batch_decision d = {0};
    if (r->decision.text && b->config.decision) {
        b->config.decision(b->config.ctx, r->decision.text, r->decision.len,
                           b->config.uid ? b->config.uid : b->groups[group].uid, &d);
        bits |= d.named ? 0 : RECORD_MISMATCHED;
    }
    if (r->error_type.text)
        bits |= words_put(&b->errors, r->error_type.text, r->error_type.len) + 1;
    GROW(b->records, b->n, b->cap);
    b->records[b->n] = (struct payload_record){r->latency_ms, bits};
    if (!b->config.uid) {
        GROW(b->group_of, b->n, b->group_of_cap);
        b->group_of[b->n] = group;
        b->groups[group].records++;
    }
    if (r->n_scores)
        keep_scores(b, r);
    if (d.concerns)
        keep_decision(b, r, &d);
    b->n++;
}

/* Refuse the current record because its text is no JSON; `from` is where its line or body begins.
 */
static void malformed(struct batch *b, const char *unit, const char *from, const char *where,
                      const char *why)
{
    scanner_refuse(&b->scanner, &ERR_MALFORMED_JSON, "", "%s, at byte %zu of the %s", why,
                   (size_t)(where - from), unit);
    b->rejected++;
}

static bool too_long(struct batch *b)
{
    b->too_long = b->hopeless = true;
    return false;
}

/* One line of NDJSON. */
static bool scan_line(struct batch *b, const char *line, const char *end)
{
    struct scanner *s = &b->scanner;
    const char *p = token_space(line, end);
    if (b->lines == BATCH_LINES_MAX)
        return too_long(b);
    s->index = b->lines++;
    if (p >= end)
        return true;
    p = scanner_record(s, p, end, &b->record);
    if (!p) {
        malformed(b, "line", line, s->where, s->why);
        return true;
    }
    p = token_space(p, end);
    if (p < end)
        malformed(b, "line", line, p, "something follows the record");
    else
        keep(b, &b->record);
    return true;
}

bool batch_feed(struct batch *b, const char *data, size_t len)
{
    const char *end = data + len;
    if (b->hopeless)
        return false;
    if (b->config.format == BATCH_JSON)
        return bytes_add(&b->carry, data, len) || too_long(b);
    while (data < end) {
        const char *eol = memchr(data, '\n', (size_t)(end - data));
        if (!eol)
            return bytes_add(&b->carry, data, (size_t)(end - data)) || too_long(b);
        if (b->carry.len == 0) {
            if (!scan_line(b, data, eol))
                return false;
        } else {
            if (!bytes_add(&b->carry, data, (size_t)(eol - data)))
                return too_long(b);
            if (!scan_line(b, b->carry.data, b->carry.data + b->carry.len))
                return false;
            bytes_clear(&b->carry);
        }
        data = eol + 1;
    }
    return true;
}

/* --- a body of plain JSON --- */

/* The text itself is broken: nothing behind this point can be trusted. */
static const char *broken(struct batch *b, const char *where, const char *why)
{
    malformed(b, "body", b->carry.data, where, why);
    b->hopeless = true;
    return NULL;
}

static const char *scan_items(struct batch *b, const char *p, const char *end)
{
    struct scanner *s = &b->scanner;
    p = token_space(p, end);
    if (*p == ']')
        return p + 1;
    for (;;) {
        if (b->lines == BATCH_ITEMS_MAX) {
            too_long(b);
            return NULL;
        }
        s->indexed = true;
        s->index = b->lines++;
        p = scanner_record(s, p, end, &b->record);
        if (!p)
            return broken(b, s->where, s->why);
        keep(b, &b->record);
        s->indexed = false;
        p = token_space(p, end);
        if (*p == ']')
            return p + 1;
        if (*p != ',')
            return broken(b, p, "',' or ']' is expected");
        p = token_space(p + 1, end);
    }
}

static void scan_body(struct batch *b)
{
    struct scanner *s = &b->scanner;
    const char *body = bytes_room(&b->carry, 0) ? b->carry.data : NULL;
    if (!body)
        return;
    b->carry.data[b->carry.len] = '\0';
    const char *end = body + b->carry.len, *p = token_space(body, end);
    if (*p == '[') {
        p = scan_items(b, p + 1, end);
    } else if (*p == '{') {
        p = scanner_record(s, p, end, &b->record);
        if (p)
            keep(b, &b->record);
        else
            broken(b, s->where, s->why);
    } else {
        p = p < end ? token_skip(p, end, TOKEN_DEPTH_MAX, &s->scratch) : NULL;
        if (!p) {
            broken(b, body, "an object or an array is expected");
        } else {
            scanner_refuse(s, &ERR_INVALID, "", "must be an object or an array of objects");
            b->hopeless = true;
        }
    }
    if (p && (p = token_space(p, end)) < end)
        broken(b, p, "something follows the value");
}

bool batch_end(struct batch *b, struct err *e)
{
    struct faults *f = b->scanner.faults;
    if (b->config.format == BATCH_JSON && !b->hopeless)
        scan_body(b);
    else if (b->carry.len && !b->hopeless)
        scan_line(b, b->carry.data, b->carry.data + b->carry.len);
    if (b->too_long)
        return fail(e, &BATCH_TOO_LONG, "a batch has at most %d array items or %d NDJSON lines",
                    BATCH_ITEMS_MAX, BATCH_LINES_MAX);
    if (f->total > b->faults_before && (b->hopeless || !b->config.skip_invalid))
        return faults_fail(f, e);
    batch_form(b);
    return true;
}

size_t batch_accepted(const struct batch *b)
{
    return b->n;
}

size_t batch_rejected(const struct batch *b)
{
    return b->rejected;
}

size_t batch_bytes(const struct batch *b)
{
    return sizeof *b + b->carry.cap + b->scanner.scratch.cap + b->cap * sizeof *b->records +
           b->group_of_cap * sizeof *b->group_of + b->scores_cap * sizeof *b->scores +
           words_memory(&b->errors) + words_memory(&b->names) + words_memory(&b->ids) +
           words_memory(&b->uids) + b->id_groups_cap * sizeof *b->id_groups +
           b->groups_cap * sizeof *b->groups + b->payload_cap + b->decided_cap * sizeof *b->decided;
}

size_t batch_decided_count(const struct batch *b)
{
    return b->n_decided;
}

struct batch_decided batch_decided_at(const struct batch *b, size_t i)
{
    const struct decided_record *d = &b->decided[i];
    const struct payload_record *r = &b->records[d->record];
    return (struct batch_decided){d->decision, r->latency_ms, (r->bits & RECORD_FAILURE) != 0,
                                  d->scores};
}

double batch_decided_score(const struct batch *b, size_t i, size_t k, const char **name,
                           size_t *len)
{
    const struct payload_score *s = &b->scores[b->decided[i].score + k];
    *name = words_get(&b->names, s->name, len);
    return s->value;
}
