#include "api/body.h"

#include "base/json.h"

json_t *call_object(struct call *c, struct err *e)
{
    size_t len;
    const char *text = request_body(c->rq, &len);
    json_t *body = json_read(text, len, e);
    if (!body || json_is_object(body))
        return body;
    json_decref(body);
    (void)call_fault(c->arena, "", e, "must be an object");
    return NULL;
}

bool call_body(struct call *c, const struct field *table, void *out, struct err *e)
{
    struct faults faults;
    json_t *body = call_object(c, e);
    if (!body)
        return false;
    faults_init(&faults, c->arena);
    bool good = fields_decode(table, body, "", DECODE_CREATE, out, c->arena, NULL, &faults);
    json_decref(body);
    return good || faults_fail(&faults, e);
}
