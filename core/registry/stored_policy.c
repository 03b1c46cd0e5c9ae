#include "registry/stored_policy.h"

#include "base/bytes.h"
#include "base/json.h"
#include "registry/decide.h"
#include "registry/errors.h"
#include "registry/flag.h"

#include <stdio.h>
#include <string.h>

#define POLICIES_PATH "/api/models/enterprise/policies/"
#define ID_MAX        256

/* ---- fields ---- */

#define TEXT(type_, name_, flags_, max_, doc_)                            \
    {                                                                     \
        .name = #name_, .type = FIELD_STRING, .flags = flags_,            \
        .offset = offsetof(struct type_, name_), .max = max_, .doc = doc_ \
    }
#define NUMBER(type_, name_, doc_)                                                      \
    {                                                                                   \
        .name = #name_, .type = FIELD_INT, .flags = FIELD_SERVER,                       \
        .offset = offsetof(struct type_, name_), .max = 9007199254740992.0, .doc = doc_ \
    }

const struct field STORED_POLICY_FIELDS[] = {
    DOCUMENT_NAMESPACE,
    DOCUMENT_ID("policy", NULL, "kind:name."),
    TEXT(stored_policy, kind, FIELD_SERVER, 64, "rollout or severity."),
    TEXT(stored_policy, name, FIELD_SERVER, 64, "As flags and labels name it."),
    NUMBER(stored_policy, version, "The version that serves; 0: none, the file of the name does."),
    NUMBER(stored_policy, last_version, "The highest number given."),
    DOCUMENT_STAMPS,
    {0},
};

const struct field POLICY_VERSION_FIELDS[] = {
    DOCUMENT_NAMESPACE,
    DOCUMENT_ID("policy_version", NULL, "kind:name:version."),
    TEXT(policy_version, kind, FIELD_SERVER, 64, "rollout or severity."),
    TEXT(policy_version, name, FIELD_SERVER, 64, "As flags and labels name it."),
    NUMBER(policy_version, version, "Counts from 1; never means another text."),
    TEXT(policy_version, source, FIELD_SERVER, 65536, "The Lua text."),
    TEXT(policy_version, sha256, FIELD_SERVER, 64, "Of the text."),
    TEXT(policy_version, summary, FIELD_SERVER, 65536, "What it says of itself."),
    {.name = "params",
     .type = FIELD_ANY,
     .flags = FIELD_SERVER,
     .offset = offsetof(struct policy_version, params),
     .max = 262144,
     .doc = "The parameters that it declares."},
    {.name = "created_by",
     .type = FIELD_ANY,
     .flags = FIELD_SERVER,
     .offset = offsetof(struct policy_version, created_by),
     .doc = "Who stored it."},
    TEXT(policy_version, reason, FIELD_SERVER | FIELD_NULLABLE, 1024, "Why."),
    DOCUMENT_STAMPS,
    {0},
};

static const char *policy_owner(const void *fields)
{
    return ((const struct stored_policy *)fields)->name;
}

static const char *version_owner(const void *fields)
{
    return ((const struct policy_version *)fields)->name;
}

const struct document_type STORED_POLICY_TYPE = {
    .kind = ENTITY_POLICY,
    .noun = "policy",
    .id_name = "policy",
    .path = POLICIES_PATH,
    .fields = STORED_POLICY_FIELDS,
    .size = sizeof(struct stored_policy),
    .not_found = &STORED_POLICY_NOT_FOUND,
    .exists = &STORED_POLICY_NOT_FOUND, /* PUT replaces */
    .created = "policy.installed",
    .updated = "policy.installed",
    .deleted = "policy.uncovered",
    .owner = policy_owner,
};

const struct document_type POLICY_VERSION_TYPE = {
    .kind = ENTITY_POLICY_VERSION,
    .noun = "version of a policy",
    .id_name = "policy_version",
    .path = POLICIES_PATH,
    .fields = POLICY_VERSION_FIELDS,
    .size = sizeof(struct policy_version),
    .not_found = &POLICY_VERSION_NOT_FOUND,
    .exists = &POLICY_VERSION_NOT_FOUND, /* made by the server alone */
    .created = "policy.stored",
    .updated = "policy.stored",
    .deleted = "policy.forgotten",
    .owner = version_owner,
};

/* ---- reading ---- */

static const struct document *policy_document(const struct view *v, const char *ns,
                                              const char *kind, const char *name)
{
    char id[ID_MAX];
    int n = snprintf(id, sizeof id, "%s:%s", kind, name);
    return n > 0 && n < ID_MAX ? view_document(v, &STORED_POLICY_TYPE, ns, id) : NULL;
}

static const struct document *version_document(const struct view *v, const char *ns,
                                               const char *kind, const char *name, int64_t version)
{
    char id[ID_MAX];
    int n = snprintf(id, sizeof id, "%s:%s:%lld", kind, name, (long long)version);
    return n > 0 && n < ID_MAX ? view_document(v, &POLICY_VERSION_TYPE, ns, id) : NULL;
}

