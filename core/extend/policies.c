#include "extend/policies_impl.h"

#include "base/cond.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- sources ---- */

struct policy_source *policy_source_new(const struct policy *checked, const char *text, size_t len,
                                        int64_t version, int64_t now)
{
    struct policy_source *s = mem_zero(1, sizeof *s);
    atomic_init(&s->refs, 1);
    s->text = mem_copy(text, len);
    s->len = len;
    sha256_hex(text, len, s->hash);
    s->summary = mem_text(policy_summary(checked));
    s->params_json = json_dumps(policy_params(checked), JSON_COMPACT);
    s->version = version;
    s->loaded_at = now;
    return s;
}

void policy_source_release(struct policy_source *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    free(s->text);
    free(s->summary);
    free(s->params_json);
    free(s);
}

/* ---- entries ---- */

static size_t entry_key(enum policy_kind kind, const char *name, char *out, size_t size)
{
    int n = snprintf(out, size, "%s/%s", policy_kind_name(kind), name);
    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

struct policy_entry *policies_find(struct policies *p, enum policy_kind kind, const char *name)
{
    char key[POLICY_NAME_MAX + 32];
    size_t len = entry_key(kind, name, key, sizeof key);
    pthread_mutex_lock(&p->lock);
    struct policy_entry *entry = len ? map_get(p->entries, key, len) : NULL;
    pthread_mutex_unlock(&p->lock);
    return entry;
}

struct policy_entry *policies_entry(struct policies *p, enum policy_kind kind, const char *name)
{
    char key[POLICY_NAME_MAX + 32];
    size_t len = entry_key(kind, name, key, sizeof key);
    pthread_mutex_lock(&p->lock);
    struct policy_entry *entry = map_get(p->entries, key, len);
    if (!entry) {
        entry = mem_zero(1, sizeof *entry);
        entry->kind = kind;
        snprintf(entry->name, sizeof entry->name, "%s", name);
        map_set(p->entries, key, len, entry);
    }
    pthread_mutex_unlock(&p->lock);
    return entry;
}

struct policy_source *policies_current(struct policies *p, struct policy_entry *entry, char *error,
                                       size_t size)
{
    pthread_mutex_lock(&p->lock);
    struct policy_source *s = entry->stored ? entry->stored : entry->file;
    if (s)
        atomic_fetch_add(&s->refs, 1);
    snprintf(error, size, "%s", entry->file_error ? entry->file_error : "");
    pthread_mutex_unlock(&p->lock);
    return s;
}

void policies_call_failed(struct policies *p, struct policy_entry *entry, const char *detail)
{
    pthread_mutex_lock(&p->lock);
    free(entry->call_error);
    entry->call_error = mem_text(detail);
    entry->call_error_at = clock_wall_ms(p->clock);
    pthread_mutex_unlock(&p->lock);
}

/* ---- stored policies ---- */

void policies_install(struct policies *p, enum policy_kind kind, const char *name,
                      const char *source, size_t len, int64_t version)
{
    struct err e = {0};
    struct policy_entry *entry = policies_entry(p, kind, name);
    struct policy *checked = policy_load(kind, name, source, len, &e);
    struct policy_source *fresh =
        checked ? policy_source_new(checked, source, len, version, clock_wall_ms(p->clock)) : NULL;
    policy_free(checked);
    if (!fresh) { /* it was good when it was stored: the rules became stricter since */
        policies_call_failed(p, entry, e.detail);
        return;
    }
    pthread_mutex_lock(&p->lock);
    struct policy_source *old = entry->stored;
    entry->stored = fresh;
    free(entry->call_error);
    entry->call_error = NULL;
    pthread_mutex_unlock(&p->lock);
    policy_source_release(old);
    atomic_fetch_add(&p->generation, 1);
}

void policies_uninstall(struct policies *p, enum policy_kind kind, const char *name)
{
    struct policy_entry *entry = policies_find(p, kind, name);
    if (!entry)
        return;
    pthread_mutex_lock(&p->lock);
    struct policy_source *old = entry->stored;
    entry->stored = NULL;
    free(entry->call_error);
    entry->call_error = NULL;
    pthread_mutex_unlock(&p->lock);
    policy_source_release(old);
    atomic_fetch_add(&p->generation, 1);
}

/* ---- reading ---- */

uint64_t policies_generation(const struct policies *p)
{
    return atomic_load_explicit(&p->generation, memory_order_acquire);
}

const char *policy_status_name(enum policy_status status)
{
    static const char *const NAMES[] = {"active", "stale", "broken"};
    return NAMES[status];
}

static double p99_us(const struct policy_entry *entry)
{
    uint64_t total = 0, below = 0;
    for (int i = 0; i < TIME_CELLS; i++)
        total += atomic_load_explicit(&entry->times[i], memory_order_relaxed);
    if (total == 0)
        return NAN;
    int i = 0;
    for (; i < TIME_CELLS - 1; i++) {
        below += atomic_load_explicit(&entry->times[i], memory_order_relaxed);
        if (below * 100 >= total * 99)
            break;
    }
    return exp2((i + 1) / 2.0) / 1000; /* the cell's upper edge */
}

static bool is_known(const struct policy_entry *entry)
{
    return entry->stored || entry->file || entry->file_error;
}

/* Under the lock. */
static void fill_info(const struct policy_entry *entry, struct arena *a, struct policy_info *out)
{
    const struct policy_source *s = entry->stored ? entry->stored : entry->file;
    const char *error = !entry->stored && entry->file_error ? entry->file_error : entry->call_error;
    *out = (struct policy_info){
        .kind = entry->kind,
        .name = entry->name,
        .source = s ? arena_copy(a, s->text, s->len) : NULL,
        .source_len = s ? s->len : 0,
        .hash = s ? arena_text(a, s->hash) : NULL,
        .path = arena_text(a, entry->path),
        .stored = entry->stored != NULL,
        .version = s ? s->version : 0,
        .summary = s ? arena_text(a, s->summary) : NULL,
        .params_json = s ? arena_text(a, s->params_json) : NULL,
        .status = !s                                    ? POLICY_BROKEN
                  : !entry->stored && entry->file_error ? POLICY_STALE
                                                        : POLICY_ACTIVE,
        .last_error = arena_text(a, error),
        .loaded_at = s ? s->loaded_at : 0,
        .last_error_at = error == entry->call_error ? entry->call_error_at : entry->file_error_at,
        .calls = atomic_load_explicit(&entry->calls, memory_order_relaxed),
        .errors = atomic_load_explicit(&entry->errors, memory_order_relaxed),
        .p99_us = p99_us(entry),
    };
}

bool policies_info(struct policies *p, enum policy_kind kind, const char *name, struct arena *a,
                   struct policy_info *out)
{
    struct policy_entry *entry = policies_find(p, kind, name);
    if (!entry)
        return false;
    pthread_mutex_lock(&p->lock);
    bool known = is_known(entry);
    if (known)
        fill_info(entry, a, out);
    pthread_mutex_unlock(&p->lock);
    return known;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *const *policies_names(struct policies *p, enum policy_kind kind, struct arena *a)
{
    const void *key;
    size_t at = 0, len, n = 0;
    void *value;
    pthread_mutex_lock(&p->lock);
    const char **names = arena_zero(a, (map_count(p->entries) + 1) * sizeof *names);
    while (map_next(p->entries, &at, &key, &len, &value)) {
        const struct policy_entry *entry = value;
        if (entry->kind == kind && is_known(entry))
            names[n++] = entry->name;
    }
    pthread_mutex_unlock(&p->lock);
    qsort(names, n, sizeof *names, by_name);
    return names;
}

/* ---- life ---- */

struct policies *policies_open(const char *const *dirs, const struct clock *clock, struct err *e)
{
    struct policies *p = mem_zero(1, sizeof *p);
    p->clock = clock;
    p->entries = map_new();
    pthread_mutex_init(&p->lock, NULL);
    cond_init(&p->wake);
    atomic_init(&p->generation, 1);
    for (size_t i = 0; dirs[i]; i++) {
        if (i == DIRS_MAX || access(dirs[i], R_OK | X_OK) != 0) {
            fail_errno(e, &ERR_CONFIG, "the directory of policies %s cannot be read", dirs[i]);
            policies_close(p);
            return NULL;
        }
        p->dirs[i] = mem_text(dirs[i]);
    }
    policies_scan(p);
    return p;
}

static void *watch(void *arg)
{
    struct policies *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->stopping) {
        struct timespec until = cond_until(p->period_ms);
        pthread_cond_timedwait(&p->wake, &p->lock, &until);
        if (p->stopping)
            break;
        pthread_mutex_unlock(&p->lock);
        policies_scan(p);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

bool policies_watch(struct policies *p, int64_t period_ms, struct err *e)
{
    p->period_ms = period_ms;
    int why = pthread_create(&p->thread, NULL, watch, p);
    if (why != 0)
        return fail(e, &ERR_INTERNAL, "cannot start the thread that watches policies: %s",
                    strerror(why));
    pthread_setname_np(p->thread, "policies");
    p->watching = true;
    return true;
}

static void free_entry(struct policy_entry *entry)
{
    policy_source_release(entry->file);
    policy_source_release(entry->stored);
    free(entry->path);
    free(entry->file_error);
    free(entry->call_error);
    free(entry);
}

void policies_close(struct policies *p)
{
    const void *key;
    size_t at = 0, len;
    void *value;
    if (!p)
        return;
    if (p->watching) {
        pthread_mutex_lock(&p->lock);
        p->stopping = true;
        pthread_cond_signal(&p->wake);
        pthread_mutex_unlock(&p->lock);
        pthread_join(p->thread, NULL);
    }
    while (map_next(p->entries, &at, &key, &len, &value))
        free_entry(value);
    map_free(p->entries);
    for (size_t i = 0; p->dirs[i]; i++)
        free(p->dirs[i]);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
