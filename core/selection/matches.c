#include "selection/matches.h"

#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct noted {
    char *ns, *id;
    int64_t at_ms;
};

struct matches {
    pthread_mutex_t lock;
    struct map *noted; /* "ns\0id" to struct noted */
};

struct matches *matches_new(void)
{
    struct matches *m = mem_zero(1, sizeof *m);
    m->noted = map_new();
    pthread_mutex_init(&m->lock, NULL);
    return m;
}

static void noted_free(struct noted *n)
{
    free(n->ns);
    free(n->id);
    free(n);
}

void matches_free(struct matches *m)
{
    const void *key;
    size_t at = 0, len;
    void *value;
    if (!m)
        return;
    while (map_next(m->noted, &at, &key, &len, &value))
        noted_free(value);
    map_free(m->noted);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* ---- a question as a text ---- */

static void put_text(json_t *to, const char *key, const char *text)
{
    if (text)
        json_object_set_new(to, key, json_string(text));
}

const char *match_id(const struct selection_question *q, struct arena *a)
{
    json_t *what = json_object();
    put_text(what, "sport", q->sport);
    put_text(what, "type", q->type);
    put_text(what, "deployment_target", q->deployment_target);
    if (json_object_size(q->labels) > 0)
        json_object_set(what, "labels", (json_t *)(uintptr_t)q->labels);
    char *text = json_dumps(what, JSON_SORT_KEYS | JSON_COMPACT);
    const char *id = text && strlen(text) <= MATCHES_ID_MAX ? arena_text(a, text) : NULL;
    free(text);
    json_decref(what);
    return id;
}

static const char *text_of(const json_t *what, const char *key, struct arena *a)
{
    const json_t *text = json_object_get(what, key);
    return text ? arena_text(a, json_string_value(text)) : NULL;
}

bool match_question(const char *ns, const char *id, struct arena *a, struct selection_question *q)
{
    struct err e;
    json_t *what = json_read(id, strlen(id), &e);
    if (!json_is_object(what)) {
        json_decref(what);
        return false;
    }
    *q = (struct selection_question){.ns = ns,
                                     .sport = text_of(what, "sport", a),
                                     .type = text_of(what, "type", a),
                                     .deployment_target = text_of(what, "deployment_target", a),
                                     .labels = json_incref(json_object_get(what, "labels"))};
    json_decref(what);
    return true;
}

/* ---- who asks ---- */

bool matches_note(struct matches *m, const char *ns, const char *id, int64_t now_ms)
{
    char key[1024 + MATCHES_ID_MAX];
    size_t ns_len = strlen(ns) + 1, len = ns_len + strlen(id);
    if (len > sizeof key)
        return false;
    memcpy(key, ns, ns_len);
    memcpy(key + ns_len, id, len - ns_len);
    pthread_mutex_lock(&m->lock);
    struct noted *n = map_get(m->noted, key, len);
    if (!n && map_count(m->noted) < MATCHES_MAX) {
        n = mem_zero(1, sizeof *n);
        n->ns = mem_text(ns);
        n->id = mem_text(id);
        map_set(m->noted, key, len, n);
    }
    if (n)
        n->at_ms = now_ms;
    pthread_mutex_unlock(&m->lock);
    return n != NULL;
}

static void forget_old(struct matches *m, int64_t now_ms)
{
    const void *key;
    size_t at = 0, len;
    void *value;
    struct map *kept = map_new();
    while (map_next(m->noted, &at, &key, &len, &value)) {
        struct noted *n = value;
        if (now_ms - n->at_ms <= MATCHES_KEEP_MS)
            map_set(kept, key, len, n);
        else
            noted_free(n);
    }
    map_free(m->noted);
    m->noted = kept;
}

size_t matches_take(struct matches *m, int64_t now_ms, struct arena *a, const struct match **list)
{
    const void *key;
    size_t at = 0, len, count = 0;
    void *value;
    pthread_mutex_lock(&m->lock);
    forget_old(m, now_ms);
    struct match *all = arena_zero(a, (map_count(m->noted) + 1) * sizeof *all);
    while (map_next(m->noted, &at, &key, &len, &value)) {
        const struct noted *n = value;
        all[count++] = (struct match){arena_text(a, n->ns), arena_text(a, n->id)};
    }
    pthread_mutex_unlock(&m->lock);
    *list = all;
    return count;
}