const struct stored_policy *view_stored_policy(const struct view *v, const char *ns,
                                               const char *kind, const char *name)
{
    const struct document *d = policy_document(v, ns, kind, name);
    return d ? stored_policy_of(d) : NULL;
}

const struct policy_version *view_policy_version(const struct view *v, const char *ns,
                                                 const char *kind, const char *name,
                                                 int64_t version)
{
    const struct document *d = version_document(v, ns, kind, name, version);
    return d ? policy_version_of(d) : NULL;
}

void view_policy_versions(const struct view *v, const char *ns, const char *kind, const char *name,
                          bool (*fn)(const struct policy_version *version, void *ctx), void *ctx)
{
    const struct stored_policy *p = view_stored_policy(v, ns, kind, name);
    for (int64_t i = 1; p && i <= p->last_version; i++) {
        const struct policy_version *version = view_policy_version(v, ns, kind, name, i);
        if (version && !fn(version, ctx))
            return;
    }
}

/* ---- what flags say to it ---- */

struct objections {
    const struct decision *d;
    const struct policy_named *policy;
    const char *declares; /* JSON array; NULL: nothing would serve */
    struct bytes list;
    size_t n;
};

static void object(struct objections *o, const char *key, const char *detail)
{
    if (o->n++ >= 100)
        return;
    bytes_text(&o->list, o->n > 1 ? ",{" : "{");
    json_kv_string(&o->list, "flag", key);
    json_kv_string(&o->list, "detail", detail);
    bytes_char(&o->list, '}');
}

static bool ask_flag(const struct entity *entity, void *ctx)
{
    struct objections *o = ctx;
    const struct flag *f = flag_of(document_of(entity));
    struct faults faults;
    if (!f->policy || f->policy_version != INT64_MIN || strcmp(f->policy, o->policy->name) != 0)
        return true;
    faults_init(&faults, o->d->c->arena);
    if (!o->declares)
        object(o, entity->id, "would have no policy");
    else if (!flag_fits(f, o->declares, o->d->h->rules, &faults))
        object(
            o, entity->id,
            arena_printf(o->d->c->arena, "%s %s", faults.list[0].pointer, faults.list[0].detail));
    return true;
}

/* Would each flag that follows the name still have parameters that fit? */
static bool flags_agree(const struct decision *d, const struct policy_named *policy,
                        const char *declares, struct err *e)
{
    struct objections o = {d, policy, declares, BYTES_INIT(1 << 20), 0};
    if (strcmp(policy->kind, "rollout") != 0 || !d->h->rules->rollout_policies)
        return true;
    view_each_of(d->h->view, ENTITY_FLAG, d->c->ns, ask_flag, &o);
    if (o.n) {
        fail(e, &POLICY_IN_USE, "%zu flags have parameters that it would not take", o.n);
        if (e)
            e->members = arena_printf(d->c->arena, "\"flags\":[%s]", o.list.data);
    }
    bytes_release(&o.list);
    return o.n == 0;
}

/* ---- decisions ---- */

/* The policy as it is stored; NULL and an error if there is none or it may not be changed. */
static const struct document *addressed(const struct decision *d, const struct policy_named *policy,
                                        struct err *e)
{
    const struct command *c = d->c;
    const struct document *p = policy_document(d->h->view, c->ns, policy->kind, policy->name);
    if (!p || !command_sees(c, policy->name)) {
        fail(e, &STORED_POLICY_NOT_FOUND, "no policy '%.64s/%.64s' was ever stored", policy->kind,
             policy->name);
        return NULL;
    }
    return command_may(c, policy->name, c->actions, e) && if_match_fits(c, &p->entity, e) ? p
                                                                                          : NULL;
}

/* Let `version` serve. */
static const struct entity *point_at(const struct decision *d, const struct document *before,
                                     const struct policy_named *policy, int64_t version,
                                     int64_t last, const char *action, struct err *e)
{
    struct stored_policy want = {
        .head = {.id = arena_printf(d->c->arena, "%s:%s", policy->kind, policy->name)}};
    if (before)
        want.head = *(const struct document_head *)before->fields;
    want.kind = policy->kind;
    want.name = policy->name;
    want.version = version;
    want.last_version = last;
    struct document_write w = {.type = &STORED_POLICY_TYPE,
                               .c = d->c,
                               .h = d->h,
                               .out = d->out,
                               .before = before,
                               .want = &want};
    return document_put(&w, action, NULL, e);
}

static bool put_version(const struct decision *d, const struct policy_draft_text *t,
                        int64_t version, struct err *e)
{
    struct policy_version want = {.head = {.id = arena_printf(d->c->arena, "%s:%s:%lld", t->kind,
                                                              t->name, (long long)version)},
                                  .kind = t->kind,
                                  .name = t->name,
                                  .version = version,
                                  .source = t->source,
                                  .sha256 = t->sha256,
                                  .summary = t->summary,
                                  .params = t->params,
                                  .created_by = actor_json(d->c),
                                  .reason = d->c->reason};
    struct document_write w = {
        .type = &POLICY_VERSION_TYPE, .c = d->c, .h = d->h, .out = d->out, .want = &want};
    return document_put(&w, "policy.stored", NULL, e) != NULL;
}

