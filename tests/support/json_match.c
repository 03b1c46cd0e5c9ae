#include "support/json_match.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where in the value the comparison is; what lies beyond the room is not shown. */
struct place {
    char *text;
    size_t len, size;
};

static bool match(const json_t *want, const json_t *got, struct place *p);

static struct place deeper(const struct place *p, const char *key)
{
    struct place in = *p;
    int n = snprintf(in.text + in.len, in.size - in.len, "/%s", key);
    in.len += n > 0 && (size_t)n < in.size - in.len ? (size_t)n : 0;
    return in;
}

bool text_match(const char *pattern, const char *text)
{
    char inner[2048];
    size_t len = strlen(pattern);
    if (len < 2 || pattern[0] != '*' || pattern[len - 1] != '*')
        return strcmp(pattern, text) == 0;
    snprintf(inner, sizeof inner, "%.*s", (int)(len - 2), pattern + 1);
    return strstr(text, inner) != NULL;
}

static bool is_time(const char *text)
{
    static const char FORM[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    size_t i = 0;
    for (; FORM[i] && text[i]; i++)
        if (FORM[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != FORM[i])
            return false;
    return FORM[i] == text[i];
}

static bool match_string(const char *want, const json_t *got)
{
    char pattern[2048];
    size_t len = strlen(want);
    const char *text = json_is_string(got) ? json_string_value(got) : "";
    if (len < 3 || want[0] != '<' || want[len - 1] != '>')
        return json_is_string(got) && strcmp(want, text) == 0;
    if (strcmp(want, "<any>") == 0)
        return got != NULL;
    if (strcmp(want, "<number>") == 0)
        return json_is_number(got);
    if (strcmp(want, "<string>") == 0)
        return json_is_string(got);
    if (strcmp(want, "<time>") == 0)
        return is_time(text);
    if (strncmp(want, "<array ", 7) == 0)
        return json_is_array(got) && json_array_size(got) == strtoul(want + 7, NULL, 10);
    snprintf(pattern, sizeof pattern, "%.*s", (int)(len - 2), want + 1);
    return json_is_string(got) && text_match(pattern, text);
}

static bool match_object(const json_t *want, const json_t *got, struct place *p)
{
    const char *key;
    json_t *value;
    if (!json_is_object(got))
        return false;
    json_object_foreach((json_t *)(uintptr_t)want, key, value) {
        const json_t *theirs = json_object_get(got, key);
        struct place in = deeper(p, key);
        if (json_is_string(value) && strcmp(json_string_value(value), "<absent>") == 0) {
            if (theirs)
                return false;
        } else if (!theirs || !match(value, theirs, &in)) {
            return false;
        }
        p->text[p->len] = '\0';
    }
    return true;
}

static bool found_in(const json_t *want, const json_t *list)
{
    char where[1024] = "";
    struct place nowhere = {where, 0, sizeof where};
    for (size_t i = 0; i < json_array_size(list); i++)
        if (match(want, json_array_get(list, i), &nowhere))
            return true;
    return false;
}

static bool match_array(const json_t *want, const json_t *got, struct place *p)
{
    size_t n = json_array_size(want);
    const char *first = json_string_value(json_array_get(want, 0));
    bool has = first && strcmp(first, "<has>") == 0;
    if (!json_is_array(got) || (!has && json_array_size(got) != n))
        return false;
    for (size_t i = has; i < n; i++) {
        char index[24];
        const json_t *item = json_array_get(want, i);
        snprintf(index, sizeof index, "%zu", i);
        struct place in = deeper(p, index);
        if (has ? !found_in(item, got) : !match(item, json_array_get(got, i), &in))
            return false;
        p->text[p->len] = '\0';
    }
    return true;
}

static bool match(const json_t *want, const json_t *got, struct place *p)
{
    if (json_is_string(want))
        return match_string(json_string_value(want), got);
    if (json_is_object(want))
        return match_object(want, got, p);
    if (json_is_array(want))
        return match_array(want, got, p);
    if (json_is_number(want) && json_is_number(got))
        return json_number_value(want) == json_number_value(got);
    return json_equal(want, got);
}

bool json_match(const json_t *want, const json_t *got, char *where, size_t size)
{
    struct place p = {where, 0, size};
    where[0] = '\0';
    return match(want, got, &p);
}

const json_t *json_at(const json_t *value, const char *pointer)
{
    while (value && *pointer == '/') {
        char token[256];
        size_t len = strcspn(++pointer, "/");
        snprintf(token, sizeof token, "%.*s", (int)len, pointer);
        pointer += len;
        value = json_is_array(value) ? json_array_get(value, strtoul(token, NULL, 10))
                                     : json_object_get(value, token);
    }
    return value;
}
