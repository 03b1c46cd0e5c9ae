#include "api/call.h"

#include "api/loop_state.h"
#include "base/ids.h"
#include "base/utf8.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LABEL_FILTERS_MAX 16
#define REASON_MAX        1024 /* bytes, as api.md has it */

PRINTF_LIKE(4, 0)
static bool fault_v(struct arena *a, const char *where, struct err *e, const char *fmt, va_list ap)
{
    char text[400];
    vsnprintf(text, sizeof text, fmt, ap);
    struct faults f;
    faults_init(&f, a);
    fault_add(&f, &ERR_INVALID, where, "%s", text);
    return faults_fail(&f, e);
}

bool call_fault(struct arena *a, const char *where, struct err *e, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fault_v(a, where, e, fmt, ap);
    va_end(ap);
    return false;
}

void call_refuse(struct call *c, const char *where, const char *fmt, ...)
{
    struct err e;
    va_list ap;
    va_start(ap, fmt);
    fault_v(c->arena, where, &e, fmt, ap);
    va_end(ap);
    request_fail(c->rq, &e);
}

static bool namespace_read(struct call *c, enum namespaces allowed, struct err *e)
{
    static const char HEADER[] = "Paddock-Namespace";
    c->access = access_of(c->rq);
    c->ns = c->access->ns;
    if (!*c->ns || !c->access->header_given)
        return true; /* the authorize hook has put there what it says */
    if (strcmp(c->ns, "*") == 0)
        return allowed == ANY_NAMESPACE ||
               call_fault(c->arena, HEADER, e, "must name one namespace here: * is for lists");
    return id_valid(c->ns) ||
           call_fault(
               c->arena, HEADER, e,
               "must be an identifier: a letter or digit, then up to 127 of A-Z a-z 0-9 . _ : -");
}

void call_reply_entity(const struct call *c, const char *reference, const struct entity *e)
{
    if (strcmp(reference, e->id) == 0)
        request_reply_entity(c->rq, 200, e->revision, e->json, e->json_len);
    else
        request_reply_found(c->rq, e->revision, e->json, e->json_len);
}

uint64_t call_seq(const struct call *c)
{
    uint64_t seq = view_seq(view_enter(c->reader));
    view_leave(c->reader);
    return seq;
}

bool call_begin(struct request *rq, enum namespaces allowed, struct call *c)
{
    struct err e;
    struct loop_state *state = loop_state(request_loop(rq));
    c->api = request_app(rq);
    c->rq = rq;
    c->arena = request_arena(rq);
    c->reader = state->reader;
    if (!namespace_read(c, allowed, &e) || !parameters_read(rq, &c->q, &e)) {
        request_fail(rq, &e);
        return false;
    }
    if (c->q.min_seq > 0 && call_seq(c) < (uint64_t)c->q.min_seq)
        return waiting_add(state, rq, (uint64_t)c->q.min_seq);
    return true;
}

bool call_reason(const struct request *rq, const char **reason, struct err *e)
{
    static const char HEADER[] = "Paddock-Reason";
    struct arena *a = request_arena((struct request *)rq);
    const char *text = *reason = request_header(rq, HEADER);
    if (!text)
        return true;
    size_t len = strlen(text);
    if (len > REASON_MAX)
        return call_fault(a, HEADER, e, "must have at most %d bytes, got %zu", REASON_MAX, len);
    if (!utf8_valid(text, len))
        return call_fault(a, HEADER, e, "must be UTF-8");
    return true;
}

bool call_accepts(const struct request *rq, const char *type)
{
    const char *accept = request_header(rq, "Accept");
    size_t len = strlen(type);
    while (accept && *accept) {
        accept += strspn(accept, " \t,");
        if (strncasecmp(accept, type, len) == 0 && strchr(" \t,;", accept[len]))
            return true; /* strchr finds the NUL as well */
        accept += strcspn(accept, ",");
    }
    return false;
}

bool call_labels(struct call *c, const struct label_filter **labels, size_t *n, struct err *e)
{
    static const char PREFIX[] = "label.";
    struct label_filter *list = arena_zero(c->arena, LABEL_FILTERS_MAX * sizeof *list);
    const char *name, *value;
    for (size_t i = 0; request_query_at(c->rq, i, &name, &value); i++) {
        if (strncmp(name, PREFIX, sizeof PREFIX - 1) != 0)
            continue;
        if (*n == LABEL_FILTERS_MAX)
            return call_fault(c->arena, name, e, "is one too many: at most %d labels",
                              LABEL_FILTERS_MAX);
        list[(*n)++] = (struct label_filter){name + sizeof PREFIX - 1, value};
    }
    *labels = list;
    return true;
}

const char *call_segment(struct arena *a, const char *text)
{
    char *out = arena_zero(a, 3 * strlen(text) + 1), *p = out;
    for (; *text; text++) {
        unsigned char ch = (unsigned char)*text;
        if (isalnum(ch) || strchr("-._~:@", ch))
            *p++ = (char)ch;
        else
            p += snprintf(p, 4, "%%%02X", ch);
    }
    return out;
}
