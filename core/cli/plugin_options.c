#include "cli/plugin.h"

#include "base/beside.h"
#include "base/bytes.h"
#include "base/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (4u << 20) /* bytes of a file of JSON */

enum option_type { OPTION_TEXT, OPTION_JSON, OPTION_NUMBER, OPTION_DATA, OPTION_FLAG };

static const struct option {
    const char *name;
    enum option_type type;
    size_t offset;
} OPTIONS[] = {
#define AT(member) offsetof(struct plugin_options, member)
    {"--config", OPTION_JSON, AT(config)},
    {"--runtime", OPTION_JSON, AT(runtime)},
    {"--baseline", OPTION_JSON, AT(baseline)},
    {"--runtime-plugin", OPTION_TEXT, AT(runtime_plugin)},
    {"--url", OPTION_TEXT, AT(url)},
    {"--model-name", OPTION_TEXT, AT(model_name)},
    {"--data", OPTION_DATA, AT(data)},
    {"--label", OPTION_TEXT, AT(label)},
    {"--only", OPTION_TEXT, AT(only)},
    {"--seed", OPTION_NUMBER, AT(seed)},
    {"--timeout-ms", OPTION_NUMBER, AT(timeout_ms)},
    {"--json", OPTION_FLAG, AT(json)},
    {"--list", OPTION_FLAG, AT(list)},
#undef AT
};

static bool read_file(const char *path, struct bytes *out, struct err *e)
{
    FILE *f = fopen(path, "re");
    char chunk[16384];
    size_t n;
    if (!f)
        return fail_errno(e, &ERR_INVALID, "%s", path);
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        bytes_add(out, chunk, n);
    bool good = !ferror(f);
    fclose(f);
    if (!good || out->full)
        return fail(e, &ERR_INVALID, "%s: cannot be read, or is too long", path);
    return true;
}

/* An object, as text or in a file; kept as compact text. */
static bool read_json(const char *value, struct arena *a, const char **out, struct err *e)
{
    struct bytes text = BYTES_INIT(FILE_MAX), compact = BYTES_INIT(FILE_MAX);
    json_t *object = NULL;
    bool good = false;
    if (*value != '@')
        bytes_text(&text, value);
    else if (!read_file(value + 1, &text, e))
        goto out;
    object = json_read(text.data ? text.data : "", text.len, e);
    if (object && !json_is_object(object))
        fail(e, &ERR_INVALID, "a JSON object is wanted");
    if (!json_is_object(object))
        goto out;
    json_put_value(&compact, object);
    *out = arena_copy(a, compact.data, compact.len);
    good = true;
out:
    json_decref(object);
    bytes_release(&text);
    bytes_release(&compact);
    return good;
}

static bool read_number(const char *value, uint64_t *out, struct err *e)
{
    char *end = NULL;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    if (errno || end == value || *end || *value == '-')
        return fail(e, &ERR_INVALID, "'%s' is no whole number", value);
    *out = n;
    return true;
}

static bool store(struct plugin_options *o, const struct option *option, const char *value,
                  struct err *e)
{
    void *at = (char *)o + option->offset;
    switch (option->type) {
    case OPTION_TEXT: *(const char **)at = value; return true;
    case OPTION_JSON: return read_json(value, o->arena, at, e);
    case OPTION_NUMBER: return read_number(value, at, e);
    case OPTION_DATA:
        if (o->n_data == PLUGIN_DATA_MAX)
            return fail(e, &ERR_INVALID, "at most %d are allowed", PLUGIN_DATA_MAX);
        o->data[o->n_data++] = value;
        return true;
    default: *(bool *)at = true; return true;
    }
}

static const struct option *find(const char *name)
{
    for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++)
        if (strcmp(OPTIONS[i].name, name) == 0)
            return &OPTIONS[i];
    return NULL;
}

/* --url and --model-name as a runtime. */
static bool from_url(struct plugin_options *o, struct err *e)
{
    if (!o->url && !o->model_name)
        return true;
    if (!o->url || o->runtime)
        return fail(e, &ERR_INVALID, "--model-name goes with --url, and --url without --runtime");
    struct bytes text = BYTES_INIT(FILE_MAX);
    bytes_char(&text, '{');
    json_kv_string(&text, "kind", "openinference");
    json_kv_string(&text, "url", o->url);
    if (o->model_name)
        json_kv_string(&text, "model_name", o->model_name);
    bytes_char(&text, '}');
    o->runtime = arena_copy(o->arena, text.data, text.len);
    bytes_release(&text);
    return true;
}

static bool read_all(struct plugin_options *o, int argc, char **argv, struct err *e)
{
    for (int i = 0; i < argc; i++) {
        const struct option *option = find(argv[i]);
        struct err why = {0};
        if (option && option->type != OPTION_FLAG && ++i == argc)
            return fail(e, &ERR_INVALID, "%s wants a value", option->name);
        if (option && !store(o, option, argv[i], &why))
            return fail(e, &ERR_INVALID, "%s: %.400s", option->name, why.detail);
        if (option)
            continue;
        if (argv[i][0] == '-' || o->n_files == PLUGIN_FILES_MAX)
            return fail(e, &ERR_INVALID, "'%s' is not understood; see paddock plugin --help",
                        argv[i]);
        o->files[o->n_files++] = argv[i];
    }
    if (o->timeout_ms < 1 || o->timeout_ms > 86400000)
        return fail(e, &ERR_INVALID, "--timeout-ms must be from 1 to 86400000");
    if (o->n_files == 0 && !o->list)
        return fail(e, &ERR_INVALID, "which file?");
    return from_url(o, e);
}

bool plugin_options_read(struct plugin_options *o, const char *command, int argc, char **argv)
{
    struct err e = {0};
    *o = (struct plugin_options){.seed = 1, .timeout_ms = 10000, .arena = arena_new(64u << 20)};
    if (read_all(o, argc, argv, &e))
        return true;
    fprintf(stderr, "paddock plugin %s: %s\n", command, e.detail);
    return false;
}

const char *plugin_worker_program(struct arena *a, struct err *e)
{
    static const char *const PLACES[] = {"paddock-worker", NULL};
    char path[4096];
    if (beside_find(PLACES, path, sizeof path))
        return arena_text(a, path);
    fail(e, &ERR_CONFIG, "the program paddock-worker is not beside this one");
    return NULL;
}
