#include "validation/run_store.h"

#include "base/json.h"
#include "base/mem.h"
#include "registry/errors.h"
#include "store/wait.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LIST_MAX  1000
#define LIST_SIZE ((size_t)64 << 20)

static const char *key_of_model(struct arena *a, uint64_t uid)
{
    return arena_printf(a, "v/%" PRIu64, uid);
}

static const char *key_aside(struct arena *a, uint64_t uid)
{
    return arena_printf(a, "vk/%" PRIu64, uid);
}

static const char *place_json(struct arena *a, const struct run *r, const char *ns, uint64_t uid)
{
    struct bytes b = BYTES_INIT(16384);
    bytes_char(&b, '{');
    json_kv_string(&b, "namespace", ns);
    json_kv_int(&b, "uid", (int64_t)uid);
    json_kv_int(&b, "at", r->queued_at);
    json_kv_string(&b, "run_id", r->run_id);
    json_kv_string(&b, "batch_id", r->batch_id);
    json_kv_string(&b, "model_id", r->model_id);
    bytes_char(&b, '}');
    const char *text = b.full ? NULL : arena_copy(a, b.data, b.len);
    bytes_release(&b);
    return text;
}

bool run_records(const struct run *r, const char *ns, uint64_t uid, struct arena *a,
                 struct series_record *out, size_t *n, struct err *e)
{
    struct bytes b = BYTES_INIT(RUN_TEXT_MAX);
    run_encode(r, NULL, &b);
    char *text = b.full ? NULL : arena_alloc(a, b.len + 1);
    if (text)
        memcpy(text, b.data, b.len + 1);
    size_t len = b.len;
    bytes_release(&b);
    const char *place = place_json(a, r, ns, uid);
    if (!text || !place)
        return fail(e, &ERR_MEMORY, "run '%.128s' is too long to be stored", r->run_id);
    out[0] = (struct series_record){key_of_model(a, uid), r->queued_at, arena_text(a, r->run_id),
                                    text, len};
    out[1] =
        (struct series_record){arena_printf(a, "vr/%s", r->run_id), 1, "", place, strlen(place)};
    *n = 2;
    if (r->batch_id)
        out[(*n)++] = (struct series_record){arena_printf(a, "vb/%s", r->batch_id), r->queued_at,
                                             arena_text(a, r->run_id), place, strlen(place)};
    return true;
}

bool run_put(struct store *s, const struct run *r, const char *ns, uint64_t uid, bool duty,
             struct err *e)
{
    struct series_record records[RUN_RECORDS];
    struct arena *a = arena_new(RUN_TEXT_MAX + (1 << 20));
    size_t n = 0;
    bool ok = run_records(r, ns, uid, a, records, &n, e);
    struct series_append append = {.records = records, .n = n, .duty = duty};
    ok = ok && store_append_wait(s, &append, e);
    arena_free(a);
    return ok;
}

/* --- removing --- */

bool run_remove(struct store *s, uint64_t uid, const struct run_text *list, const bool *aside,
                size_t n, struct arena *a, struct err *e)
{
    struct series_record *records = arena_zero(a, (n + 1) * sizeof *records);
    struct series_trim *trims = arena_zero(a, (n + 1) * sizeof *trims);
    struct series_append append = {.records = records, .trims = trims};
    for (size_t i = 0; i < n; i++) {
        if (aside[i])
            records[append.n++] = (struct series_record){key_aside(a, uid), list[i].at,
                                                         list[i].run_id, list[i].text, list[i].len};
        else
            trims[append.n_trims++] =
                (struct series_trim){arena_printf(a, "vr/%s", list[i].run_id), 2};
    }
    if (n)
        trims[append.n_trims++] = (struct series_trim){key_of_model(a, uid), list[n - 1].at + 1};
    return store_append_wait(s, &append, e);
}

bool run_forget_nights(struct store *s, int64_t before, struct err *e)
{
    const struct series_trim trim = {"vb/*", before};
    struct series_append append = {.trims = &trim, .n_trims = 1};
    return store_append_wait(s, &append, e);
}

/* --- reading --- */

struct reading {
    struct arena *arena;
    struct run_text *list;
    size_t n, cap, limit, bytes, bytes_max;
    bool more, full;
};

