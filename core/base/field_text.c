#include "base/field.h"

#include "base/field_value.h"
#include "base/json.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static json_t *number_from_text(const char *text, bool whole)
{
    const char *digit = text + (*text == '-');
    if (*digit < '0' || *digit > '9' || strlen(text) > 64) /* keep strtod from "inf" and " 1" */
        return NULL;
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (*end == '\0' && errno == 0)
        return json_integer(n);
    double real = strtod(text, &end);
    bool hexadecimal = digit[0] == '0' && (digit[1] == 'x' || digit[1] == 'X');
    return whole || hexadecimal || *end ? NULL : json_real(real); /* NULL if infinite */
}

static json_t *strings_from_text(const char *text)
{
    json_t *array = json_array();
    while (*text) {
        size_t len = strcspn(text, ",");
        json_array_append_new(array, json_stringn(text, len));
        text += len + (text[len] == ',');
    }
    return array;
}

/* The JSON value that a parameter of this type stands for; a string where it is none, which the
 * type's decoder then refuses in its own words. */
static json_t *value_from_text(const struct field *field, const char *text)
{
    json_t *value = NULL;
    switch (field->type) {
    case FIELD_INT: value = number_from_text(text, true); break;
    case FIELD_NUMBER: value = number_from_text(text, false); break;
    case FIELD_TIME: value = number_from_text(text, true); break;
    case FIELD_STRINGS: value = strings_from_text(text); break;
    case FIELD_BOOL:
        value = strcmp(text, "true") == 0    ? json_true()
                : strcmp(text, "false") == 0 ? json_false()
                                             : NULL;
        break;
    case FIELD_OBJECT:
    case FIELD_ANY:
    case FIELD_NESTED: value = json_read(text, strlen(text), NULL); break;
    case FIELD_STRING:
    case FIELD_ENUM: break;
    }
    return value ? value : json_string(text);
}

bool field_decode_text(const struct field *field, const char *text, void *out, struct arena *a,
                       struct faults *f)
{
    struct field_decoding d = {DECODE_CREATE, a, f};
    struct field_place p = {field, field->name, (char *)out + field->offset};
    json_t *value = utf8_valid(text, strlen(text)) ? value_from_text(field, text) : NULL;
    if (!value)
        return FIELD_REFUSE(&d, &p, "must be UTF-8");
    bool ok = field_value_decode(&d, &p, value);
    json_decref(value);
    return ok;
}
