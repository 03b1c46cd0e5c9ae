/* Values are jansson's, handed out under another name. */
#include "base/bytes.h"
#include "base/json.h"
#include "worker/host_parts.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

static const json_t *in(const paddock_value *v)
{
    return (const json_t *)v;
}

static const paddock_value *as_value(const json_t *v)
{
    return (const paddock_value *)v;
}

uint32_t host_value_type(const paddock_value *v)
{
    if (!v)
        return PADDOCK_ABSENT;
    switch (json_typeof(in(v))) {
    case JSON_OBJECT: return PADDOCK_OBJECT;
    case JSON_ARRAY: return PADDOCK_ARRAY;
    case JSON_STRING: return PADDOCK_TEXT;
    case JSON_INTEGER: return PADDOCK_INTEGER;
    case JSON_REAL: return PADDOCK_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE: return PADDOCK_BOOLEAN;
    default: return PADDOCK_NULL;
    }
}

size_t host_value_count(const paddock_value *v)
{
    return json_is_array(in(v)) ? json_array_size(in(v)) : json_object_size(in(v));
}

const paddock_value *host_value_get(const paddock_value *v, const char *key)
{
    return key ? as_value(json_object_get(in(v), key)) : NULL;
}

/* The iterator keeps the order of insertion. Objects of configurations are small. */
static void *member(const paddock_value *v, size_t index)
{
    json_t *object = (json_t *)(uintptr_t)in(v);
    void *at = json_object_iter(object);
    while (at && index--)
        at = json_object_iter_next(object, at);
    return at;
}

const paddock_value *host_value_at(const paddock_value *v, size_t index)
{
    if (json_is_array(in(v)))
        return as_value(json_array_get(in(v), index));
    void *at = member(v, index);
    return at ? as_value(json_object_iter_value(at)) : NULL;
}

const char *host_value_key(const paddock_value *v, size_t index)
{
    void *at = member(v, index);
    return at ? json_object_iter_key(at) : NULL;
}

double host_value_number(const paddock_value *v)
{
    if (json_is_boolean(in(v)))
        return json_is_true(in(v)) ? 1 : 0;
    return json_is_number(in(v)) ? json_number_value(in(v)) : (double)NAN;
}

int64_t host_value_integer(const paddock_value *v)
{
    if (json_is_boolean(in(v)))
        return json_is_true(in(v));
    if (json_is_integer(in(v)))
        return json_integer_value(in(v));
    if (!json_is_real(in(v)))
        return 0;
    double number = json_real_value(in(v));
    if (number >= 0x1p63)
        return INT64_MAX;
    return number < -0x1p63 ? INT64_MIN : (int64_t)number;
}

const char *host_value_text(const paddock_value *v)
{
    return json_string_value(in(v));
}

const char *host_value_json(const paddock_host *h, const paddock_value *v)
{
    static _Thread_local struct bytes text = {.max = 64u << 20};
    (void)h;
    bytes_clear(&text);
    if (v)
        json_put_value(&text, in(v));
    else
        bytes_text(&text, "null");
    return text.full ? "null" : text.data;
}
