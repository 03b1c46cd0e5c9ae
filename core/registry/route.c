#include "registry/route.h"

#include "base/ids.h"
#include "base/json.h"
#include "registry/decide.h"
#include "registry/errors.h"
#include "registry/flag.h"
#include "registry/model_fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_TTL_MS   300000
#define DEFAULT_FALLBACK "[\"@stable\",\"@previous\"]"
#define REFERENCE_MAX    400 /* characters */

static const char *const ON_MISSING[] = {"stable", "error", NULL};
static const char *const LOGS[] = {"off", "exposures", "all", NULL};

/* ---- checks of single fields ---- */

static const char *reference_fault(const char *text)
{
    const char *at = strchr(text, '@');
    return at && !id_valid(at + 1)
               ? "must be a model id, name@alias, or @alias for the name of the route"
               : NULL;
}

/* A renamed route keeps the place of its units: then its salt is what it was called. */
static const char *salt_fault(const char *text)
{
    return model_name_fault(text) ? identifier_fault(text) : NULL;
}

static bool is_text(const json_t *value, size_t max)
{
    return json_is_string(value) && json_string_length(value) > 0 &&
           json_string_length(value) <= max;
}

static void check_labels(const json_t *labels, const char *pointer, struct faults *f)
{
    const char *key;
    json_t *value;
    char below[300];
    if (!json_is_object(labels) || json_object_size(labels) > ROUTE_LABELS_MAX) {
        fault_add(f, &ERR_INVALID, pointer, "must be an object of at most %d", ROUTE_LABELS_MAX);
        return;
    }
    json_object_foreach((json_t *)labels, key, value) {
        pointer_join(below, sizeof below, pointer, key);
        if (!json_is_string(value))
            fault_add(f, &ERR_INVALID, below, "must be a text");
    }
}

static void check_match(const json_t *value, const char *pointer, struct faults *f)
{
    const char *key;
    json_t *member;
    char below[300];
    bool name = json_object_get(value, "model_name") != NULL;
    if (json_object_size(value) == 0 || (name && json_object_size(value) > 1))
        fault_add(f, &ERR_INVALID, pointer,
                  "must have model_name alone, or some of sport, type, labels");
    json_object_foreach((json_t *)value, key, member) {
        pointer_join(below, sizeof below, pointer, key);
        if (strcmp(key, "labels") == 0)
            check_labels(member, below, f);
        else if (strcmp(key, "model_name") != 0 && strcmp(key, "sport") != 0 &&
                 strcmp(key, "type") != 0)
            fault_add(f, &ERR_UNKNOWN_FIELD, below, "is not a field of a match");
        else if (!is_text(member, 512))
            fault_add(f, &ERR_INVALID, below, "must be a text of 1 to 512 bytes");
    }
}

static void check_arms(const json_t *value, const char *pointer, struct faults *f)
{
    const char *name;
    json_t *reference;
    char below[300];
    if (json_object_size(value) == 0 || json_object_size(value) > ARMS_MAX)
        fault_add(f, &ERR_INVALID, pointer, "must have 1 to %d arms", ARMS_MAX);
    json_object_foreach((json_t *)value, name, reference) {
        pointer_join(below, sizeof below, pointer, name);
        if (!id_valid(name))
            fault_add(f, &ERR_INVALID, below, "%s", identifier_fault(name));
        if (!is_text(reference, 4 * REFERENCE_MAX))
            fault_add(f, &ERR_INVALID, below, "must be a reference to a model");
        else if (reference_fault(json_string_value(reference)))
            fault_add(f, &ERR_INVALID, below, "%s", reference_fault(json_string_value(reference)));
    }
}

