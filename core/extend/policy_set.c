#include "extend/policy_set.h"

#include "base/log.h"
#include "base/mem.h"
#include "extend/lua_sandbox.h"
#include "extend/policies_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MAX   65536 /* policies that flags have named, there or not */
#define TIMED_FIRST 64    /* calls of a policy that are all timed; of the later ones every 16th */

const struct err_kind ERR_POLICY_NOT_FOUND = {
    .code = "POLICY_NOT_FOUND",
    .status = 404,
    .title = "Policy not found",
    .doc = "There is neither a file nor a stored policy of this kind and name.",
};

/* What a thread has loaded for one policy_ref. */
struct policy_slot {
    struct policy_ref ref; /* its texts are the slot's own */
    char *ns, *name;
    struct policy *policy; /* NULL: there is none, or it cannot be loaded: see `why` */
    struct policy_source *source;
    struct policy_entry *entry; /* of `source` */
    uint64_t generation, load_id;
    struct err why;  /* while `policy` is NULL */
    bool complained; /* a failure of this load was logged */
};

struct policy_set {
    struct policies *catalog;
    struct map *slots; /* by kind, version, name and namespace */
    uint64_t loads;
    bool uncounted, files;
    struct policy_slot draft;   /* its policy is NULL: none */
    struct policy_entry nobody; /* of the draft */
};

struct policy_set *policy_set_new(struct policies *catalog)
{
    struct policy_set *set = mem_zero(1, sizeof *set);
    set->catalog = catalog;
    set->slots = map_new();
    return set;
}

void policy_set_uncounted(struct policy_set *set)
{
    set->uncounted = true;
}

void policy_set_files(struct policy_set *set)
{
    set->files = true;
}

void policy_set_draft(struct policy_set *set, struct policy *draft)
{
    set->draft.policy = draft;
    set->draft.entry = &set->nobody;
    set->draft.load_id = ++set->loads;
}

static void unload(struct policy_slot *l)
{
    policy_free(l->policy);
    policy_source_release(l->source);
    l->policy = NULL;
    l->source = NULL;
}

void policy_set_free(struct policy_set *set)
{
    const void *key;
    size_t at = 0, len;
    void *value;
    if (!set)
        return;
    while (map_next(set->slots, &at, &key, &len, &value)) {
        struct policy_slot *l = value;
        unload(l);
        free(l->ns);
        free(l->name);
        free(l);
    }
    map_free(set->slots);
    unload(&set->draft);
    free(set);
}

#define KEY_MAX 320

static size_t slot_key(const struct policy_ref *ref, char *out)
{
    size_t name = strlen(ref->name) + 1, ns = ref->ns ? strlen(ref->ns) : 0;
    size_t head = 1 + sizeof ref->version;
    if (head + name + ns > KEY_MAX)
        return 0;
    out[0] = (char)(ref->ns ? (int)ref->kind : (int)ref->kind + POLICY_KIND_COUNT);
    memcpy(out + 1, &ref->version, sizeof ref->version);
    memcpy(out + head, ref->name, name);
    if (ns)
        memcpy(out + head + name, ref->ns, ns);
    return head + name + ns;
}

static struct policy_slot *slot_make(struct policy_set *set, const struct policy_ref *ref,
                                     const char *key, size_t len)
{
    struct policy_slot *l = mem_zero(1, sizeof *l);
    l->ns = mem_text(ref->ns);
    l->name = mem_text(ref->name);
    l->ref = (struct policy_ref){ref->kind, l->ns, l->name, ref->version};
    map_set(set->slots, key, len, l);
    return l;
}

static void take(struct policy_set *set, struct policy_slot *l, struct policy *loaded,
                 struct policy_source *source, struct policy_entry *entry)
{
    unload(l);
    l->policy = loaded;
    l->source = source;
    l->entry = entry;
    l->load_id = ++set->loads;
    l->complained = false;
}

/* What is to serve cannot be loaded, though it could when it was stored. What the slot has goes on;
 * without that the file of the name serves. */
static void load_failed(struct policy_set *set, struct policy_slot *l, const struct err *why)
{
    const struct policy_ref file = {l->ref.kind, NULL, l->ref.name, 0};
    struct policy_entry *entry;
    char error[512];
    log_text(LOG_ERROR, "policy_not_loaded", why->detail);
    if (l->policy)
        return;
    l->why = *why;
    struct policy_source *source =
        l->ref.version ? NULL : policies_current(set->catalog, &file, &entry, error, sizeof error);
    struct policy *p =
        source ? policy_load(file.kind, file.name, source->text, source->len, NULL) : NULL;
    if (p)
        take(set, l, p, source, entry);
    else
        policy_source_release(source);
}

