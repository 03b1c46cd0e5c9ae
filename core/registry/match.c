#include "registry/match.h"

#include "base/bytes.h"
#include "base/json.h"
#include "base/mem.h"

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

static bool has_mark(uint32_t want, uint32_t is)
{
    return !want || want == is;
}

bool match_row(struct match *m, const struct model_row *row, const struct model *model)
{
    const struct model_query *q = m->query;
    if (q->statuses && !(q->statuses >> row->status & 1))
        return false;
    if (row->created_at < q->created_from || (q->created_to && row->created_at >= q->created_to))
        return false;
    if (!has_mark(m->source_digest, row->source_digest) ||
        !has_mark(m->training_run_id, row->training_run_id) || (m->alias && !row->aliased) ||
        (row->labels & m->label_bits) != m->label_bits)
        return false;
    return shared_text_is(&m->type, row->type, &model->type) &&
           shared_text_is(&m->sport, row->sport, &model->sport) &&
           shared_text_is(&m->target, row->deployment_target, &model->deployment_target) &&
           shared_text_is(&m->name, row->name, &model->name) &&
           (!m->visit || match_texts(m, model));
}

bool match_model(struct match *m, const struct model *model)
{
    struct model_row row = model_row_of(model);
    return match_row(m, &row, model);
}