static void check_shadows(const json_t *value, const char *pointer, struct faults *f)
{
    const json_t *item;
    size_t i;
    char below[300];
    if (!json_is_array(value) || json_array_size(value) > ROUTE_SHADOWS_MAX) {
        fault_add(f, &ERR_INVALID, pointer, "must be a list of at most %d", ROUTE_SHADOWS_MAX);
        return;
    }
    json_array_foreach((json_t *)value, i, item) {
        double share = json_number_value(json_object_get(item, "share_ratio"));
        const json_t *model = json_object_get(item, "model_id");
        snprintf(below, sizeof below, "%s/%zu", pointer, i);
        if (json_object_size(item) != 2 || !is_text(model, 4 * REFERENCE_MAX) ||
            reference_fault(json_string_value(model)) ||
            !json_is_number(json_object_get(item, "share_ratio")) || !(share >= 0 && share <= 1))
            fault_add(f, &ERR_INVALID, below,
                      "must be {\"model_id\":reference,\"share_ratio\":0..1}");
    }
}

#define REF(member) offsetof(struct model_route, member)
#define TEXT(name_, flags_, max_, check_, doc_)                                                \
    {                                                                                          \
        .name = #name_, .type = FIELD_STRING, .flags = flags_, .offset = REF(name_), .min = 1, \
        .max = max_, .check = check_, .doc = doc_                                              \
    }

const struct field ROUTE_FIELDS[] = {
    DOCUMENT_NAMESPACE,
    DOCUMENT_ID("route", model_name_fault,
                "Unique in the namespace; that of a registered model is called as it is."),
    {.name = "match",
     .type = FIELD_OBJECT,
     .offset = REF(match),
     .max = 16384,
     .check_json = check_match,
     .doc = "Which models it is about: one name, or some of sport, type, labels. The name that the "
            "route is called by, unless given."},
    {.name = "arms",
     .type = FIELD_OBJECT,
     .flags = FIELD_NULLABLE,
     .offset = REF(arms),
     .max = 65536,
     .check_json = check_arms,
     .doc = "Name to model, by id, name@alias or @alias. null: all canary and stable ones that "
            "match, called by their ids."},
    TEXT(flag, FIELD_NULLABLE, 128, identifier_fault,
         "The flag whose variant names the arm; null: none."),
    TEXT(strategy, FIELD_NULLABLE, 128, identifier_fault,
         "Who gives the weights: weighted, or a plugin's. null: the stable serves."),
    {.name = "params",
     .type = FIELD_OBJECT,
     .offset = REF(params),
     .max = 65536,
     .doc = "What the strategy is told. `weights`, arm to number, are the route's own, which stand "
            "until a strategy has some."},
    TEXT(unit, 0, 128, NULL, "The member of the context that says who asks."),
    {.name = "on_missing_unit",
     .type = FIELD_ENUM,
     .offset = REF(on_missing_unit),
     .choices = ON_MISSING,
     .doc = "What becomes of those without one where one is needed: the stable, or 400."},
    {.name = "fallback",
     .type = FIELD_STRINGS,
     .offset = REF(fallback),
     .max = ROUTE_FALLBACK_MAX,
     .check = reference_fault,
     .doc = "Who serves in whose place, in this order; references as in arms."},
    {.name = "shadows",
     .type = FIELD_ANY,
     .offset = REF(shadows),
     .max = 16384,
     .check_json = check_shadows,
     .doc = "Models that are asked too, for a share of the units, and never answer."},
    {.name = "ttl_ms",
     .type = FIELD_INT,
     .offset = REF(ttl_ms),
     .min = 0,
     .max = 86400000,
     .doc = "How long a client may hold on to an answer."},
    {.name = "decision_log",
     .type = FIELD_ENUM,
     .offset = REF(decision_log),
     .choices = LOGS,
     .doc = "Which decisions are kept, to be found by unit: exposures are those that a draw made."},
    {.name = "killed",
     .type = FIELD_BOOL,
     .offset = REF(killed),
     .doc = "The kill switch: everybody gets the fallback, whatever else is set."},
    TEXT(salt, FIELD_NULLABLE, 128, salt_fault,
         "Where units fall follows from it; null: from the route's name. Another one moves "
         "everybody."),
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
     .doc = "Which of 100,000 places belong to which arm by the route's own weights; moves as few "
            "as can be."},
    DOCUMENT_STAMPS,
    {0},
};

