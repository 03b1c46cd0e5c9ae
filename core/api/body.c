#include "api/body.h"

#include "base/json.h"

bool call_body(struct call *c, const struct field *table, void *out, struct err *e)
{
    size_t len;
    const char *text = request_body(c->rq, &len);
    struct faults faults;
    json_t *body = json_read(text, len, e);
    if (!body)
        return false;
    if (!json_is_object(body)) {
        json_decref(body);
        return call_fault(c->arena, "", e, "must be an object");
    }
    faults_init(&faults, c->arena);
    bool good = fields_decode(table, body, "", DECODE_CREATE, out, c->arena, NULL, &faults);
    json_decref(body);
    return good || faults_fail(&faults, e);
}