/* [store] */
static bool take(void *ctx, const char *key, int64_t at, const char *id, const void *data,
                 size_t len)
{
    struct reading *r = ctx;
    (void)key;
    if (r->n == r->limit || (r->n && r->bytes + len > r->bytes_max)) {
        r->more = true;
        return false;
    }
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 16;
        struct run_text *list = arena_alloc(r->arena, cap * sizeof *list);
        if (!list)
            return r->full = true, false;
        if (r->n)
            memcpy(list, r->list, r->n * sizeof *list);
        r->list = list;
        r->cap = cap;
    }
    size_t id_len = strlen(id);
    char *text = arena_alloc(r->arena, len + 1 + id_len + 1);
    if (!text)
        return r->full = true, false;
    memcpy(text, data, len);
    text[len] = '\0';
    memcpy(text + len + 1, id, id_len + 1);
    r->list[r->n++] = (struct run_text){at, text + len + 1, text, len};
    r->bytes += len;
    return true;
}

static bool read_all(struct store *s, struct series_read *q, struct reading *r, struct err *e)
{
    q->each = take;
    q->ctx = r;
    if (!store_read_wait(s, q, e))
        return false;
    return !r->full || fail(e, &ERR_MEMORY, "the runs do not fit into memory");
}

bool run_list(struct store *s, const struct run_range *range, struct arena *a,
              struct run_text **out, size_t *n, bool *more, struct err *e)
{
    struct reading r = {.arena = a,
                        .limit = range->limit ? range->limit : LIST_MAX,
                        .bytes_max = range->bytes_max ? range->bytes_max : LIST_SIZE};
    struct series_read q = {.key = range->aside ? key_aside(a, range->uid)
                                   : range->uid ? key_of_model(a, range->uid)
                                                : arena_printf(a, "vb/%s", range->batch_id),
                            .from = range->from,
                            .to = range->to,
                            .newest_first = range->newest_first,
                            .limit = r.limit + 1};
    if (!read_all(s, &q, &r, e))
        return false;
    *out = r.list;
    *n = r.n;
    if (more)
        *more = r.more;
    return true;
}

static const char *member(const json_t *object, const char *key, struct arena *a)
{
    return arena_text(a, json_string_value(json_object_get(object, key)));
}

bool run_place_read(const struct run_text *t, struct arena *a, struct run_place *out)
{
    json_t *place = json_read(t->text, t->len, NULL);
    *out = (struct run_place){
        .ns = member(place, "namespace", a),
        .uid = (uint64_t)json_integer_value(json_object_get(place, "uid")),
        .at = json_integer_value(json_object_get(place, "at")),
        .run_id = member(place, "run_id", a),
        .batch_id = member(place, "batch_id", a),
        .model_id = member(place, "model_id", a),
    };
    json_decref(place);
    return out->ns && out->run_id && out->model_id && out->uid;
}

bool run_find(struct store *s, const char *ns, const char *run_id, struct arena *a,
              struct run_place *where, const char **text, size_t *len, struct err *e)
{
    struct reading r = {.arena = a, .limit = 1, .bytes_max = LIST_SIZE};
    struct series_read q = {.key = arena_printf(a, "vr/%s", run_id), .limit = 1};
    if (!read_all(s, &q, &r, e))
        return false;
    if (r.n == 0 || !run_place_read(&r.list[0], a, where) || strcmp(where->ns, ns) != 0)
        return fail(e, &RUN_NOT_FOUND, "no validation run '%.128s' in namespace '%.128s'", run_id,
                    ns);
    for (int aside = 0; aside < 2; aside++) {
        struct run_range range = {
            .uid = where->uid, .from = where->at, .to = where->at + 1, .aside = aside};
        struct run_text *list;
        size_t n;
        if (!run_list(s, &range, a, &list, &n, NULL, e))
            return false;
        for (size_t i = 0; i < n; i++)
            if (strcmp(list[i].run_id, run_id) == 0) {
                *text = list[i].text;
                *len = list[i].len;
                return true;
            }
    }
    return fail(e, &RUN_NOT_FOUND, "the validation run '%.128s' is kept no more", run_id);
}

bool run_get(struct store *s, const char *ns, const char *run_id, struct arena *a, struct run *out,
             struct err *e)
{
    struct run_place where;
    const char *text;
    size_t len;
    return run_find(s, ns, run_id, a, &where, &text, &len, e) && run_decode(text, len, a, out, e);
}
