#include "store/memory.h"

#include "base/grow.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Does `key` fall under `pattern`, which is exact or ends in '*'? */
static bool covers(const char *pattern, const char *key)
{
    size_t len = strlen(pattern);
    if (len && pattern[len - 1] == '*')
        return strncmp(pattern, key, len - 1) == 0;
    return strcmp(pattern, key) == 0;
}

static int record_order(const struct memory_record *r, int64_t at, const char *id)
{
    if (r->at != at)
        return r->at < at ? -1 : 1;
    return strcmp(r->id, id);
}

/* The first record that is not before (at, id). */
static size_t place_of(const struct memory_series *s, int64_t at, const char *id)
{
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (record_order(&s->records[mid], at, id) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void record_free(struct memory_record *r)
{
    free(r->id);
    free(r->data);
}

static void record_put(struct memory *m, const struct series_record *from)
{
    struct memory_series *s = map_get(m->series, from->key, strlen(from->key));
    if (!s) {
        s = mem_zero(1, sizeof *s);
        map_set(m->series, from->key, strlen(from->key), s);
    }
    size_t at = place_of(s, from->at, from->id);
    if (at < s->n && record_order(&s->records[at], from->at, from->id) == 0) {
        record_free(&s->records[at]);
    } else {
        GROW(s->records, s->n, s->cap);
        memmove(&s->records[at + 1], &s->records[at], (s->n - at) * sizeof *s->records);
        s->n++;
    }
    s->records[at] = (struct memory_record){from->at, mem_text(from->id),
                                            mem_copy(from->data, from->len), from->len};
}

static void trim(struct memory *m, const struct series_trim *t)
{
    size_t at = 0, key_len;
    const void *key;
    void *value;
    while (map_next(m->series, &at, &key, &key_len, &value)) {
        struct memory_series *s = value;
        char *text = mem_copy(key, key_len);
        size_t gone = covers(t->key, text) ? place_of(s, t->before, "") : 0;
        free(text);
        for (size_t i = 0; i < gone; i++)
            record_free(&s->records[i]);
        memmove(s->records, s->records + gone, (s->n - gone) * sizeof *s->records);
        s->n -= gone;
    }
}

bool memory_append(struct memory *m, struct series_append *a, struct err *e)
{
    (void)e;
    for (size_t i = 0; i < a->n; i++)
        record_put(m, &a->records[i]);
    for (size_t i = 0; i < a->n_trims; i++)
        trim(m, &a->trims[i]);
    for (size_t i = 0; i < a->n_marks; i++) {
        const char *name = a->marks[i].name;
        free(map_set(m->marks, name, strlen(name), mem_copy(&a->marks[i].value, sizeof(int64_t))));
    }
    return true;
}

static int text_compare(const void *a, const void *b)
{
    char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* The keys that `pattern` covers, sorted; each and the array are the caller's. */
static char **keys_of(const struct memory *m, const char *pattern, size_t *n)
{
    char **keys = mem_alloc(map_count(m->series) * sizeof *keys);
    size_t at = 0, len;
    const void *key;
    *n = 0;
    while (map_next(m->series, &at, &key, &len, NULL)) {
        char *text = mem_copy(key, len);
        if (covers(pattern, text))
            keys[(*n)++] = text;
        else
            free(text);
    }
    qsort(keys, *n, sizeof *keys, text_compare);
    return keys;
}

/* False: the reader has had enough. */
static bool read_key(const struct memory *m, const char *key, const struct series_read *r,
                     size_t *left)
{
    const struct memory_series *s = map_get(m->series, key, strlen(key));
    size_t from = place_of(s, r->from, ""), to = r->to ? place_of(s, r->to, "") : s->n;
    for (size_t i = from; i < to; i++) {
        const struct memory_record *record = &s->records[r->newest_first ? to - 1 - (i - from) : i];
        if (!r->each(r->ctx, key, record->at, record->id, record->data, record->len) ||
            --*left == 0)
            return false;
    }
    return true;
}

bool memory_read(struct memory *m, struct series_read *r, struct err *e)
{
    (void)e;
    size_t n, left = r->limit ? r->limit : SIZE_MAX;
    char **keys = keys_of(m, r->key, &n);
    bool goes_on = true;
    for (size_t i = 0; i < n; i++) {
        if (goes_on)
            goes_on = read_key(m, keys[r->newest_first ? n - 1 - i : i], r, &left);
    }
    for (size_t i = 0; i < n; i++)
        free(keys[i]);
    free(keys);
    return true;
}

bool memory_mark(struct store *s, const char *name, int64_t *value, bool *found, struct err *e)
{
    (void)e;
    struct memory *m = memory_of(s);
    pthread_mutex_lock(&m->lock);
    const int64_t *mark = map_get(m->marks, name, strlen(name));
    *found = mark != NULL;
    if (mark)
        memcpy(value, mark, sizeof *value);
    pthread_mutex_unlock(&m->lock);
    return true;
}

void memory_series_free(struct memory *m)
{
    size_t at = 0;
    void *value;
    while (map_next(m->series, &at, NULL, NULL, &value)) {
        struct memory_series *s = value;
        for (size_t i = 0; i < s->n; i++)
            record_free(&s->records[i]);
        free(s->records);
        free(s);
    }
    map_free(m->series);
    at = 0;
    while (map_next(m->marks, &at, NULL, NULL, &value))
        free(value);
    map_free(m->marks);
}