static void init(void *fields, const struct rules *rules)
{
    struct model_route *r = fields;
    (void)rules;
    r->match = r->params = "{}";
    r->unit = "targetingKey";
    r->on_missing_unit = ON_MISSING[0];
    r->decision_log = LOGS[0];
    r->fallback = DEFAULT_FALLBACK;
    r->shadows = r->allocation = "[]";
    r->ttl_ms = DEFAULT_TTL_MS;
    r->hash_version = HASH_VERSION;
}

void route_of_name(struct model_route *out, const char *ns, const char *name)
{
    *out = (struct model_route){.head = {.ns = ns, .id = name, .revision = 1}};
    init(out, NULL);
}

static size_t derive(const void *fields, void *out)
{
    return route_plan_make(fields, out);
}

/* ---- checks beside the rest ---- */

static json_t *read_text(const char *text)
{
    return json_read(text, strlen(text), NULL);
}

static const struct registered_model *name_of(const struct document_write *w, const char *name)
{
    return command_sees(w->c, name) ? view_registered_model(w->h->view, w->c->ns, name) : NULL;
}

/* A reference must be to a name or a model that there is; the alias may still lead nowhere. */
static void check_reference(struct document_write *w, const char *pointer, const char *reference)
{
    const char *at = strrchr(reference, '@');
    if (at == reference)
        return;
    if (!at) {
        referenced_model(w->c, w->h, reference, pointer, &w->faults);
        return;
    }
    const char *name = arena_copy(w->c->arena, reference, (size_t)(at - reference));
    if (!name_of(w, name))
        fault_add(&w->faults, &BAD_REFERENCE, pointer, "no registered model with name '%.200s'",
                  name);
}

/* What a relative reference needs: a name of the route. */
static void check_relative(struct document_write *w, const struct route_plan *p,
                           const char *pointer, const char *reference)
{
    if (*reference == '@' && !p->model_name && strcmp(reference, "@stable") != 0)
        fault_add(&w->faults, &ERR_INVALID, pointer,
                  "only a route of one model_name has %.100s; say name@alias", reference);
}

static void check_name(struct document_write *w, const struct route_plan *p)
{
    const struct model_route *r = w->want;
    if (p->model_name && !name_of(w, p->model_name))
        fault_add(&w->faults, &BAD_REFERENCE, "/match/model_name",
                  "no registered model with name '%.200s'", p->model_name);
    else if (name_of(w, r->head.id) && (!p->model_name || strcmp(p->model_name, r->head.id) != 0))
        fault_add(&w->faults, &ERR_INVALID, "/match",
                  "must be the model_name '%.200s': the route is called as it is", r->head.id);
}

static void check_references(struct document_write *w, const struct route_plan *p)
{
    struct arena *a = w->c->arena;
    for (size_t i = 0; i < p->arm_count; i++) {
        char pointer[300];
        pointer_join(pointer, sizeof pointer, p->arms_given ? "/arms" : "/params/weights",
                     p->arms[i].name);
        check_relative(w, p, pointer, p->arms[i].reference);
        check_reference(w, pointer, p->arms[i].reference);
    }
    for (size_t i = 0; i < p->fallback_count; i++) {
        const char *pointer = arena_printf(a, "/fallback/%zu", i);
        if (strcmp(p->fallback[i], "@previous") != 0)
            check_relative(w, p, pointer, p->fallback[i]);
        check_reference(w, pointer, p->fallback[i]);
    }
    for (size_t i = 0; i < p->shadow_count; i++) {
        const char *pointer = arena_printf(a, "/shadows/%zu/model_id", i);
        check_relative(w, p, pointer, p->shadows[i].reference);
        check_reference(w, pointer, p->shadows[i].reference);
    }
}

