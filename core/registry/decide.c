#include "registry/decide.h"

#include "base/bytes.h"
#include "base/json.h"
#include "registry/alert.h"
#include "registry/test_case.h"
#include "registry/validation_summary.h"

#include <inttypes.h>
#include <string.h>

/* --- what a command addresses --- */

bool if_match_fits(const struct command *c, const struct entity *entity, struct err *e)
{
    if (c->if_none_match == -2)
        return fail(e, &REVISION_MISMATCH, "'%.200s' exists already, at revision %" PRId64,
                    entity->id, entity->revision);
    if (c->if_none_match == entity->revision)
        return fail(e, &REVISION_MISMATCH,
                    "'%.200s' is at revision %" PRId64 ", which If-None-Match rules out",
                    entity->id, entity->revision);
    if (c->if_match < 0 || c->if_match == entity->revision)
        return true;
    if (c->if_match == 0) /* its tags are weak, or not ours */
        return fail(e, &REVISION_MISMATCH,
                    "'%.200s' is at revision %" PRId64 ", and If-Match names no revision",
                    entity->id, entity->revision);
    return fail(e, &REVISION_MISMATCH, "'%.200s' is at revision %" PRId64 ", not at %" PRId64,
                entity->id, entity->revision, c->if_match);
}

/* What an actor may not see is looked for where there is nothing, so that the answer is the one
 * for what does not exist, to the letter. */
static const char NOWHERE[] = "";

bool command_sees(const struct command *c, const char *name)
{
    return grants_allow(c->grants, c->ns, name, ACTIONS_ALL);
}

bool command_may(const struct command *c, const char *name, uint32_t actions, struct err *e)
{
    return (strcmp(c->ns, NOWHERE) != 0 && grants_allow(c->grants, c->ns, name, actions)) ||
           forbidden(c->arena, c->ns, name, actions, e);
}

const struct model *addressed_model(const struct command *c, const struct head *h, struct err *e)
{
    const struct model *m = view_resolve(h->view, c->ns, c->id, e);
    if (m && !command_sees(c, m->name))
        m = view_resolve(h->view, NOWHERE, c->id, e);
    return m && command_may(c, m->name, c->actions, e) && if_match_fits(c, &m->entity, e) ? m
                                                                                          : NULL;
}

const struct registered_model *addressed_name(const struct command *c, const struct head *h,
                                              struct err *e)
{
    const struct registered_model *r =
        command_sees(c, c->id) ? view_registered_model(h->view, c->ns, c->id) : NULL;
    if (!r)
        fail(e, &REGISTERED_MODEL_NOT_FOUND, "no registered model with name '%.200s'", c->id);
    return r && command_may(c, c->id, c->actions, e) && if_match_fits(c, &r->entity, e) ? r : NULL;
}

const struct model *referenced_model(const struct command *c, const struct head *h,
                                     const char *reference, const char *pointer, struct faults *f)
{
    struct err why = {0};
    const struct model *m = view_resolve(h->view, c->ns, reference, &why);
    if (m && !command_sees(c, m->name))
        m = view_resolve(h->view, NOWHERE, reference, &why);
    if (!m)
        fault_add(f, &BAD_REFERENCE, pointer, "leads to no model: %.400s", why.detail);
    return m;
}

/* --- bodies --- */

bool body_decode(const struct command *c, const struct field *table, void *out, struct err *e)
{
    struct faults faults;
    faults_init(&faults, c->arena);
    json_t *none = c->body ? NULL : json_object();
    bool ok = fields_decode(table, c->body ? c->body : none, "", DECODE_CREATE, out, c->arena, NULL,
                            &faults);
    json_decref(none);
    return ok || faults_fail(&faults, e);
}

bool body_names(const struct command *c, const char *member)
{
    return json_object_get(c->body, member) != NULL;
}

bool body_revision_fits(const struct command *c, const struct entity *entity, struct err *e)
{
    const json_t *revision = json_object_get(c->body, "revision");
    if (!revision || json_is_null(revision))
        return true;
    if (!json_is_integer(revision)) {
        struct faults faults;
        faults_init(&faults, c->arena);
        fault_add(&faults, &ERR_INVALID, "/revision", "must be a whole number");
        return faults_fail(&faults, e);
    }
    if (json_integer_value(revision) == entity->revision)
        return true;
    return fail(e, &REVISION_MISMATCH,
                "'%.200s' is at revision %" PRId64 ", the body was made from %" PRId64, entity->id,
                entity->revision, (int64_t)json_integer_value(revision));
}

void patch_unknown(const struct command *c, const struct field *table, struct faults *f)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)c->body, name, value) {
        size_t i = 0;
        while (table[i].name && strcmp(table[i].name, name) != 0)
            i++;
        if (table[i].name || !json_is_null(value))
            continue;
        char pointer[512];
        pointer_join(pointer, sizeof pointer, "", name);
        fault_add(f, &ERR_UNKNOWN_FIELD, pointer, "is not a field of this object");
    }
}

