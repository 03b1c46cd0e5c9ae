#include "selection/flag_trial.h"

#include "base/json.h"
#include "registry/errors.h"
#include "selection/flag_set.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 4096 /* units asked inside one view */

/* ---- the draft ---- */

/* What the draft's text declares stands in for what the catalog and the view know of its policy. */
struct draft_rules {
    const struct rollout_policies *real;
    const char *policy, *declares; /* NULL: no draft */
};

static const char *draft_file(void *self, const char *policy, struct arena *a, struct faults *f)
{
    const struct draft_rules *d = self;
    if (d->policy && strcmp(policy, d->policy) == 0)
        return d->declares;
    return d->real->file_declares(d->real->self, policy, a, f);
}

static int draft_plan(void *self, const struct flag_plan *plan, struct share *out, struct faults *f)
{
    const struct draft_rules *d = self;
    struct flag_plan as = *plan;
    if (d->policy && strcmp(plan->policy, d->policy) == 0)
        as.declares = d->declares;
    return d->real->plan(d->real->self, &as, out, f);
}

struct trial {
    const struct flag_trial_plan *plan;
    struct arena *arena;
    struct intern *names;
    struct policy_set *today_policies, *draft_policies;
    struct flag_set *today, *draft;
    struct changes changes; /* its one entity is the draft; empty: the draft is the flag as it is */
    struct flag_trial_count *out;
    int64_t asked_ns, until_ns;
};

/* The policy that the flag would have. */
static const char *policy_after(const struct flag_trial_plan *p, const struct flag *now)
{
    const json_t *given = p->draft ? json_object_get(p->draft, "policy") : NULL;
    return given ? json_string_value(given) : now->policy;
}

/* Decide the draft as the engine would. */
static bool decide(struct trial *t, const struct view *v, const char *policy, const char *declares,
                   struct err *e)
{
    const struct flag_trial_plan *p = t->plan;
    struct draft_rules own = {p->rules->rollout_policies, declares ? policy : NULL, declares};
    const struct rollout_policies policies = {draft_file, draft_plan, &own};
    struct rules rules = *p->rules;
    if (rules.rollout_policies)
        rules.rollout_policies = &policies;
    struct command c = {.arena = t->arena,
                        .ns = p->ns,
                        .actor = {"server", "trial", NULL},
                        .if_match = -1,
                        .id = p->key,
                        .body = p->draft,
                        .args = (void *)(uintptr_t)&FLAG_TYPE};
    struct head h = {.view = v,
                     .names = t->names,
                     .rules = &rules,
                     .now_ms = p->at_ms,
                     .next_uid = UINT64_MAX / 2};
    return document_patch(&c, &h, &t->changes, e);
}

static struct policy *compile(const struct flag_trial_plan *p, const char *policy, struct err *e)
{
    if (policy)
        return policy_load(POLICY_ROLLOUT, policy, p->source, strlen(p->source), e);
    fail(e, &ERR_INVALID, "draft_policy_source: the flag has no policy that it could be");
    return NULL;
}

static bool open_trial(struct trial *t, const struct view *v, struct err *e)
{
    const struct flag_trial_plan *p = t->plan;
    const struct document *d = view_document(v, &FLAG_TYPE, p->ns, p->key);
    if (!d)
        return fail(e, &FLAG_NOT_FOUND, "no flag '%.200s' in namespace '%s'", p->key, p->ns);
    const char *policy = policy_after(p, flag_of(d));
    char *declares = NULL;
    if (p->source) {
        struct policy *draft = compile(p, policy, e);
        if (!draft)
            return false;
        declares = json_dumps(policy_params(draft), JSON_COMPACT);
        policy_set_draft(t->draft_policies, draft);
    }
    bool good = decide(t, v, policy, declares, e);
    free(declares);
    return good;
}

/* ---- asking ---- */

static size_t count_of(struct trial *t, const char *variant)
{
    struct flag_trial_count *out = t->out;
    for (size_t i = 0; i < out->variants; i++)
        if (strcmp(out->list[i].name, variant) == 0)
            return i;
    if (out->variants == sizeof out->list / sizeof *out->list)
        return out->variants - 1; /* each flag has at most ARMS_MAX */
    out->list[out->variants].name = arena_text(t->arena, variant);
    return out->variants++;
}

