#include "base/bytes.h"
#include "base/json.h"
#include "registry/decide.h"
#include "registry/family.h"

#include <string.h>

const char *hold_json(const struct command *c, const char *reason, int64_t at)
{
    struct bytes b = BYTES_INIT(32768);
    bytes_char(&b, '{');
    json_kv_string(&b, "reason", reason);
    json_kv_time(&b, "at", at);
    json_kv_raw(&b, "by", actor_json(c));
    bytes_char(&b, '}');
    const char *text = arena_copy(c->arena, b.data, b.len);
    bytes_release(&b);
    return text;
}

static bool required_reason(struct command *c, struct err *e)
{
    struct hold_body body = {0};
    struct faults faults;
    if (!body_decode(c, HOLD_FIELDS, &body, e))
        return false;
    take_reason(c, body.reason);
    if (c->reason)
        return true;
    faults_init(&faults, c->arena);
    fault_add(&faults, &ERR_INVALID, "/reason", "is required");
    return faults_fail(&faults, e);
}

/* Does the model's hold give this reason already? */
static bool held_for(const char *hold, const char *reason)
{
    json_t *now = json_read(hold, strlen(hold), NULL);
    const char *why = json_string_value(json_object_get(now, "reason"));
    bool same = why && strcmp(why, reason) == 0;
    json_decref(now);
    return same;
}

static bool put_hold(const struct decision *d, const struct model *m, struct model_fields *f,
                     const char *action, struct err *e)
{
    struct family family; /* a hold decides who may be @previous */
    return family_open(&family, d, m->name, e) && put_model(d, m, f, action, NULL, e) &&
           family_close(&family, "registered_model.updated", NULL, NULL, e);
}

static bool hold(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    const struct decision d = {c, h, out};
    struct model_fields f;
    const struct model *m = addressed_model(c, h, e);
    if (!m || !required_reason(c, e) || !model_fields_read(m, c->arena, &f, e))
        return false;
    if (m->held && held_for(f.hold, c->reason))
        return answer_entity(c, 200, &m->entity, NULL, e);
    f.hold = hold_json(c, c->reason, h->now_ms);
    return put_hold(&d, m, &f, "model.held", e) &&
           answer_entity(c, 200, out->list[0].after, NULL, e);
}

bool model_hold(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    return hold(c, h, out, e) || refused(out);
}

static bool release(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    const struct decision d = {c, h, out};
    struct model_fields f;
    const struct model *m = addressed_model(c, h, e);
    if (!m)
        return false;
    if (!m->held)
        return fail(e, &HOLD_NOT_FOUND, "'%.200s' is not held", m->entity.id);
    if (!model_fields_read(m, c->arena, &f, e))
        return false;
    f.hold = NULL;
    return put_hold(&d, m, &f, "model.released", e) && answer_nothing(c);
}

bool model_release(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    return release(c, h, out, e) || refused(out);
}
