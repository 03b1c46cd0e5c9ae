#include "registry/test_case.h"

#include "base/json.h"
#include "registry/decide.h"
#include "registry/errors.h"

#include <string.h>

const char *const TEST_TRIGGERS[] = {"nightly", "promotion", "manual", NULL};
static const char *const ENFORCEMENTS[] = {"gate", "report", NULL};

static const char *trigger_fault(const char *text)
{
    for (const char *const *t = TEST_TRIGGERS; *t; t++)
        if (strcmp(*t, text) == 0)
            return NULL;
    return "must be one of 'nightly', 'promotion', 'manual'";
}

static const char *type_fault(const char *text)
{
    return identifier_fault(text);
}

#define REF(member) offsetof(struct test_case, member)

const struct field TEST_CASE_FIELDS[] = {
    DOCUMENT_NAMESPACE,
    DOCUMENT_ID("test_id", identifier_fault, "Unique in the namespace; made if left out."),
    {.name = "name",
     .type = FIELD_STRING,
     .offset = REF(name),
     .max = 256,
     .doc = "For people; the test_id unless given."},
    {.name = "model_name",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = REF(model_name),
     .min = 1,
     .max = 128,
     .doc = "All versions of this name are tested. Either this or model_id."},
    {.name = "model_id",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = REF(model_id),
     .min = 1,
     .max = 400,
     .doc = "Only this model is: an id, or name@alias, which is resolved now."},
    {.name = "type",
     .type = FIELD_STRING,
     .flags = FIELD_REQUIRED,
     .offset = REF(type),
     .check = type_fault,
     .doc = "What kind of test: unit, integration, regression, performance, smoke, or a plugin's."},
    {.name = "config",
     .type = FIELD_OBJECT,
     .offset = REF(config),
     .max = 1 << 20,
     .doc = "As the schema of the type demands, which /types shows; checked now, not at night."},
    {.name = "datasets",
     .type = FIELD_STRINGS,
     .offset = REF(datasets),
     .max = TEST_DATASETS_MAX,
     .check = identifier_fault,
     .doc = "The datasets it uses, by id."},
    {.name = "triggers",
     .type = FIELD_STRINGS,
     .offset = REF(triggers),
     .max = 3,
     .check = trigger_fault,
     .doc = "What runs it: nightly, promotion, manual; all of them unless given."},
    {.name = "enforcement",
     .type = FIELD_ENUM,
     .offset = REF(enforcement),
     .choices = ENFORCEMENTS,
     .doc = "gate: its failure blocks promotions; report: it is only told."},
    {.name = "timeout_ms",
     .type = FIELD_INT,
     .offset = REF(timeout_ms),
     .min = 1,
     .max = TEST_TIMEOUT_MS_MAX,
     .doc = "How long it may take."},
    {.name = "enabled", .type = FIELD_BOOL, .offset = REF(enabled), .doc = "Is it run at all?"},
    FIELD_LABELS(REF(labels)),
    DOCUMENT_STAMPS,
    {0},
};

static void init(void *fields, const struct rules *rules)
{
    struct test_case *t = fields;
    (void)rules;
    t->name = "";
    t->config = t->labels = "{}";
    t->datasets = "[]";
    t->triggers = "[\"nightly\",\"promotion\",\"manual\"]";
    t->enforcement = "gate";
    t->timeout_ms = 30000;
    t->enabled = true;
}

/* --- checks --- */

static void check_model(struct document_write *w)
{
    struct test_case *t = w->want;
    const struct test_case *old = w->before ? w->before->fields : NULL;
    if (!t->model_name == !t->model_id) {
        fault_add(&w->faults, &ERR_INVALID, "/model_name",
                  "must be given, or model_id, and not both");
        return;
    }
    if (t->model_name && !view_registered_model(w->h->view, w->c->ns, t->model_name))
        fault_add(&w->faults, &BAD_REFERENCE, "/model_name", "no registered model has this name");
    if (!t->model_id || (old && old->model_id && strcmp(old->model_id, t->model_id) == 0))
        return;
    const struct model *m = referenced_model(w->c, w->h, t->model_id, "/model_id", &w->faults);
    if (m)
        t->model_id = arena_text(w->c->arena, m->entity.id);
}

static void check_datasets(struct document_write *w)
{
    const struct test_case *t = w->want;
    json_t *ids = json_read(t->datasets, strlen(t->datasets), NULL), *id;
    size_t i;
    json_array_foreach(ids, i, id) {
        const char *text = json_string_value(id);
        if (!view_document(w->h->view, &DATASET_TYPE, w->c->ns, text))
            fault_add(&w->faults, &BAD_REFERENCE, arena_printf(w->c->arena, "/datasets/%zu", i),
                      "no dataset has this id");
    }
    json_decref(ids);
}

