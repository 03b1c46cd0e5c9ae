#include "base/ids.h"
#include "base/json.h"
#include "base/utf8.h"
#include "registry/directories.h"
#include "registry/model_fields.h"

#include <stdio.h>
#include <string.h>

#define PAIRS_MAX        256
#define KEY_CHARS        250
#define LABEL_BYTES      8192
#define METRICS_MAX      64
#define POINTER_MAX      600
#define COMMAND_WORDS    64
#define RUNTIME_TEXT_MAX 4096

/* "." and ".." cannot be asked for: clients fold them away before they send the path. */
static bool is_dots(const char *text)
{
    return strcmp(text, ".") == 0 || strcmp(text, "..") == 0;
}

const char *model_name_fault(const char *text)
{
    return is_dots(text) ? "must not be '.' or '..'" : name_fault(text, MODEL_NAME_CHARS);
}

const char *model_version_fault(const char *text)
{
    return name_fault(text, MODEL_VERSION_CHARS);
}

const char *model_id_fault(const char *text)
{
    char copy[4 * MODEL_ID_CHARS + 1];
    size_t len = strlen(text);
    if (is_dots(text))
        return "must not be '.' or '..'";
    if (len >= sizeof copy)
        return "must have at most 193 characters";
    for (size_t i = 0; i <= len; i++) /* a name's alphabet and the colon */
        copy[i] = text[i];
    for (char *p = strchr(copy, ':'); p; p = strchr(p, ':'))
        *p = '-';
    return name_fault(copy, MODEL_ID_CHARS);
}

const char *text64k_fault(const char *text)
{
    return strlen(text) > 65536 ? "must have at most 65536 bytes" : NULL;
}

static bool printable(const char *text, size_t len)
{
    uint32_t code;
    for (size_t at = 0; at < len;) {
        size_t n = utf8_next(text + at, len - at, &code);
        if (n == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0))
            return false;
        at += n;
    }
    return true;
}

/* Does a key of labels or metrics have 1..250 printable characters? */
static bool key_good(const char *key)
{
    size_t len = strlen(key), chars = utf8_count(key, len);
    return chars >= 1 && chars <= KEY_CHARS && printable(key, len);
}

static void check_pairs(const json_t *value, const char *pointer, struct faults *f, size_t most,
                        const char *(*wrong)(const json_t *value))
{
    const char *key;
    json_t *member;
    if (json_object_size(value) > most)
        fault_add(f, &ERR_INVALID, pointer, "must have at most %zu members, got %zu", most,
                  json_object_size(value));
    json_object_foreach((json_t *)value, key, member) {
        char at[POINTER_MAX];
        const char *what = wrong(member);
        pointer_join(at, sizeof at, pointer, key);
        if (!key_good(key))
            fault_add(f, &ERR_INVALID, at, "its key must be 1 to %d printable characters",
                      KEY_CHARS);
        if (what)
            fault_add(f, &ERR_INVALID, at, "%s", what);
    }
}

static const char *label_fault(const json_t *value)
{
    return !json_is_string(value)                    ? "must be a string"
           : json_string_length(value) > LABEL_BYTES ? "must have at most 8192 bytes"
                                                     : NULL;
}

static const char *metric_fault(const json_t *value)
{
    return json_is_number(value) ? NULL : "must be a number";
}

void labels_check(const json_t *value, const char *pointer, struct faults *f)
{
    check_pairs(value, pointer, f, PAIRS_MAX, label_fault);
}

void metrics_check(const json_t *value, const char *pointer, struct faults *f)
{
    check_pairs(value, pointer, f, METRICS_MAX, metric_fault);
}

/* --- runtimes --- */

static const char *text_fault(const json_t *value)
{
    if (!json_is_string(value) || json_string_length(value) == 0)
        return "must be a non-empty string";
    return json_string_length(value) > RUNTIME_TEXT_MAX ? "must have at most 4096 bytes" : NULL;
}

static const char *url_fault(const json_t *value)
{
    const char *wrong = text_fault(value), *url = json_string_value(value);
    if (wrong)
        return wrong;
    bool http = strncmp(url, "http://", 7) == 0 && url[7];
    bool https = strncmp(url, "https://", 8) == 0 && url[8];
    if (!http && !https)
        return "must be an http:// or https:// URL";
    url += https ? 8 : 7; /* whoever may read a model reads this */
    return strcspn(url, "@") < strcspn(url, "/?#")
               ? "must not carry a user or password: name a secret of the configuration"
               : NULL;
}

