#include "registry/flag.h"

#include "base/bytes.h"
#include "base/ids.h"
#include "base/json.h"
#include "registry/decide.h"
#include "registry/errors.h"
#include "registry/flag_prerequisites.h"
#include "registry/layer.h"
#include "registry/model_fields.h"
#include "registry/route.h"
#include "registry/stored_policy.h"

#include <stdio.h>
#include <string.h>

#define PREREQUISITES_MAX 16

/* ---- fields ---- */

static void check_variants(const json_t *value, const char *pointer, struct faults *f)
{
    const char *name;
    json_t *variant;
    char below[300];
    if (json_object_size(value) == 0 || json_object_size(value) > ARMS_MAX)
        fault_add(f, &ERR_INVALID, pointer, "must have 1 to %d variants", ARMS_MAX);
    json_object_foreach((json_t *)value, name, variant) {
        pointer_join(below, sizeof below, pointer, name);
        if (!id_valid(name))
            fault_add(f, &ERR_INVALID, below, "%s", identifier_fault(name));
        if (json_is_null(variant))
            fault_add(f, &ERR_INVALID, below, "must not be null");
    }
}

static bool names_texts(const json_t *list)
{
    const json_t *item;
    size_t i;
    json_array_foreach((json_t *)list, i, item)
        if (!json_is_string(item))
            return false;
    return json_is_array(list) && json_array_size(list) > 0;
}

static void check_prerequisites(const json_t *value, const char *pointer, struct faults *f)
{
    const json_t *item;
    size_t i;
    char below[300];
    if (!json_is_array(value) || json_array_size(value) > PREREQUISITES_MAX) {
        fault_add(f, &ERR_INVALID, pointer, "must be a list of at most %d", PREREQUISITES_MAX);
        return;
    }
    json_array_foreach((json_t *)value, i, item) {
        snprintf(below, sizeof below, "%s/%zu", pointer, i);
        if (json_object_size(item) != 2 || !json_is_string(json_object_get(item, "flag")) ||
            !names_texts(json_object_get(item, "variants")))
            fault_add(f, &ERR_INVALID, below, "must be {\"flag\":\"key\",\"variants\":[\"on\"]}");
    }
}

#define REF(member) offsetof(struct flag, member)
#define TEXT(name_, flags_, max_, check_, doc_)                                                   \
    {                                                                                             \
        .name = #name_, .type = FIELD_STRING, .flags = flags_, .offset = REF(name_), .max = max_, \
        .check = check_, .doc = doc_                                                              \
    }

const struct field FLAG_FIELDS[] = {
    DOCUMENT_NAMESPACE,
    DOCUMENT_ID("key", identifier_fault, "Unique in the namespace."),
    TEXT(description, 0, 65536, text64k_fault, "For people; at most 64 KiB."),
    {.name = "enabled",
     .type = FIELD_BOOL,
     .offset = REF(enabled),
     .doc = "false: everybody gets the default variant."},
    {.name = "killed",
     .type = FIELD_BOOL,
     .offset = REF(killed),
     .doc = "The kill switch: everybody gets the fallback variant, whatever else is set."},
    {.name = "variants",
     .type = FIELD_OBJECT,
     .flags = FIELD_REQUIRED,
     .offset = REF(variants),
     .max = 262144,
     .check_json = check_variants,
     .doc = "The answers there are: name to any JSON value but null."},
    TEXT(default_variant, FIELD_REQUIRED, 128, identifier_fault,
         "What those get for whom nothing else is decided."),
    TEXT(fallback_variant, FIELD_NULLABLE, 128, identifier_fault,
         "What everybody gets while it is killed; null: the default."),
    TEXT(policy, FIELD_NULLABLE, 64, NULL,
         "The rollout policy that decides; null: the default variant for everybody."),
    {.name = "policy_version",
     .type = FIELD_INT,
     .flags = FIELD_NULLABLE,
     .offset = REF(policy_version),
     .min = 1,
     .max = 9007199254740992.0,
     .doc = "The stored version that it keeps to; null: whichever serves."},
    {.name = "params",
     .type = FIELD_OBJECT,
     .offset = REF(params),
     .max = 131072,
     .doc = "What the policy is told, as it declares; checked."},
    TEXT(salt, FIELD_NULLABLE, 128, identifier_fault,
         "Where units fall follows from it; null: from the key. Another one moves everybody."),
    {.name = "hash_version",
     .type = FIELD_INT,
     .offset = REF(hash_version),
     .min = HASH_VERSION,
     .max = HASH_VERSION,
     .doc = "The function that places units."},
    {.name = "allocation",
     .type = FIELD_ANY,
     .flags = FIELD_SERVER,
     .offset = REF(allocation),
     .max = 65536,
     .doc = "Which of 100,000 places belong to which variant; follows from the weights and moves "
            "as few as can be."},
    TEXT(layer, FIELD_NULLABLE, 128, identifier_fault,
         "The layer whose ranges say who may get anything but the default; null: none."),
    {.name = "prerequisites",
     .type = FIELD_ANY,
     .offset = REF(prerequisites),
     .max = 65536,
     .check_json = check_prerequisites,
     .doc = "Flags that must give one of the variants named, or the default is given here."},
    TEXT(owner, 0, 128, NULL, "Whom to ask."),
    {.name = "expires_at",
     .type = FIELD_TIME,
     .flags = FIELD_NULLABLE,
     .offset = REF(expires_at),
     .doc = "When it should be gone, for people."},
    FIELD_LABELS(REF(labels)),
    {.name = "last_evaluated_at",
     .type = FIELD_TIME,
     .flags = FIELD_SERVER | FIELD_NULLABLE,
     .offset = REF(last_evaluated_at),
     .doc = "When it was last asked; null: not since it was made, or long ago."},
    DOCUMENT_STAMPS,
    {0},
};

