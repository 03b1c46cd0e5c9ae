#include "base/fault.h"

#include "base/bytes.h"
#include "base/json.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The analyser's macros of these names are for the callers. */
#undef faults_fail

#define TEXT_MAX    500       /* of a pointer or a detail; they may quote what a client sent */
#define MEMBERS_MAX (1 << 20) /* more than all of a list can need */

const struct err_kind ERR_UNKNOWN_FIELD = {
    .code = "UNKNOWN_FIELD",
    .status = 400,
    .title = "Unknown field",
    .doc = "The body has a field that this operation does not know. Fields are refused rather "
           "than ignored, so that a typing error cannot pass silently.",
};
const struct err_kind ERR_UNKNOWN_PARAMETER = {
    .code = "UNKNOWN_PARAMETER",
    .status = 400,
    .title = "Unknown parameter",
    .doc = "The query has a parameter that this operation does not know. Parameters are "
           "refused rather than ignored, so that a typing error cannot pass silently.",
};
const struct err_kind ERR_READ_ONLY_FIELD = {
    .code = "READ_ONLY_FIELD",
    .status = 400,
    .title = "Read-only field",
    .doc = "The body gives another value to a field that identifies the object and cannot "
           "change.",
};
const struct err_kind ERR_MALFORMED_JSON = {
    .code = "MALFORMED_JSON",
    .status = 400,
    .title = "Malformed JSON",
    .doc = "The body is not one JSON text as RFC 8259 has it: bad syntax, a duplicate key, "
           "NaN, a number that does not fit, invalid UTF-8, a NUL, nesting over 64 levels, or "
           "text after the end.",
};

void faults_init(struct faults *f, struct arena *arena)
{
    f->arena = arena;
    f->listed = f->total = 0;
}

/* A copy of at most TEXT_MAX bytes; a constant when the arena is full. */
static const char *keep(struct faults *f, const char *text, const char *otherwise)
{
    size_t len = utf8_cut(text, strlen(text), TEXT_MAX);
    char *p = arena_alloc(f->arena, len + 1);
    if (!p)
        return otherwise;
    memcpy(p, text, len);
    p[len] = '\0';
    return p;
}

bool fault_add(struct faults *f, const struct err_kind *kind, const char *pointer, const char *fmt,
               ...)
{
    if (f->total++ >= FAULTS_LISTED)
        return false;
    char detail[TEXT_MAX + 8]; /* a little more, so that the cut falls between characters */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(detail, sizeof detail, fmt, ap);
    va_end(ap);
    f->list[f->listed++] = (struct fault){kind, keep(f, pointer, ""),
                                          keep(f, detail, "is wrong (no memory to say how)")};
    return false;
}

static const char *list_json(const struct faults *f)
{
    struct bytes b = BYTES_INIT(MEMBERS_MAX);
    bytes_text(&b, "\"errors\":[");
    for (size_t i = 0; i < f->listed; i++) {
        bytes_text(&b, i ? ",{" : "{");
        json_kv_string(&b, "field", f->list[i].pointer);
        json_kv_string(&b, "detail", f->list[i].detail);
        bytes_char(&b, '}');
    }
    bytes_char(&b, ']');
    if (f->total > f->listed)
        json_kv_int(&b, "errors_total", (int64_t)f->total);
    char *text = arena_alloc(f->arena, b.len + 1);
    if (text)
        memcpy(text, b.data, b.len + 1);
    bytes_release(&b);
    return text;
}

bool faults_fail(const struct faults *f, struct err *e)
{
    const struct fault *first = &f->list[0];
    const char *space = *first->pointer ? " " : "";
    if (f->total == 1)
        fail(e, first->kind, "%s%s%s", first->pointer, space, first->detail);
    else
        fail(e, &ERR_INVALID, "%zu faults; the first: %s%s%s", f->total, first->pointer, space,
             first->detail);
    if (e)
        e->members = list_json(f);
    return false;
}

void pointer_join(char *out, size_t size, const char *pointer, const char *name)
{
    size_t len = utf8_cut(pointer, strlen(pointer), size - 1), name_len = strlen(name);
    memcpy(out, pointer, len);
    out[len] = '\0';
    if (len + 1 >= size)
        return;
    out[len++] = '/';
    for (size_t at = 0; at < name_len;) {
        uint32_t code;
        size_t n = utf8_next(name + at, name_len - at, &code);
        bool escape = name[at] == '~' || name[at] == '/';
        n = n ? n : 1;
        if (len + (escape ? 2 : n) >= size)
            break;
        if (escape) {
            out[len++] = '~';
            out[len++] = name[at] == '~' ? '0' : '1';
        } else {
            memcpy(out + len, name + at, n);
            len += n;
        }
        at += n;
    }
    out[len] = '\0';
}
