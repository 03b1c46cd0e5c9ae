#include "extend/policy_set.h"

#include "base/log.h"
#include "base/mem.h"
#include "extend/lua_sandbox.h"
#include "extend/policies_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMED_FIRST 64 /* calls of a policy that are all timed; of the later ones every 16th */

const struct err_kind ERR_POLICY_NOT_FOUND = {
    .code = "POLICY_NOT_FOUND",
    .status = 404,
    .title = "Policy not found",
    .doc = "There is neither a file nor a stored policy of this kind and name.",
};

struct loaded {
    struct policy *policy;
    struct policy_source *source;
    struct policy_entry *entry;
    uint64_t generation, load_id;
    bool complained; /* a failure of this load was logged */
};

struct policy_set {
    struct policies *catalog;
    struct map *loaded[POLICY_KIND_COUNT]; /* by name */
    uint64_t loads;
};

struct policy_set *policy_set_new(struct policies *catalog)
{
    struct policy_set *set = mem_zero(1, sizeof *set);
    set->catalog = catalog;
    for (int i = 0; i < POLICY_KIND_COUNT; i++)
        set->loaded[i] = map_new();
    return set;
}

static void unload(struct loaded *l)
{
    policy_free(l->policy);
    policy_source_release(l->source);
    l->policy = NULL;
    l->source = NULL;
}

void policy_set_free(struct policy_set *set)
{
    if (!set)
        return;
    for (int i = 0; i < POLICY_KIND_COUNT; i++) {
        const void *key;
        size_t at = 0, len;
        void *value;
        while (map_next(set->loaded[i], &at, &key, &len, &value)) {
            unload(value);
            free(value);
        }
        map_free(set->loaded[i]);
    }
    free(set);
}

static struct loaded *slot_of(struct policy_set *set, enum policy_kind kind, const char *name)
{
    size_t len = strlen(name);
    struct loaded *l = map_get(set->loaded[kind], name, len);
    if (l)
        return l;
    struct policy_entry *entry = policies_find(set->catalog, kind, name);
    if (!entry)
        return NULL;
    l = mem_zero(1, sizeof *l);
    l->entry = entry;
    map_set(set->loaded[kind], name, len, l);
    return l;
}

/* The catalog changed: is what we hold still what it serves? */
static bool refresh(struct policy_set *set, struct loaded *l, uint64_t generation, struct err *e)
{
    char error[512];
    struct policy_source *now = policies_current(set->catalog, l->entry, error, sizeof error);
    if (now && now == l->source && l->policy) {
        policy_source_release(now);
        l->generation = generation;
        return true;
    }
    unload(l);
    l->generation = 0;
    if (!now)
        return *error ? fail(e, &ERR_POLICY, "%s", error)
                      : fail(e, &ERR_POLICY_NOT_FOUND, "no %s policy '%s'",
                             policy_kind_name(l->entry->kind), l->entry->name);
    l->policy = policy_load(l->entry->kind, l->entry->name, now->text, now->len, e);
    if (!l->policy) {
        policy_source_release(now);
        return false;
    }
    l->source = now;
    l->generation = generation;
    l->load_id = ++set->loads;
    l->complained = false;
    return true;
}

bool policy_set_begin(struct policy_set *set, enum policy_kind kind, const char *name,
                      struct policy_use *use, struct err *e)
{
    uint64_t generation = policies_generation(set->catalog);
    struct loaded *l = slot_of(set, kind, name);
    if (!l)
        return fail(e, &ERR_POLICY_NOT_FOUND, "no %s policy '%.64s'", policy_kind_name(kind), name);
    if (l->generation != generation && !refresh(set, l, generation, e))
        return false;
    uint64_t call = atomic_load_explicit(&l->entry->calls, memory_order_relaxed);
    *use = (struct policy_use){
        .policy = l->policy, .load_id = l->load_id, .entry = l->entry, .set = set};
    if (call < TIMED_FIRST || call % 16 == 0)
        use->started_ns = clock_mono_ns(set->catalog->clock);
    return true;
}

/* Half powers of two of nanoseconds. */
static unsigned time_cell(int64_t ns)
{
    if (ns < 1)
        return 0;
    unsigned power = 63u - (unsigned)__builtin_clzll((uint64_t)ns);
    unsigned half = (double)ns >= M_SQRT2 * (double)(UINT64_C(1) << power);
    unsigned cell = 2 * power + half;
    return cell < TIME_CELLS ? cell : TIME_CELLS - 1;
}

void policy_set_end(const struct policy_use *use, const struct err *failure)
{
    struct policy_entry *entry = use->entry;
    const struct policies *catalog = use->set->catalog;
    if (use->started_ns) {
        unsigned cell = time_cell(clock_mono_ns(catalog->clock) - use->started_ns);
        atomic_fetch_add_explicit(&entry->times[cell], 1, memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&entry->calls, 1, memory_order_relaxed);
    if (!failure)
        return;
    atomic_fetch_add_explicit(&entry->errors, 1, memory_order_relaxed);
    struct loaded *l = map_get(use->set->loaded[entry->kind], entry->name, strlen(entry->name));
    if (l && !l->complained) {
        l->complained = true;
        log_text(LOG_WARN, "policy_failed", failure->detail);
    }
    policies_call_failed(use->set->catalog, entry, failure->detail);
}

struct policy *policy_set_loaded(struct policy_set *set, uint64_t load_id)
{
    for (int i = 0; i < POLICY_KIND_COUNT; i++) {
        const void *key;
        size_t at = 0, len;
        void *value;
        while (map_next(set->loaded[i], &at, &key, &len, &value)) {
            const struct loaded *l = value;
            if (l->policy && l->load_id == load_id)
                return l->policy;
        }
    }
    return NULL;
}

int64_t policy_set_now(const struct policy_set *set)
{
    return clock_wall_ms(set->catalog->clock);
}
