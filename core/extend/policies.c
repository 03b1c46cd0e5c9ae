#include "extend/policies_impl.h"

#include "base/cond.h"
#include "base/mem.h"
#include "base/thread.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- sources ---- */

struct policy_source *policy_source_new(const struct policy *checked, const char *text, size_t len,
                                        int64_t now)
{
    struct policy_source *s = mem_zero(1, sizeof *s);
    atomic_init(&s->refs, 1);
    s->text = mem_copy(text, len);
    s->len = len;
    sha256_hex(text, len, s->hash);
    s->summary = mem_text(policy_summary(checked));
    s->params_json = json_dumps(policy_params(checked), JSON_COMPACT);
    s->loaded_at = now;
    return s;
}

static struct policy_source *stored_source(const struct policy_text *text, int64_t version)
{
    struct policy_source *s = mem_zero(1, sizeof *s);
    atomic_init(&s->refs, 1);
    s->len = strlen(text->source);
    s->text = mem_copy(text->source, s->len);
    snprintf(s->hash, sizeof s->hash, "%s", text->sha256);
    s->summary = mem_text(text->summary);
    s->params_json = mem_text(text->params_json);
    s->version = version;
    s->loaded_at = text->stored_at;
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

#define KEY_MAX 512 /* a kind, a name, a namespace, a number */

static size_t file_key(enum policy_kind kind, const char *name, char *out)
{
    int n = snprintf(out, KEY_MAX, "%s/%s", policy_kind_name(kind), name);
    return n > 0 && n < KEY_MAX ? (size_t)n : 0;
}

/* Of a version; 0: of the name, for what serves. */
static size_t stored_key(const struct policy_ref *ref, int64_t version, char *out)
{
    int n = version ? snprintf(out, KEY_MAX, "%s/%s/%s/%lld", policy_kind_name(ref->kind),
                               ref->name, ref->ns, (long long)version)
                    : snprintf(out, KEY_MAX, "%s/%s/%s", policy_kind_name(ref->kind), ref->name,
                               ref->ns);
    return n > 0 && n < KEY_MAX ? (size_t)n : 0;
}

/* Under the lock. The entry that answers for `ref` now, or NULL. */
static struct policy_entry *entry_of(const struct policies *p, const struct policy_ref *ref)
{
    char key[KEY_MAX];
    size_t len;
    if (!policy_name_valid(ref->name))
        return NULL;
    if (ref->ns && ref->version)
        return (len = stored_key(ref, ref->version, key)) ? map_get(p->entries, key, len) : NULL;
    struct policy_entry *stored = NULL;
    if (ref->ns && (len = stored_key(ref, 0, key)) > 0)
        stored = map_get(p->serving, key, len);
    if (stored)
        return stored;
    return (len = file_key(ref->kind, ref->name, key)) ? map_get(p->entries, key, len) : NULL;
}

/* Under the lock. */
static struct policy_entry *entry_make(struct policies *p, enum policy_kind kind, const char *name,
                                       const char *key, size_t len)
{
    struct policy_entry *entry = map_get(p->entries, key, len);
    if (!entry) {
        entry = mem_zero(1, sizeof *entry);
        entry->kind = kind;
        snprintf(entry->name, sizeof entry->name, "%s", name);
        map_set(p->entries, key, len, entry);
    }
    return entry;
}

struct policy_entry *policies_file(struct policies *p, enum policy_kind kind, const char *name)
{
    char key[KEY_MAX];
    size_t len = file_key(kind, name, key);
    pthread_mutex_lock(&p->lock);
    struct policy_entry *entry = entry_make(p, kind, name, key, len);
    pthread_mutex_unlock(&p->lock);
    return entry;
}

struct policy_source *policies_current(struct policies *p, const struct policy_ref *ref,
                                       struct policy_entry **entry, char *error, size_t size)
{
    struct policy_source *s = NULL;
    *error = '\0';
    pthread_mutex_lock(&p->lock);
    *entry = entry_of(p, ref);
    if (*entry) {
        s = (*entry)->source;
        if (s)
            atomic_fetch_add(&s->refs, 1);
        snprintf(error, size, "%s", (*entry)->file_error ? (*entry)->file_error : "");
    }
    pthread_mutex_unlock(&p->lock);
    return s;
}

void policies_call_failed(struct policies *p, struct policy_entry *entry, const char *detail,
                          bool broken)
{
    pthread_mutex_lock(&p->lock);
    free(entry->call_error);
    entry->call_error = mem_text(detail);
    entry->call_error_at = clock_wall_ms(p->clock);
    entry->broken = entry->broken || broken;
    pthread_mutex_unlock(&p->lock);
}

/* ---- stored policies ---- */

void policies_install(struct policies *p, const struct policy_ref *ref,
                      const struct policy_text *text)
{
    char key[KEY_MAX];
    size_t len = stored_key(ref, ref->version, key);
    struct policy_source *fresh = stored_source(text, ref->version);
    pthread_mutex_lock(&p->lock);
    struct policy_entry *entry = entry_make(p, ref->kind, ref->name, key, len);
    struct policy_source *old = entry->source;
    entry->source = fresh;
    entry->stored = true;
    entry->broken = false;
    free(entry->call_error);
    entry->call_error = NULL;
    pthread_mutex_unlock(&p->lock);
    policy_source_release(old);
    atomic_fetch_add(&p->generation, 1);
}

void policies_serve(struct policies *p, const struct policy_ref *ref)
{
    char key[KEY_MAX], name[KEY_MAX];
    size_t len = stored_key(ref, ref->version, key), name_len = stored_key(ref, 0, name);
    pthread_mutex_lock(&p->lock);
    struct policy_entry *entry = ref->version ? map_get(p->entries, key, len) : NULL;
    if (entry)
        map_set(p->serving, name, name_len, entry);
    else
        map_remove(p->serving, name, name_len);
    pthread_mutex_unlock(&p->lock);
    atomic_fetch_add(&p->generation, 1);
}

void policies_uninstall(struct policies *p, const struct policy_ref *ref)
{
    char key[KEY_MAX];
    size_t len = stored_key(ref, ref->version, key);
    struct policy_source *old = NULL;
    pthread_mutex_lock(&p->lock);
    struct policy_entry *entry = map_get(p->entries, key, len);
    if (entry) {
        old = entry->source;
        entry->source = NULL;
    }
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
    return entry->source || entry->file_error;
}

/* Under the lock. */
static void fill_info(const struct policy_entry *entry, struct arena *a, struct policy_info *out)
{
    const struct policy_source *s = entry->source;
    const char *error = entry->file_error ? entry->file_error : entry->call_error;
    *out = (struct policy_info){
        .kind = entry->kind,
        .name = entry->name,
        .source = s ? arena_copy(a, s->text, s->len) : NULL,
        .source_len = s ? s->len : 0,
        .hash = s ? arena_text(a, s->hash) : NULL,
        .path = arena_text(a, entry->path),
        .stored = entry->stored,
        .version = s ? s->version : 0,
        .summary = s ? arena_text(a, s->summary) : NULL,
        .params_json = s ? arena_text(a, s->params_json) : NULL,
        .status = !s || entry->broken ? POLICY_BROKEN
                  : entry->file_error ? POLICY_STALE
                                      : POLICY_ACTIVE,
        .last_error = arena_text(a, error),
        .loaded_at = s ? s->loaded_at : 0,
        .last_error_at = error == entry->call_error ? entry->call_error_at : entry->file_error_at,
        .calls = atomic_load_explicit(&entry->calls, memory_order_relaxed),
        .errors = atomic_load_explicit(&entry->errors, memory_order_relaxed),
        .p99_us = p99_us(entry),
    };
}

bool policies_info(struct policies *p, const struct policy_ref *ref, struct arena *a,
                   struct policy_info *out)
{
    pthread_mutex_lock(&p->lock);
    const struct policy_entry *entry = entry_of(p, ref);
    bool known = entry && is_known(entry);
    if (known)
        fill_info(entry, a, out);
    pthread_mutex_unlock(&p->lock);
    return known;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *const *policies_files(struct policies *p, enum policy_kind kind, struct arena *a)
{
    const void *key;
    size_t at = 0, len, n = 0;
    void *value;
    pthread_mutex_lock(&p->lock);
    const char **names = arena_zero(a, (map_count(p->entries) + 1) * sizeof *names);
    while (map_next(p->entries, &at, &key, &len, &value)) {
        const struct policy_entry *entry = value;
        if (entry->kind == kind && !entry->stored && is_known(entry))
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
    p->serving = map_new();
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
    p->watching = thread_start(&p->thread, "policies", THREAD_LATER, watch, p, e);
    return p->watching;
}

static void free_entry(struct policy_entry *entry)
{
    policy_source_release(entry->source);
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
    map_free(p->serving);
    for (size_t i = 0; p->dirs[i]; i++)
        free(p->dirs[i]);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