static void check_flag(struct document_write *w)
{
    const struct model_route *r = w->want;
    if (r->flag && !view_document(w->h->view, &FLAG_TYPE, w->c->ns, r->flag))
        fault_add(&w->faults, &BAD_REFERENCE, "/flag", "no flag has this key");
    if (r->flag && r->strategy)
        fault_add(&w->faults, &ERR_INVALID, "/strategy",
                  "must be null where a flag says who gets what");
}

/* The plugin's own schema, where the server knows plugins. */
static void check_strategy(struct document_write *w)
{
    const struct model_route *r = w->want;
    const struct strategy_types *known = w->h->rules->strategies;
    if (!known || !r->strategy || strcmp(r->strategy, STRATEGY_WEIGHTED) == 0)
        return;
    json_t *params = read_text(r->params);
    known->check(known->self, r->strategy, params, &w->faults);
    json_decref(params);
}

/* ---- the route's own weights ---- */

/* In the order of the plan's arms; false: a fault was added. */
static bool read_weights(struct document_write *w, const struct route_plan *p,
                         const json_t *weights, double out[ARMS_MAX])
{
    const char *key;
    json_t *value;
    char pointer[300];
    size_t before = w->faults.total;
    double sum = 0;
    for (size_t i = 0; i < p->arm_count; i++)
        out[i] = 0;
    json_object_foreach((json_t *)weights, key, value) {
        uint32_t arm = route_arm_called(p, key);
        double weight = json_number_value(value);
        pointer_join(pointer, sizeof pointer, "/params/weights", key);
        if (arm == ARMS_MAX)
            fault_add(&w->faults, &ERR_INVALID, pointer, "is none of the arms");
        else if (!json_is_number(value) || !isfinite(weight) || weight < 0)
            fault_add(&w->faults, &ERR_INVALID, pointer, "must be a number of 0 or more");
        else
            sum += out[arm] = weight;
    }
    if (w->faults.total == before && !(sum > 0 && isfinite(sum)))
        fault_add(&w->faults, &ERR_INVALID, "/params/weights",
                  sum > 0 ? "are too large: their sum is no number" : "must not all be 0");
    return w->faults.total == before;
}

static const char *shares_text(const struct share *shares, size_t n, const struct route_plan *p,
                               struct arena *a)
{
    struct bytes b = BYTES_INIT(65536);
    bytes_char(&b, '[');
    for (size_t i = 0; i < n; i++) {
        bytes_text(&b, i ? ",{" : "{");
        json_kv_int(&b, "from", shares[i].from);
        json_kv_int(&b, "to", shares[i].to);
        json_kv_string(&b, "arm", p->arms[shares[i].arm].name);
        bytes_char(&b, '}');
    }
    bytes_char(&b, ']');
    const char *text = b.full ? "[]" : arena_copy(a, b.data, b.len);
    bytes_release(&b);
    return text;
}

/* The ranges until now, numbered as the plan's arms; those of arms that are gone are ARMS_MAX. */
static size_t shares_before(const struct document_write *w, const struct route_plan *p,
                            struct share *out)
{
    const struct model_route *r = w->want;
    if (!w->before || strcmp(route_salt(route_of(w->before)), route_salt(r)) != 0)
        return 0;
    json_t *ranges = read_text(route_of(w->before)->allocation);
    const json_t *range;
    size_t i, n = 0;
    json_array_foreach(ranges, i, range)
        if (n < SHARES_MAX)
            out[n++] = (struct share){
                (uint32_t)json_integer_value(json_object_get(range, "from")),
                (uint32_t)json_integer_value(json_object_get(range, "to")),
                route_arm_called(p, json_string_value(json_object_get(range, "arm")))};
    json_decref(ranges);
    return n;
}