static void init(void *fields, const struct rules *rules)
{
    struct flag *f = fields;
    (void)rules;
    f->description = f->owner = "";
    f->enabled = true;
    f->variants = f->params = f->labels = "{}";
    f->allocation = f->prerequisites = "[]";
    f->hash_version = HASH_VERSION;
    f->policy_version = INT64_MIN;
}

/* ---- allocations ---- */

size_t flag_variant_names(const json_t *variants, const char *names[ARMS_MAX + 1])
{
    const char *name;
    json_t *value;
    size_t n = 0;
    json_object_foreach((json_t *)variants, name, value)
        if (n < ARMS_MAX)
            names[n++] = name;
    names[n] = NULL;
    return n;
}

static int place_of(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; name && i < n; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

size_t flag_shares(const char *allocation, const char *const *names, size_t n, struct share *out)
{
    json_t *list = json_read(allocation, strlen(allocation), NULL);
    size_t count = json_array_size(list);
    if (count > SHARES_MAX)
        count = SHARES_MAX;
    for (size_t i = 0; i < count; i++) {
        const json_t *range = json_array_get(list, i);
        int arm = place_of(names, n, json_string_value(json_object_get(range, "variant")));
        out[i] =
            (struct share){.from = (uint32_t)json_integer_value(json_object_get(range, "from")),
                           .to = (uint32_t)json_integer_value(json_object_get(range, "to")),
                           .arm = arm >= 0 ? (uint32_t)arm : ARMS_MAX};
    }
    json_decref(list);
    return count;
}

static const char *shares_text(const struct share *shares, size_t n, const char *const *names,
                               struct arena *a)
{
    struct bytes b = BYTES_INIT(65536);
    bytes_char(&b, '[');
    for (size_t i = 0; i < n; i++) {
        bytes_text(&b, i ? ",{" : "{");
        json_kv_int(&b, "from", shares[i].from);
        json_kv_int(&b, "to", shares[i].to);
        json_kv_string(&b, "variant", names[shares[i].arm]);
        bytes_char(&b, '}');
    }
    bytes_char(&b, ']');
    const char *text = b.full ? "[]" : arena_copy(a, b.data, b.len);
    bytes_release(&b);
    return text;
}

/* What the flag's policy declares: the version pinned, or the one stored that serves, or the file.
 * NULL: a fault was added. */
static const char *declares(struct document_write *w, const struct flag *f)
{
    const struct rollout_policies *files = w->h->rules->rollout_policies;
    const struct view *v = w->h->view;
    bool pinned = f->policy_version != INT64_MIN;
    const struct stored_policy *stored = view_stored_policy(v, w->c->ns, "rollout", f->policy);
    int64_t version = pinned ? f->policy_version : stored ? stored->version : 0;
    const struct policy_version *p =
        version ? view_policy_version(v, w->c->ns, "rollout", f->policy, version) : NULL;
    if (p)
        return p->params;
    if (!pinned)
        return files->file_declares(files->self, f->policy, w->c->arena, &w->faults);
    fault_add(&w->faults, &BAD_REFERENCE, "/policy_version", "the policy has no such version");
    return NULL;
}

/* The policy has its say about the parameters; the ranges follow. */
static void allocate(struct document_write *w, const char *const *names, size_t n)
{
    struct flag *f = w->want;
    const struct flag *old = w->like ? w->like : w->before ? w->before->fields : NULL;
    const struct rollout_policies *policies = w->h->rules->rollout_policies;
    struct share before[SHARES_MAX], after[SHARES_MAX];
    f->allocation = "[]";
    if (!f->policy && f->policy_version != INT64_MIN)
        fault_add(&w->faults, &ERR_INVALID, "/policy_version", "needs a policy");
    if (!f->policy || !policies)
        return;
    const char *declared = declares(w, f);
    if (!declared)
        return;
    json_t *params = json_read(f->params, strlen(f->params), NULL);
    struct flag_plan plan = {.policy = f->policy,
                             .declares = declared,
                             .params = params,
                             .variants = names,
                             .variant_count = n,
                             .shares = before};
    if (old && strcmp(flag_salt(old), flag_salt(f)) == 0)
        plan.share_count = flag_shares(old->allocation, names, n, before);
    int count = policies->plan(policies->self, &plan, after, &w->faults);
    if (count > 0)
        f->allocation = shares_text(after, (size_t)count, names, w->c->arena);
    json_decref(params);
}

bool flag_fits(const struct flag *f, const char *declared, const struct rules *rules,
               struct faults *faults)
{
    const struct rollout_policies *policies = rules->rollout_policies;
    const char *names[ARMS_MAX + 1];
    struct share ignored[SHARES_MAX];
    json_t *variants = json_read(f->variants, strlen(f->variants), NULL);
    json_t *params = json_read(f->params, strlen(f->params), NULL);
    struct flag_plan plan = {.policy = f->policy,
                             .declares = declared,
                             .params = params,
                             .variants = names,
                             .variant_count = flag_variant_names(variants, names)};
    int count = policies->plan(policies->self, &plan, ignored, faults);
    json_decref(variants);
    json_decref(params);
    return count >= 0;
}

/* ---- decisions ---- */

static void check_variant(struct document_write *w, const char *const *names, size_t n,
                          const char *field, const char *variant)
{
    if (variant && place_of(names, n, variant) < 0)
        fault_add(&w->faults, &ERR_INVALID, field, "is none of the variants");
}

static bool check(struct document_write *w, struct err *e)
{
    struct flag *f = w->want;
    const char *names[ARMS_MAX + 1];
    (void)e;
    json_t *variants = json_read(f->variants, strlen(f->variants), NULL);
    size_t n = flag_variant_names(variants, names);
    check_variant(w, names, n, "/default_variant", f->default_variant);
    check_variant(w, names, n, "/fallback_variant", f->fallback_variant);
    allocate(w, names, n);
    if (f->layer && !view_document(w->h->view, &LAYER_TYPE, w->c->ns, f->layer))
        fault_add(&w->faults, &BAD_REFERENCE, "/layer", "no layer has this name");
    flag_prerequisites_check(w);
    json_decref(variants);
    return true;
}

bool flag_is_constant(const struct flag *f)
{
    const char *names[ARMS_MAX + 1];
    struct share shares[SHARES_MAX];
    if (f->killed || !f->enabled || !f->policy)
        return true;
    json_t *variants = json_read(f->variants, strlen(f->variants), NULL);
    size_t n = flag_shares(f->allocation, names, flag_variant_names(variants, names), shares);
    json_decref(variants);
    json_t *params = json_read(f->params, strlen(f->params), NULL);
    const json_t *percent = json_object_get(params, "percent");
    bool all = !json_is_number(percent) || json_number_value(percent) >= 100;
    bool none = json_is_number(percent) && json_number_value(percent) <= 0;
    json_decref(params);
    return none || (all && n == 1 && shares[0].to - shares[0].from == BUCKETS);
}

bool flag_is_stale(const struct flag *f, int64_t last_ms, int64_t now_ms)
{
    int64_t asked = last_ms > f->head.created_at ? last_ms : f->head.created_at;
    return now_ms - asked >= FLAG_STALE_MS ||
           (now_ms - f->head.updated_at >= FLAG_STALE_MS && flag_is_constant(f));
}

bool flag_roll_back(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    const struct flag_former *to = c->args;
    struct document_rollback body = {0};
    if (!addressed_document(&FLAG_TYPE, c, h, e) ||
        !body_decode(c, DOCUMENT_ROLLBACK_FIELDS, &body, e))
        return refused(out);
    take_reason(c, body.reason);
    const struct document_past past = {&FLAG_TYPE, to->text, to->len, "flag.rolled_back"};
    return document_restore(c, h, out, &past, e);
}

static bool requires(const struct document *flag, const char *quoted)
{
    return strstr(flag_of(flag)->prerequisites, quoted) != NULL;
}

static bool asks(const struct document *route, const char *key)
{
    const char *flag = route_of(route)->flag;
    return flag && strcmp(flag, key) == 0;
}

static bool remove_unused(struct document_write *w, struct err *e)
{
    const char *id = w->before->entity.id, *members = NULL;
    const char *quoted = arena_printf(w->c->arena, "\"flag\":\"%s\"", id);
    size_t n = document_users(w, ENTITY_FLAG, requires, quoted, &members);
    if (n) {
        fail(e, &FLAG_IN_USE, "%zu flags have '%.200s' as a prerequisite", n, id);
    } else {
        n = document_users(w, ENTITY_ROUTE, asks, id, &members);
        if (n)
            fail(e, &FLAG_IN_USE, "%zu routes ask '%.200s' who serves", n, id);
    }
    if (n && e)
        e->members = members;
    return n == 0;
}

const struct document_type FLAG_TYPE = {
    .kind = ENTITY_FLAG,
    .noun = "flag",
    .id_name = "key",
    .path = "/api/models/enterprise/flags/",
    .fields = FLAG_FIELDS,
    .size = sizeof(struct flag),
    .not_found = &FLAG_NOT_FOUND,
    .exists = &FLAG_EXISTS,
    .created = "flag.created",
    .updated = "flag.updated",
    .deleted = "flag.deleted",
    .init = init,
    .check = check,
    .remove = remove_unused,
};