static const char *command_fault(const json_t *value)
{
    size_t i;
    json_t *word;
    if (!json_is_array(value) || json_array_size(value) == 0 ||
        json_array_size(value) > COMMAND_WORDS)
        return "must be an array of 1 to 64 strings";
    json_array_foreach(value, i, word)
        if (!json_is_string(word) || json_string_length(word) > RUNTIME_TEXT_MAX)
            return "must be an array of strings of at most 4096 bytes";
    return text_fault(json_array_get(value, 0)) ? "its first string must name the program" : NULL;
}

static const char *secret_fault(const json_t *value)
{
    return json_is_string(value) && id_valid(json_string_value(value))
               ? NULL
               : "must be the identifier of a secret named in the configuration";
}

/* Which members each kind of runtime has. */
static const struct runtime_member {
    const char *kind, *name;
    bool required;
    const char *(*wrong)(const json_t *value);
} RUNTIME_MEMBERS[] = {
    {"openinference", "url", true, url_fault},
    {"openinference", "model_name", true, text_fault},
    {"openinference", "model_version", false, text_fault},
    {"openinference", "secret", false, secret_fault},
    {"exec", "command", true, command_fault},
    {"exec", "secret", false, secret_fault},
    {"xgboost", "path", true, text_fault},
    {"xgboost", "secret", false, secret_fault},
};
#define RUNTIME_ROWS (sizeof RUNTIME_MEMBERS / sizeof *RUNTIME_MEMBERS)

static bool kind_known(const char *kind)
{
    for (size_t i = 0; i < RUNTIME_ROWS; i++)
        if (kind && strcmp(RUNTIME_MEMBERS[i].kind, kind) == 0)
            return true;
    return false;
}

static bool member_known(const char *kind, const char *name)
{
    for (size_t i = 0; i < RUNTIME_ROWS; i++)
        if (strcmp(RUNTIME_MEMBERS[i].kind, kind) == 0 &&
            strcmp(RUNTIME_MEMBERS[i].name, name) == 0)
            return true;
    return strcmp(name, "kind") == 0;
}

static void check_member(const struct runtime_member *row, const json_t *value, const char *pointer,
                         struct faults *f)
{
    char at[POINTER_MAX];
    const json_t *member = json_object_get(value, row->name);
    pointer_join(at, sizeof at, pointer, row->name);
    if (!member || (json_is_null(member) && !row->required)) {
        if (row->required)
            fault_add(f, &ERR_INVALID, at, "is required for the kind '%s'", row->kind);
        return;
    }
    const char *wrong = row->wrong(member);
    if (wrong)
        fault_add(f, &ERR_INVALID, at, "%s", wrong);
}

void runtime_check(const json_t *value, const char *pointer, struct faults *f)
{
    char at[POINTER_MAX];
    const char *kind = json_string_value(json_object_get(value, "kind")), *name;
    json_t *member;
    pointer_join(at, sizeof at, pointer, "kind");
    if (!kind_known(kind)) {
        fault_add(f, &ERR_INVALID, at, "must be one of 'openinference', 'exec', 'xgboost'");
        return;
    }
    json_object_foreach((json_t *)value, name, member) {
        pointer_join(at, sizeof at, pointer, name);
        if (!member_known(kind, name))
            fault_add(f, &ERR_UNKNOWN_FIELD, at, "is not a member of a runtime of kind '%s'", kind);
    }
    for (size_t i = 0; i < RUNTIME_ROWS; i++)
        if (strcmp(RUNTIME_MEMBERS[i].kind, kind) == 0)
            check_member(&RUNTIME_MEMBERS[i], value, pointer, f);
}

void runtime_check_program(const char *runtime, const char *const *dirs, struct faults *f)
{
    json_t *value = json_read(runtime, strlen(runtime), NULL);
    const char *kind = json_string_value(json_object_get(value, "kind")),
               *program = json_string_value(json_array_get(json_object_get(value, "command"), 0));
    if (kind && strcmp(kind, "exec") == 0 && program && !path_is_below(program, dirs))
        fault_add(f, &ERR_INVALID, "/runtime/command/0",
                  "must be an absolute path below a directory of the setting exec-dirs, got "
                  "'%.200s'",
                  program);
    json_decref(value);
}