/* The plugin's own schema, where the server knows plugins. */
static void check_config(struct document_write *w)
{
    const struct test_case *t = w->want;
    const struct test_types *known = w->h->rules->test_types;
    if (!known)
        return;
    json_t *config = json_read(t->config, strlen(t->config), NULL);
    known->check(known->self, t->type, config, &w->faults);
    json_decref(config);
}

static bool check(struct document_write *w, struct err *e)
{
    struct test_case *t = w->want;
    (void)e;
    check_model(w);
    check_datasets(w);
    check_config(w);
    if (!*t->name && t->head.id)
        t->name = t->head.id;
    return true;
}

static const char *owner(const void *fields)
{
    return ((const struct test_case *)fields)->model_name;
}

static const char *model(const void *fields)
{
    return ((const struct test_case *)fields)->model_id;
}

const struct document_type TEST_CASE_TYPE = {
    .kind = ENTITY_TEST_CASE,
    .noun = "test case",
    .id_name = "test_id",
    .id_prefix = "test-",
    .path = "/api/models/enterprise/validation/tests/",
    .fields = TEST_CASE_FIELDS,
    .size = sizeof(struct test_case),
    .not_found = &TEST_CASE_NOT_FOUND,
    .exists = &TEST_CASE_EXISTS,
    .created = "test_case.created",
    .updated = "test_case.updated",
    .deleted = "test_case.deleted",
    .init = init,
    .check = check,
    .owner = owner,
    .model = model,
};

/* --- reading --- */

bool test_case_covers(const struct test_case *t, const struct model *m)
{
    return t->model_id ? strcmp(t->model_id, m->entity.id) == 0
                       : strcmp(t->model_name, m->name) == 0;
}

bool test_case_triggered(const struct test_case *t, const char *trigger)
{
    const char *at = strstr(t->triggers, trigger); /* none of them is a part of another */
    return at != NULL;
}

struct covering {
    const struct model *model;
    bool (*fn)(const struct document *d, void *ctx);
    void *ctx;
};

static bool if_covered(const struct entity *e, void *ctx)
{
    const struct covering *c = ctx;
    const struct document *d = document_of(e);
    return !test_case_covers(test_case_of(d), c->model) || c->fn(d, c->ctx);
}

void test_cases_of(const struct view *v, const struct model *m,
                   bool (*fn)(const struct document *d, void *ctx), void *ctx)
{
    struct covering c = {m, fn, ctx};
    view_each_of(v, ENTITY_TEST_CASE, m->entity.ns, if_covered, &c);
}

/* --- what follows from the changes of others --- */

struct following {
    struct command *c;
    struct head *h;
    struct changes *out;
    const char *model_name, *model_id, *to;
    struct err *e;
    bool ok;
};

static bool follow_one(const struct entity *entity, void *ctx)
{
    struct following *f = ctx;
    const struct document *d = document_of(entity);
    const struct test_case *t = test_case_of(d);
    bool meant = f->model_id ? t->model_id && strcmp(t->model_id, f->model_id) == 0
                             : t->model_name && strcmp(t->model_name, f->model_name) == 0;
    if (!meant)
        return true;
    if (f->out->n + 64 > CHANGES_MAX) {
        f->ok = fail(f->e, &TOO_MANY_CHANGES, "too many test cases go with it; delete some first");
        return false;
    }
    if (!f->to) {
        changes_put(f->out, f->c->arena, "test_case.deleted", entity, NULL, NULL);
        return true;
    }
    struct test_case want = *t;
    struct document_write w = {
        .type = &TEST_CASE_TYPE, .c = f->c, .h = f->h, .out = f->out, .before = d, .want = &want};
    want.model_name = f->to;
    f->ok = document_put(&w, "test_case.updated", NULL, f->e) != NULL;
    return f->ok;
}

static bool follow(struct following *f)
{
    f->ok = true;
    view_each_of(f->h->view, ENTITY_TEST_CASE, f->c->ns, follow_one, f);
    return f->ok;
}

bool test_cases_rename(struct command *c, struct head *h, struct changes *out, const char *from,
                       const char *to, struct err *e)
{
    return follow(&(struct following){c, h, out, from, NULL, to, e, true});
}

bool test_cases_remove(struct command *c, struct head *h, struct changes *out,
                       const char *model_name, const char *model_id, struct err *e)
{
    return follow(&(struct following){c, h, out, model_name, model_id, NULL, e, true});
}