static void note_failure(struct trial *t, const struct flag_answer *a)
{
    if (a->reason != FLAG_ERROR && a->reason != FLAG_NO_UNIT)
        return;
    t->out->errors += a->reason == FLAG_ERROR;
    t->out->unit_missing += a->reason == FLAG_NO_UNIT;
    if (!*t->out->first_error)
        snprintf(t->out->first_error, sizeof t->out->first_error, "%s", a->error);
}

static void ask_one(struct trial *t, const struct view *v, const struct document *now,
                    const json_t *context)
{
    const struct flag_question q = {
        .view = v, .ns = t->plan->ns, .context = context, .at_ms = t->plan->at_ms};
    const struct entity *changed = t->changes.n ? t->changes.list[0].after : NULL;
    struct flag_answer a;
    int64_t start = clock_mono_ns(t->plan->clock);
    flag_set_ask(t->draft, changed ? document_of(changed) : now, &q, &a);
    t->asked_ns += clock_mono_ns(t->plan->clock) - start;
    size_t draft = count_of(t, a.variant);
    t->out->list[draft].draft++;
    note_failure(t, &a);
    flag_set_ask(t->today, now, &q, &a);
    size_t today = count_of(t, a.variant);
    t->out->list[today].today++;
    t->out->moved += draft != today;
    t->out->asked++;
}

/* The i-th context; a new reference. */
static json_t *context_at(const struct flag_trial_plan *p, uint64_t i)
{
    char unit[32];
    size_t n = json_array_size(p->contexts);
    json_t *given = n ? json_array_get(p->contexts, (size_t)(i % n)) : NULL;
    if (!p->population)
        return json_incref(given);
    json_t *own = given ? json_copy(given) : json_object();
    snprintf(unit, sizeof unit, "user-%llu", (unsigned long long)i);
    json_object_set_new(own, "targetingKey", json_string(unit));
    return own;
}

/* Some of them, inside one view. False: the flag is gone, or it takes too long. */
static bool ask_some(struct trial *t, uint64_t from, uint64_t to)
{
    const struct flag_trial_plan *p = t->plan;
    const struct view *v = view_enter(p->reader);
    const struct document *now = view_document(v, &FLAG_TYPE, p->ns, p->key);
    bool in_time = now != NULL;
    for (uint64_t i = from; i < to && in_time; i++) {
        json_t *context = context_at(p, i);
        ask_one(t, v, now, context);
        json_decref(context);
        in_time = clock_mono_ns(p->clock) < t->until_ns;
    }
    view_leave(p->reader);
    return in_time;
}

static void ask_all(struct trial *t)
{
    const struct flag_trial_plan *p = t->plan;
    uint64_t n = p->population ? p->population : json_array_size(p->contexts);
    for (uint64_t i = 0; i < n; i += AT_ONCE)
        if (!ask_some(t, i, i + AT_ONCE < n ? i + AT_ONCE : n))
            break;
    t->out->complete = t->out->asked == n;
    t->out->us_per_call =
        t->out->asked ? (double)t->asked_ns / 1e3 / (double)t->out->asked : (double)NAN;
}

bool flag_trial_run(const struct flag_trial_plan *plan, struct arena *a,
                    struct flag_trial_count *out, struct err *e)
{
    struct trial t = {.plan = plan, .arena = a, .out = out};
    *out = (struct flag_trial_count){.us_per_call = (double)NAN};
    t.names = intern_new();
    t.today_policies = policy_set_new(plan->catalog);
    t.draft_policies = policy_set_new(plan->catalog);
    policy_set_uncounted(t.today_policies);
    policy_set_uncounted(t.draft_policies);
    t.today = flag_set_new(t.today_policies);
    t.draft = flag_set_new(t.draft_policies);
    t.until_ns = clock_mono_ns(plan->clock) + TRIAL_TIME_MAX_MS * INT64_C(1000000);
    bool good = open_trial(&t, view_enter(plan->reader), e);
    view_leave(plan->reader);
    if (good)
        ask_all(&t);
    flag_set_free(t.today);
    flag_set_free(t.draft);
    policy_set_free(t.today_policies);
    policy_set_free(t.draft_policies);
    changes_discard(&t.changes);
    intern_free(t.names);
    return good;
}