/* The catalog changed: is what we hold still what it serves? */
static void refresh(struct policy_set *set, struct policy_slot *l)
{
    char error[512];
    struct policy_entry *entry;
    struct err e = {0};
    struct policy_source *now =
        policies_current(set->catalog, &l->ref, &entry, error, sizeof error);
    if (now && now == l->source && l->policy) {
        policy_source_release(now);
        return;
    }
    if (!now) {
        unload(l);
        if (*error)
            fail(&l->why, &ERR_POLICY, "%s", error);
        else if (l->ref.version)
            fail(&l->why, &ERR_POLICY_NOT_FOUND, "no version %lld of the %s policy '%.64s'",
                 (long long)l->ref.version, policy_kind_name(l->ref.kind), l->ref.name);
        else
            fail(&l->why, &ERR_POLICY_NOT_FOUND, "no %s policy '%.64s'",
                 policy_kind_name(l->ref.kind), l->ref.name);
        return;
    }
    struct policy *p = policy_load(l->ref.kind, l->ref.name, now->text, now->len, &e);
    if (p) {
        take(set, l, p, now, entry);
        return;
    }
    policies_call_failed(set->catalog, entry, e.detail, true);
    policy_source_release(now);
    load_failed(set, l, &e);
}

struct policy_slot *policy_set_place(struct policy_set *set, const struct policy_ref *ref)
{
    char key[KEY_MAX];
    struct policy_ref file = *ref;
    if (set->files && ref->version == 0) {
        file.ns = NULL;
        ref = &file;
    }
    size_t len = slot_key(ref, key);
    struct policy_slot *l = len ? map_get(set->slots, key, len) : NULL;
    if (!l && len && map_count(set->slots) < SLOTS_MAX)
        l = slot_make(set, ref, key, len);
    return l;
}

static bool is_draft(const struct policy_set *set, const struct policy_ref *ref)
{
    const struct policy *draft = set->draft.policy;
    return draft && policy_kind(draft) == ref->kind && strcmp(policy_name(draft), ref->name) == 0;
}

bool policy_set_begin_at(struct policy_set *set, struct policy_slot *l, struct policy_use *use,
                         struct err *e)
{
    uint64_t generation = policies_generation(set->catalog);
    if (is_draft(set, &l->ref)) {
        *use = (struct policy_use){.policy = set->draft.policy,
                                   .load_id = set->draft.load_id,
                                   .slot = &set->draft,
                                   .set = set};
        return true;
    }
    if (l->generation != generation) {
        refresh(set, l);
        l->generation = generation;
    }
    if (!l->policy)
        return fail(e, l->why.kind, "%s", l->why.detail);
    uint64_t call = atomic_load_explicit(&l->entry->calls, memory_order_relaxed);
    *use = (struct policy_use){.policy = l->policy, .load_id = l->load_id, .slot = l, .set = set};
    if (call < TIMED_FIRST || call % 16 == 0)
        use->started_ns = clock_mono_ns(set->catalog->clock);
    return true;
}

bool policy_set_begin(struct policy_set *set, const struct policy_ref *ref, struct policy_use *use,
                      struct err *e)
{
    struct policy_slot *l = policy_set_place(set, ref);
    if (!l)
        return fail(e, &ERR_POLICY_NOT_FOUND, "no %s policy '%.64s'", policy_kind_name(ref->kind),
                    ref->name);
    return policy_set_begin_at(set, l, use, e);
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
    struct policy_entry *entry = use->slot->entry;
    const struct policies *catalog = use->set->catalog;
    if (use->set->uncounted)
        return;
    if (use->started_ns) {
        unsigned cell = time_cell(clock_mono_ns(catalog->clock) - use->started_ns);
        atomic_fetch_add_explicit(&entry->times[cell], 1, memory_order_relaxed);
    }
    atomic_fetch_add_explicit(&entry->calls, 1, memory_order_relaxed);
    if (!failure)
        return;
    atomic_fetch_add_explicit(&entry->errors, 1, memory_order_relaxed);
    if (!use->slot->complained) {
        use->slot->complained = true;
        log_text(LOG_WARN, "policy_failed", failure->detail);
    }
    policies_call_failed(use->set->catalog, entry, failure->detail, false);
}

struct policy *policy_set_loaded(struct policy_set *set, uint64_t load_id)
{
    const void *key;
    size_t at = 0, len;
    void *value;
    if (set->draft.policy && set->draft.load_id == load_id)
        return set->draft.policy;
    while (map_next(set->slots, &at, &key, &len, &value)) {
        const struct policy_slot *l = value;
        if (l->policy && l->load_id == load_id)
            return l->policy;
    }
    return NULL;
}

int64_t policy_set_now(const struct policy_set *set)
{
    return clock_wall_ms(set->catalog->clock);
}