struct pins {
    const char *name;
    int64_t version;
    bool found;
};

static bool note_pin(const struct entity *entity, void *ctx)
{
    struct pins *p = ctx;
    const struct flag *f = flag_of(document_of(entity));
    p->found = f->policy && f->policy_version == p->version && strcmp(f->policy, p->name) == 0;
    return !p->found;
}

/* The oldest version that nobody needs goes when there are too many. */
static void forget_oldest(const struct decision *d, const struct stored_policy *p, int64_t fresh)
{
    size_t kept = 0;
    const struct document *oldest = NULL;
    for (int64_t i = fresh - 1; i >= 1; i--) {
        const struct document *v = version_document(d->h->view, d->c->ns, p->kind, p->name, i);
        struct pins pins = {p->name, i, false};
        if (!v || ++kept < POLICY_VERSIONS_MAX || i == p->version)
            continue;
        if (strcmp(p->kind, "rollout") == 0)
            view_each_of(d->h->view, ENTITY_FLAG, d->c->ns, note_pin, &pins);
        if (!pins.found)
            oldest = v;
    }
    if (oldest)
        changes_put(d->out, d->c->arena, "policy.forgotten", &oldest->entity, NULL, NULL);
}

static bool answer(const struct decision *d, const struct policy_named *policy, int status,
                   const struct entity *entity, struct err *e)
{
    if (status == 201)
        d->c->answer.location =
            arena_printf(d->c->arena, POLICIES_PATH "%s/%s", policy->kind, policy->name);
    return answer_entity(d->c, status, entity, NULL, e);
}

static bool install(const struct decision *d, const struct policy_draft_text *t, struct err *e)
{
    const struct policy_named policy = {t->kind, t->name};
    const struct command *c = d->c;
    const struct document *before = policy_document(d->h->view, c->ns, t->kind, t->name);
    bool uncovered = before && !stored_policy_of(before)->version; /* as good as not there */
    if (!command_may(c, t->name, c->actions, e) ||
        (before && !(uncovered && c->if_none_match == -2) && !if_match_fits(c, &before->entity, e)))
        return false;
    if (!before && c->if_match != -1)
        return fail(e, &REVISION_MISMATCH, "no policy '%s/%s' is stored yet", t->kind, t->name);
    const struct stored_policy *p = before ? stored_policy_of(before) : NULL;
    const struct policy_version *now =
        before ? view_policy_version(d->h->view, d->c->ns, t->kind, t->name, p->version) : NULL;
    if (now && strcmp(now->sha256, t->sha256) == 0)
        return answer(d, &policy, 200, &before->entity, e);
    int64_t version = before ? p->last_version + 1 : 1;
    if (!flags_agree(d, &policy, t->params, e) || !put_version(d, t, version, e))
        return false;
    const struct entity *after =
        point_at(d, before, &policy, version, version, "policy.installed", e);
    if (!after)
        return false;
    if (before)
        forget_oldest(d, p, version);
    return answer(d, &policy, now ? 200 : 201, after, e);
}

bool policy_install(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    return install(&(struct decision){c, h, out}, c->args, e) || refused(out);
}

static bool roll_back(const struct decision *d, const struct policy_named *policy, struct err *e)
{
    struct document_rollback body = {0};
    const struct document *before = addressed(d, policy, e);
    if (!before || !body_decode(d->c, DOCUMENT_ROLLBACK_FIELDS, &body, e))
        return false;
    take_reason(d->c, body.reason);
    const struct stored_policy *p = stored_policy_of(before);
    const struct policy_version *to =
        view_policy_version(d->h->view, d->c->ns, policy->kind, policy->name, body.version);
    if (!to)
        return fail(e, &POLICY_VERSION_NOT_FOUND, "version %lld of '%s/%s' is not kept",
                    (long long)body.version, policy->kind, policy->name);
    if (p->version == body.version)
        return answer(d, policy, 200, &before->entity, e);
    const struct entity *after = NULL;
    if (flags_agree(d, policy, to->params, e))
        after = point_at(d, before, policy, body.version, p->last_version, "policy.rolled_back", e);
    return after && answer(d, policy, 200, after, e);
}

bool policy_roll_back(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    return roll_back(&(struct decision){c, h, out}, c->args, e) || refused(out);
}

static bool uncover(const struct decision *d, const struct policy_named *policy, struct err *e)
{
    const struct rollout_policies *files = d->h->rules->rollout_policies;
    const struct document *before = addressed(d, policy, e);
    if (!before)
        return false;
    const struct stored_policy *p = stored_policy_of(before);
    if (p->version == 0)
        return fail(e, &STORED_POLICY_NOT_FOUND, "no policy '%.64s/%.64s' is stored", policy->kind,
                    policy->name);
    const char *declares =
        files ? files->file_declares(files->self, policy->name, d->c->arena, NULL) : NULL;
    return flags_agree(d, policy, declares, e) &&
           point_at(d, before, policy, 0, p->last_version, "policy.uncovered", e) &&
           answer_nothing(d->c);
}

bool policy_uncover(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    return uncover(&(struct decision){c, h, out}, c->args, e) || refused(out);
}