void take_reason(struct command *c, const char *given)
{
    if (given && *given)
        c->reason = given;
    else if (c->reason && !*c->reason)
        c->reason = NULL;
}

/* --- changes --- */

const char *actor_json(const struct command *c)
{
    struct bytes b = BYTES_INIT(8192);
    bytes_char(&b, '{');
    json_kv_string(&b, "kind", c->actor.kind);
    json_kv_string(&b, "id", c->actor.id);
    bytes_char(&b, '}');
    const char *text = arena_copy(c->arena, b.data, b.len);
    bytes_release(&b);
    return text;
}

bool put_model(const struct decision *d, const struct model *before, struct model_fields *f,
               const char *action, const char *evidence, struct err *e)
{
    f->revision = before ? before->entity.revision + 1 : 1;
    f->updated_at = d->h->now_ms;
    uint64_t uid = before ? before->entity.uid : d->h->next_uid++;
    struct entity *after = model_fields_write(f, uid, d->h->names, e);
    if (!after)
        return false;
    changes_put(d->out, d->c->arena, action, before ? &before->entity : NULL, after, evidence);
    return true;
}

bool change_model(const struct decision *d, const struct model *m,
                  void (*edit)(struct model_fields *f, const void *ctx), const void *ctx,
                  const char *action, const char *evidence, struct err *e)
{
    struct arena *scratch = arena_new(4 * ENTITY_TEXT_MAX);
    struct model_fields f;
    bool ok = model_fields_read(m, scratch, &f, e);
    if (ok) {
        edit(&f, ctx);
        ok = put_model(d, m, &f, action, evidence, e);
    } else if (e) {
        e->members = NULL; /* it lay in the scratch memory */
    }
    arena_free(scratch);
    return ok;
}

bool text_fits(const struct entity *before, const struct entity *after, struct err *e)
{
    return after->json_len <= ENTITY_TEXT_MAX || (before && after->json_len <= before->json_len) ||
           fail(e, &ERR_INVALID, "the object would have more than %zu bytes as JSON",
                ENTITY_TEXT_MAX);
}

/* What goes with one model, its test cases apart, and what follows after the last of many. */
#define GONE_MAX 10

bool put_model_gone(const struct decision *d, const struct model *m, struct err *e)
{
    static const char *const kinds[] = {"health", "regression", "suite_crashed"};
    const struct entity *health = view_get(d->h->view, ENTITY_HEALTH, m->entity.ns, m->entity.id);
    if (d->out->n + GONE_MAX > CHANGES_MAX)
        return fail(e, &TOO_MANY_CHANGES, "too much goes with '%.200s'; delete versions one by one",
                    m->entity.id);
    changes_put(d->out, d->c->arena, "model.deleted", &m->entity, NULL, NULL);
    if (health)
        changes_put(d->out, d->c->arena, "health.removed", health, NULL, NULL);
    put_validation_gone(d->c, d->h, d->out, m);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!alert_end(d, alert_key(d->c->arena, kinds[i], m->entity.id), e))
            return false;
    return test_cases_remove(d->c, d->h, d->out, NULL, m->entity.id, e);
}

/* --- answers --- */

bool answer_entity(struct command *c, int status, const struct entity *entity, const char *members,
                   struct err *e)
{
    size_t more = members ? strlen(members) + 1 : 0;
    char *body = arena_alloc(c->arena, entity->json_len + more + 1);
    if (!body)
        return fail(e, &ERR_MEMORY, "the answer does not fit into memory");
    memcpy(body, entity->json, entity->json_len + 1);
    if (members) {
        char *end = body + entity->json_len - 1; /* over the closing brace */
        *end = ',';
        memcpy(end + 1, members, more - 1);
        end[more] = '}';
        end[more + 1] = '\0';
    }
    c->answer.status = status;
    c->answer.revision = entity->revision;
    c->answer.body = body;
    c->answer.body_len = entity->json_len + more;
    return true;
}

bool answer_text(struct command *c, int status, const char *json)
{
    c->answer.status = status;
    c->answer.body = json;
    c->answer.body_len = strlen(json);
    return true;
}

bool answer_nothing(struct command *c)
{
    c->answer.status = 204;
    return true;
}

const char *location_of(const struct command *c, const char *base, const char *id)
{
    static const char safe[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:@";
    struct bytes b = BYTES_INIT(8192);
    bytes_text(&b, base);
    for (const char *p = id; *p; p++) {
        if (strchr(safe, *p))
            bytes_char(&b, *p);
        else
            bytes_printf(&b, "%%%02X", (unsigned)(unsigned char)*p);
    }
    const char *text = arena_copy(c->arena, b.data, b.len);
    bytes_release(&b);
    return text;
}