static void allocate(struct document_write *w, const struct route_plan *p)
{
    struct model_route *r = w->want;
    json_t *params = read_text(r->params), *weights = json_object_get(params, "weights");
    double given[ARMS_MAX];
    uint32_t want[ARMS_MAX];
    struct share before[SHARES_MAX], after[SHARES_MAX];
    r->allocation = "[]";
    if (!weights && r->strategy && strcmp(r->strategy, STRATEGY_WEIGHTED) == 0)
        fault_add(&w->faults, &ERR_INVALID, "/params/weights",
                  "is required by the strategy 'weighted': arm to number");
    else if (weights && (!json_is_object(weights) || json_object_size(weights) > ARMS_MAX))
        fault_add(&w->faults, &ERR_INVALID, "/params/weights",
                  "must be an object of at most %d arms", ARMS_MAX);
    else if (weights && read_weights(w, p, weights, given) &&
             shares_of_weights(given, p->arm_count, want)) {
        size_t n = shares_reweigh(before, shares_before(w, p, before), want, p->arm_count, after);
        r->allocation = shares_text(after, n, p, w->c->arena);
    }
    json_decref(params);
}

/* ---- checking and removing ---- */

static bool remove_free(struct document_write *w, struct err *e)
{
    return w->implied || !route_owned(w, w->before->entity.id, e);
}

static bool check(struct document_write *w, struct err *e)
{
    struct model_route *r = w->want;
    struct arena *a = w->c->arena;
    if (route_moves_shares(w) && route_owned(w, r->head.id, e))
        return false;
    r->allocation = "[]";
    if (strcmp(r->match, "{}") == 0) {
        struct bytes b = BYTES_INIT(16384);
        bytes_char(&b, '{');
        json_kv_string(&b, "model_name", r->head.id);
        bytes_char(&b, '}');
        r->match = arena_copy(a, b.data, b.len);
        bytes_release(&b);
    }
    struct route_plan *p = arena_zero(a, route_plan_make(r, NULL));
    route_plan_make(r, p);
    check_name(w, p);
    check_references(w, p);
    check_flag(w);
    check_strategy(w);
    allocate(w, p);
    return true;
}

/* ---- routes that nobody stored ---- */

static const struct document *implied(const struct view *v, const char *ns, const char *id,
                                      struct arena *a)
{
    const struct registered_model *m = view_registered_model(v, ns, id);
    if (!m)
        return NULL;
    struct model_route *r = arena_zero(a, sizeof *r);
    struct document *d = arena_zero(a, sizeof *d);
    struct bytes b = BYTES_INIT(65536);
    route_of_name(r, m->entity.ns, m->entity.id);
    r->head.created_at = r->head.updated_at = m->created_at;
    bytes_text(&b, "{");
    json_kv_string(&b, "model_name", id);
    bytes_char(&b, '}');
    r->match = arena_copy(a, b.data, b.len);
    bytes_clear(&b);
    fields_encode_object(ROUTE_FIELDS, r, false, &b);
    d->entity = (struct entity){.kind = ENTITY_ROUTE,
                                .ns = m->entity.ns,
                                .id = m->entity.id,
                                .revision = 1,
                                .uid = m->entity.uid,
                                .json = arena_copy(a, b.data, b.len),
                                .json_len = b.len};
    d->fields = r;
    void *plan = arena_zero(a, route_plan_make(r, NULL));
    route_plan_make(r, plan);
    d->derived = plan;
    bytes_release(&b);
    return d;
}

const struct document_type ROUTE_TYPE = {
    .kind = ENTITY_ROUTE,
    .noun = "route",
    .id_name = "route",
    .path = "/api/models/enterprise/routes/",
    .fields = ROUTE_FIELDS,
    .size = sizeof(struct model_route),
    .not_found = &ROUTE_NOT_FOUND,
    .exists = &ROUTE_EXISTS,
    .created = "route.created",
    .updated = "route.updated",
    .deleted = "route.deleted",
    .init = init,
    .check = check,
    .remove = remove_free,
    .derive = derive,
    .implied = implied,
};
