#include "registry/match.h"

#include "base/bytes.h"
#include "base/json.h"
#include "base/mem.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char *literal_of(const char *text, struct arena *a)
{
    struct bytes b = BYTES_INIT(1 << 20);
    json_put_string(&b, text);
    const char *literal = arena_copy(a, b.data, b.len);
    bytes_release(&b);
    return literal;
}

static struct slice literal_slice(const char *text, struct arena *a)
{
    const char *literal = literal_of(text, a);
    return (struct slice){literal, strlen(literal)};
}

static struct slice inside(struct slice literal)
{
    return (struct slice){literal.at + 1, literal.len - 2};
}

const struct label_literal *label_literals(const struct label_filter *labels, size_t n,
                                           struct arena *a)
{
    struct label_literal *list = arena_zero(a, (n + 1) * sizeof *list);
    for (size_t i = 0; i < n; i++)
        list[i] = (struct label_literal){literal_slice(labels[i].key, a),
                                         literal_slice(labels[i].value, a)};
    return list;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

const char *lower_text(const char *text, struct arena *a)
{
    char *copy = arena_text(a, text);
    for (char *p = copy; p && *p; p++)
        *p = lower(*p);
    return copy;
}

void match_init(struct match *m, const struct model_query *q, struct arena *a)
{
    *m = (struct match){.query = q, .arena = a};
    m->type.want = q->type;
    m->sport.want = q->sport;
    m->target.want = q->deployment_target;
    m->name.want = q->name;
    m->alias = q->alias ? literal_of(q->alias, a) : NULL;
    m->labels = label_literals(q->labels, q->n_labels, a);
    m->n_labels = q->n_labels;
    for (size_t i = 0; i < q->n_labels; i++)
        m->label_bits |= label_bits(inside(m->labels[i].key), m->labels[i].value);
    m->source_digest = text_mark(q->source_digest);
    m->training_run_id = text_mark(q->training_run_id);
    m->visit = q->alias || q->n_labels || q->source_digest || q->training_run_id || (q->q && *q->q);
    m->q = q->q && *q->q ? lower_text(q->q, a) : NULL;
    m->q_len = m->q ? strlen(m->q) : 0;
}

#define AHEAD 8 /* models whose memory is asked for in advance */

/* Does the shared text of this number pass? `text` is where the model keeps it: read only if the
 * number is a new one. */
static bool shared_text_is(struct text_filter *f, uint32_t id, const char *const *text)
{
    if (!f->want || (id && id == f->yes))
        return true;
    uint32_t *no = &f->no[id % TEXTS_REMEMBERED];
    if (id == 0 || id == *no)
        return false;
    bool same = strcmp(*text, f->want) == 0;
    *(same ? &f->yes : no) = id;
    return same;
}

/* May the one who asks read models of this name? Only lists of one namespace are limited. */
static bool name_seen(struct match *m, uint32_t id, const struct model *model)
{
    const struct grants *g = m->query->grants;
    uint32_t *yes = &m->seen.yes[id % TEXTS_REMEMBERED], *no = &m->seen.no[id % TEXTS_REMEMBERED];
    if (!g || (id && id == *yes))
        return true;
    if (id && id == *no)
        return false;
    bool allowed = grants_allow(g, model->entity.ns, model->name, ACTION_BIT(ACTION_READ));
    *(allowed ? yes : no) = id;
    return allowed;
}

static bool own_text_is(const char *want, const char *text)
{
    return !want || (text && strcmp(text, want) == 0);
}

static bool same_slice(struct slice a, struct slice b)
{
    return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

bool labels_match(struct slice object, const struct label_literal *want, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct slice inner = inside(want[i].key), key, value;
        struct scan s = scan_open(object, '{');
        bool found = false;
        while (!found && scan_member(&s, &key, &value))
            found = same_slice(key, inner) && same_slice(value, want[i].value);
        if (!found)
            return false;
    }
    return true;
}

bool text_contains(const char *text, size_t len, const char *needle, size_t needle_len)
{
    if (needle_len > len)
        return false;
    const char first = needle_len ? needle[0] : '\0';
    const char upper = first >= 'a' && first <= 'z' ? (char)(first & ~0x20) : first;
    for (size_t at = 0; at <= len - needle_len; at++) {
        if (needle_len && text[at] != first && text[at] != upper)
            continue;
        size_t i = 1;
        while (i < needle_len && lower(text[at + i]) == needle[i])
            i++;
        if (i >= needle_len)
            return true;
    }
    return false;
}

bool literal_contains(struct slice literal, const char *needle, size_t needle_len)
{
    if (literal.len < 2)
        return false;
    if (!memchr(literal.at, '\\', literal.len))
        return text_contains(literal.at + 1, literal.len - 2, needle, needle_len);
    char *plain = mem_alloc(literal.len);
    size_t len = slice_unescape(literal, plain);
    bool found = text_contains(plain, len, needle, needle_len);
    free(plain);
    return found;
}

static bool q_matches(struct match *m, const struct model *model)
{
    if (model->name != m->q_name) {
        m->q_name = model->name;
        m->q_name_found = text_contains(model->name, strlen(model->name), m->q, m->q_len);
    }
    return m->q_name_found ||
           text_contains(model->entity.id, strlen(model->entity.id), m->q, m->q_len) ||
           literal_contains(model_description(model), m->q, m->q_len);
}

/* The filters that need the model's own texts. */
static bool match_texts(struct match *m, const struct model *model)
{
    const struct model_query *q = m->query;
    return own_text_is(q->source_digest, model->source_digest) &&
           own_text_is(q->training_run_id, model->training_run_id) &&
           (!m->alias || model_has_alias(model, m->alias)) &&
           (!m->n_labels || labels_match(model_labels(model), m->labels, m->n_labels)) &&
           (!m->q || q_matches(m, model));
}

/* --- a chunk ---
 * keep[i] is 1 while row i passes, else 0. Each filter goes over its column in full, in loops of
 * known length without branches: that is what a compiler makes vectors of. */

static void keep_equal(uint8_t *restrict keep, const uint32_t *restrict column, uint32_t want)
{
    for (size_t i = 0; i < CHUNK_MAX; i++)
        keep[i] &= column[i] == want;
}

static void keep_marked(uint8_t *keep, const uint32_t *column, uint32_t want)
{
    if (want)
        keep_equal(keep, column, want);
}

/* A shared text has one number: once that is known, numbers are all there is to compare. `offset`
 * is where a model keeps the text. */
static void keep_shared(struct text_filter *f, uint8_t *keep, const uint32_t *column,
                        const struct chunk *c, size_t offset)
{
    if (!f->want)
        return;
    if (f->yes) {
        keep_equal(keep, column, f->yes);
        return;
    }
    for (size_t i = 0; i < c->n; i++) {
        const char *model = (const char *)c->items[i];
        keep[i] = keep[i] && shared_text_is(f, column[i], (const void *)(model + offset));
    }
}

static void keep_status(uint8_t *restrict keep, const uint8_t *restrict column, unsigned statuses)
{
    for (size_t i = 0; i < CHUNK_MAX; i++)
        keep[i] &= statuses >> column[i] & 1;
}

static void keep_created(uint8_t *restrict keep, const int64_t *restrict column, int64_t from,
                         int64_t to)
{
    for (size_t i = 0; i < CHUNK_MAX; i++)
        keep[i] &= (column[i] >= from) & (column[i] < to);
}

static void keep_labelled(uint8_t *restrict keep, const uint64_t *restrict column, uint64_t bits)
{
    for (size_t i = 0; i < CHUNK_MAX; i++)
        keep[i] &= (column[i] & bits) == bits;
}

static void keep_by_rows(struct match *m, const struct chunk *c, uint8_t *keep)
{
    const struct model_query *q = m->query;
    const struct model_rows *rows = c->rows;
    if (q->statuses)
        keep_status(keep, rows->status, q->statuses);
    if (q->created_from || q->created_to)
        keep_created(keep, rows->created_at, q->created_from,
                     q->created_to ? q->created_to : INT64_MAX);
    keep_marked(keep, rows->source_digest, m->source_digest);
    keep_marked(keep, rows->training_run_id, m->training_run_id);
    for (size_t i = 0; m->alias && i < CHUNK_MAX; i++)
        keep[i] &= rows->aliased[i];
    if (m->label_bits)
        keep_labelled(keep, rows->labels, m->label_bits);
    keep_shared(&m->type, keep, rows->type, c, offsetof(struct model, type));
    keep_shared(&m->sport, keep, rows->sport, c, offsetof(struct model, sport));
    keep_shared(&m->target, keep, rows->deployment_target, c,
                offsetof(struct model, deployment_target));
    keep_shared(&m->name, keep, rows->name, c, offsetof(struct model, name));
    for (size_t i = 0; q->grants && i < c->n; i++)
        keep[i] = keep[i] && name_seen(m, rows->name[i], model_of(c->items[i]));
}

static void ask_column(bool used, const void *column, size_t bytes)
{
    for (size_t i = 0; used && i < bytes; i += 64)
        __builtin_prefetch((const char *)column + i);
}

void match_prefetch(const struct match *m, const struct chunk *c)
{
    const struct model_rows *rows = c->rows;
    __builtin_prefetch(c); /* how many they are */
    ask_column(m->query->statuses, rows->status, sizeof rows->status);
    ask_column(m->label_bits, rows->labels, sizeof rows->labels);
    ask_column(m->type.want, rows->type, sizeof rows->type);
    ask_column(m->sport.want, rows->sport, sizeof rows->sport);
    ask_column(m->target.want, rows->deployment_target, sizeof rows->deployment_target);
}

/* The places kept, in ascending order. Eight that are not cost one comparison. */
static size_t gather(const uint8_t *keep, uint8_t *places)
{
    size_t n = 0;
    for (size_t i = 0; i < CHUNK_MAX; i += 8) {
        uint64_t eight;
        memcpy(&eight, keep + i, sizeof eight);
        for (size_t j = i; eight && j < i + 8; j++) {
            places[n] = (uint8_t)j;
            n += keep[j];
        }
    }
    return n;
}

/* Ask for the memory that the filters will read of models to come: of the farther one what tells
 * where its texts are, of the nearer one the texts. */
static ALWAYS_INLINE void prefetch(const struct match *m, const struct chunk *c,
                                   const uint8_t *places, size_t n, size_t i)
{
    if (i + 2 * AHEAD < n) {
        const struct model *far = model_of(c->items[places[i + 2 * AHEAD]]);
        __builtin_prefetch(far);
        __builtin_prefetch((const char *)far + 64);
    }
    if (i + AHEAD < n && m->q) {
        const struct model *near = model_of(c->items[places[i + AHEAD]]);
        __builtin_prefetch(near->entity.id);
        __builtin_prefetch(near->entity.json + near->description_at);
    }
}

static size_t match_visits(struct match *m, const struct chunk *c, uint8_t *places, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        prefetch(m, c, places, n, i);
        if (match_texts(m, model_of(c->items[places[i]])))
            places[kept++] = places[i];
    }
    return kept;
}

size_t match_chunk(struct match *m, const struct chunk *c, size_t from, size_t to,
                   uint8_t places[CHUNK_MAX])
{
    _Alignas(16) uint8_t keep[CHUNK_MAX] = {0};
    memset(keep + from, 1, to - from);
    keep_by_rows(m, c, keep);
    size_t n = gather(keep, places);
    return m->visit ? match_visits(m, c, places, n) : n;
}
