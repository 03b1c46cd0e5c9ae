#include "cli/token_args.h"

#include "base/bytes.h"
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_FILE_MAX 4096

const char TOKEN_USAGE[] =
    "usage: paddock token create [ID] [--role ROLE] [--grant NAMESPACE[/NAMES[/ACTIONS]]]...\n"
    "                     [--grants JSON] [--description TEXT] [--rate N] [--expires TIME]\n"
    "       paddock token list [--json]\n"
    "       paddock token revoke ID\n"
    "each with [--namespace NS] and where the tokens are:\n"
    "       --data-dir DIR            of a server that is stopped [paddock-data]\n"
    "       --url URL                 of one that runs (or PADDOCK_URL); who asks is told by\n"
    "         [--token-file FILE]     a file, or else the variable PADDOCK_TOKEN\n"
    "         [--ca FILE]             certificates to trust instead of the system's\n"
    "         [--insecure]            send a token over plain HTTP to another machine\n"
    "NAMES and ACTIONS are comma lists: --grant 'odds/nba-*,nfl/read,model.write'.\n"
    "Without grants the role holds everywhere. `create` prints the secret and nothing else.\n";

/* --- grants --- */

static void put_list(json_t *grant, const char *member, const char *text, size_t len)
{
    json_t *list = json_array();
    for (const char *end = text + len; text < end;) {
        size_t n = strcspn(text, ",/");
        n = n < (size_t)(end - text) ? n : (size_t)(end - text);
        if (n)
            json_array_append_new(list, json_stringn(text, n));
        text += n + 1;
    }
    if (json_array_size(list))
        json_object_set(grant, member, list);
    json_decref(list);
}

/* "NAMESPACE/NAMES/ACTIONS", the last two of which may be left out; NULL: there is more. */
static json_t *grant_of(const char *text)
{
    size_t parts = 1, n = strcspn(text, "/");
    for (const char *c = text; *c; c++)
        parts += *c == '/';
    if (parts > 3)
        return NULL;
    json_t *grant = json_object();
    json_object_set_new(grant, "namespace", json_stringn(text, n));
    for (int part = 0; part < 2 && text[n] == '/'; part++) {
        text += n + 1;
        n = strcspn(text, "/");
        put_list(grant, part ? "actions" : "names", text, n);
    }
    return grant;
}

static const char *grants_text(json_t *grants, struct arena *a)
{
    struct bytes b = BYTES_INIT(1 << 20);
    json_put_value(&b, grants);
    const char *text = json_array_size(grants) ? arena_copy(a, b.data, b.len) : NULL;
    bytes_release(&b);
    return text;
}

/* --- who asks --- */

static bool read_secret(const char *path, struct arena *a, const char **out, struct err *e)
{
    char text[SECRET_FILE_MAX];
    FILE *f = fopen(path, "re");
    if (!f)
        return fail_errno(e, &ERR_CONFIG, "--token-file %s", path);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    text[strcspn(text, " \t\r\n")] = '\0';
    *out = arena_text(a, text);
    explicit_bzero(text, sizeof text);
    return **out || fail(e, &ERR_CONFIG, "--token-file %s: it is empty", path);
}

/* --- arguments --- */

/* The value of `--name VALUE` or `--name=VALUE` at *i, or NULL. */
static const char *value_at(int argc, char **argv, int *i, const char *name)
{
    size_t len = strlen(name);
    if (!argv[*i] || strncmp(argv[*i], name, len) != 0)
        return NULL;
    if (argv[*i][len] == '=')
        return argv[*i] + len + 1;
    return argv[*i][len] == '\0' && *i + 1 < argc ? argv[++*i] : NULL;
}

struct reading {
    struct arena *arena;
    struct token_args *out;
    json_t *grants;
    const char *secret_file, *rate;
};

static bool read_flag(struct reading *r, int argc, char **argv, int *i)
{
    struct token_wish *w = &r->out->wish;
    const struct {
        const char *name, **to;
    } TEXTS[] = {
        {"--namespace", &w->ns},
        {"--role", &w->role},
        {"--description", &w->description},
        {"--expires", &w->expires_at},
        {"--grants", &w->grants_json},
        {"--data-dir", &r->out->data_dir},
        {"--url", &r->out->url},
        {"--ca", &r->out->ca_file},
        {"--token-file", &r->secret_file},
        {"--rate", &r->rate},
    };
    for (size_t k = 0; k < sizeof TEXTS / sizeof *TEXTS; k++) {
        const char *value = value_at(argc, argv, i, TEXTS[k].name);
        if (value)
            return *TEXTS[k].to = value, true;
    }
    const char *grant = value_at(argc, argv, i, "--grant");
    if (grant)
        return json_array_append_new(r->grants, grant_of(grant)) == 0;
    if (strcmp(argv[*i], "--json") == 0)
        return r->out->json = true;
    if (strcmp(argv[*i], "--insecure") == 0)
        return r->out->insecure = true;
    if (argv[*i][0] == '-' || w->token_id)
        return false;
    w->token_id = argv[*i];
    return true;
}

/* What a base address may end with: paths begin with one. */
static const char *without_slashes(struct arena *a, const char *url)
{
    size_t len = strlen(url);
    while (len && url[len - 1] == '/')
        len--;
    return arena_copy(a, url, len);
}

static bool settle(struct reading *r, struct err *e)
{
    struct token_args *out = r->out;
    char *end = NULL;
    if (r->rate) {
        out->wish.rate_per_second = strtod(r->rate, &end);
        if (end == r->rate || *end || !(out->wish.rate_per_second > 0) ||
            isinf(out->wish.rate_per_second))
            return fail(e, &ERR_CONFIG, "--rate: must be a number above 0, got '%s'", r->rate);
    }
    if (json_array_size(r->grants) && out->wish.grants_json)
        return fail(e, &ERR_CONFIG, "--grant and --grants: give one of them");
    if (!out->wish.grants_json)
        out->wish.grants_json = grants_text(r->grants, r->arena);
    if (!out->url && !out->data_dir)
        out->url = getenv("PADDOCK_URL");
    if (out->url)
        out->url = without_slashes(r->arena, out->url);
    if (out->url && out->data_dir)
        return fail(e, &ERR_CONFIG, "--url and --data-dir: give one of them");
    if (!out->data_dir)
        out->data_dir = "paddock-data";
    if (strcmp(out->verb, "revoke") == 0 && !out->wish.token_id)
        return fail(e, &ERR_CONFIG, "revoke: which token?");
    if (r->secret_file)
        return read_secret(r->secret_file, r->arena, &out->secret, e);
    out->secret = getenv("PADDOCK_TOKEN");
    return true;
}

bool token_args_read(int argc, char **argv, struct arena *a, struct token_args *out, struct err *e)
{
    struct reading r = {.arena = a, .out = out, .grants = json_array()};
    *out = (struct token_args){.verb = argc > 0 ? argv[0] : ""};
    bool ok = strcmp(out->verb, "create") == 0 || strcmp(out->verb, "list") == 0 ||
              strcmp(out->verb, "revoke") == 0;
    if (!ok)
        fail(e, &ERR_CONFIG, "create, list or revoke?");
    for (int i = 1; ok && i < argc; i++) {
        ok = read_flag(&r, argc, argv, &i);
        if (!ok)
            fail(e, &ERR_CONFIG, "'%.200s' is not understood here", argv[i < argc ? i : argc - 1]);
    }
    ok = ok && settle(&r, e);
    json_decref(r.grants);
    return ok;
}
