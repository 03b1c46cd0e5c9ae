#include "registry/grant.h"

#include "base/bytes.h"
#include "base/ids.h"
#include "base/json.h"
#include "registry/scan.h"

#include <string.h>

const char *const GRANT_ACTIONS[] = {
    [ACTION_READ] = "read",
    [ACTION_RECORD] = "record",
    [ACTION_SELECT] = "select",
    [ACTION_MODEL_WRITE] = "model.write",
    [ACTION_PROMOTE_CANARY] = "model.promote.canary",
    [ACTION_PROMOTE_STABLE] = "model.promote.stable",
    [ACTION_ROLLBACK] = "model.rollback",
    [ACTION_VALIDATION_WRITE] = "validation.write",
    [ACTION_VALIDATION_RUN] = "validation.run",
    [ACTION_POLICY_WRITE] = "policy.write",
    [ACTION_FLAG_WRITE] = "flag.write",
    [ACTION_ROUTE_WRITE] = "route.write",
    [ACTION_EXPERIMENT_WRITE] = "experiment.write",
    [ACTION_WEBHOOK_WRITE] = "webhook.write",
    [ACTION_ADMIN] = "admin",
    [ACTION_COUNT] = NULL,
};

#define DEVELOPER                                               \
    (ACTION_BIT(ACTION_READ) | ACTION_BIT(ACTION_MODEL_WRITE) | \
     ACTION_BIT(ACTION_VALIDATION_WRITE) | ACTION_BIT(ACTION_VALIDATION_RUN))

const struct grant_role GRANT_ROLES[] = {
    {"viewer", ACTION_BIT(ACTION_READ), "People and dashboards that look."},
    {"recorder", ACTION_BIT(ACTION_RECORD) | ACTION_BIT(ACTION_SELECT),
     "Services that serve models: they select, and record what came of it."},
    {"developer", DEVELOPER, "Who builds models: registers versions, writes and runs tests."},
    {"operator", ACTIONS_ALL & ~ACTION_BIT(ACTION_ADMIN),
     "Who runs models: promotes, rolls back, routes. All but admin."},
    {"admin", ACTIONS_ALL, "Everything, tokens and force included."},
    {NULL, 0, NULL},
};
const char *const GRANT_ROLE_NAMES[] = {"viewer",   "recorder", "developer",
                                        "operator", "admin",    NULL};

static uint32_t action_bit(const char *name, size_t len)
{
    for (int i = 0; i < ACTION_COUNT; i++)
        if (strlen(GRANT_ACTIONS[i]) == len && memcmp(GRANT_ACTIONS[i], name, len) == 0)
            return ACTION_BIT(i);
    return 0;
}

uint32_t grant_actions(const char *names)
{
    uint32_t bits = 0;
    for (const char *p = names; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL) {
        uint32_t bit = action_bit(p, strcspn(p, "|"));
        if (!bit)
            return 0;
        bits |= bit;
    }
    return bits;
}

static uint32_t role_actions(const char *role)
{
    for (const struct grant_role *r = GRANT_ROLES; role && r->name; r++)
        if (strcmp(r->name, role) == 0)
            return r->actions;
    return 0;
}

/* --- patterns --- */

/* The character after the one at `p`. */
static const char *next_char(const char *p)
{
    for (p++; (*p & 0xC0) == 0x80; p++)
        ;
    return p;
}

/* The last star seen is the only one worth going back to: whatever an earlier one could give, it
 * can give too. */
bool glob_match(const char *pattern, const char *text)
{
    const char *star = NULL, *retry = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            retry = text;
        } else if (*pattern == '?') {
            pattern++;
            text = next_char(text);
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = retry = next_char(retry);
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

/* --- compiling --- */

enum { NS, NAMES, ACTIONS, MEMBERS };
static const char *const KEYS[MEMBERS] = {"namespace", "names", "actions"};

/* A block in the making; with `base` NULL only its size. */
struct compile {
    char *base;
    size_t at;
};

static uint32_t put_text(struct compile *c, struct slice literal)
{
    size_t at = c->at;
    if (c->base)
        c->at += slice_unescape(literal, c->base + at) + 1;
    else
        c->at += literal.len; /* no text is longer than its literal */
    return (uint32_t)at;
}

static bool is_star(struct slice literal)
{
    return literal.len == 3 && memcmp(literal.at, "\"*\"", 3) == 0;
}

static void put_names(struct compile *c, struct slice names, struct grant *g)
{
    struct slice item;
    size_t begin = c->at;
    g->n_names = 0;
    g->names = (uint32_t)begin;
    if (names.at == NULL || names.at[0] != '[')
        return;
    struct scan s = scan_open(names, '[');
    while (scan_item(&s, &item)) {
        if (!slice_is_string(item))
            continue;
        if (is_star(item)) { /* whatever else there is: all */
            g->n_names = 0;
            return;
        }
        put_text(c, item);
        g->n_names++;
    }
}

static uint32_t read_actions(struct slice actions)
{
    struct slice item;
    uint32_t bits = 0;
    if (actions.at == NULL || actions.at[0] != '[')
        return 0;
    struct scan s = scan_open(actions, '[');
    while (scan_item(&s, &item))
        if (slice_is_string(item))
            bits |= action_bit(item.at + 1, item.len - 2);
    return bits & ACTION_BIT(ACTION_ADMIN) ? ACTIONS_ALL : bits;
}

static size_t count_items(struct slice array)
{
    struct slice item;
    size_t n = 0;
    struct scan s = scan_open(array, '[');
    while (scan_item(&s, &item))
        n++;
    return n;
}

static void put_grant(struct compile *c, struct slice object, uint32_t role, struct grant *g)
{
    struct slice s[MEMBERS];
    *g = (struct grant){0};
    if (!scan_pick(object, KEYS, MEMBERS, s) || !slice_is_string(s[NS]))
        return;
    g->ns = put_text(c, s[NS]);
    put_names(c, s[NAMES], g);
    g->actions = read_actions(s[ACTIONS]) | role;
}

size_t grants_compile(const char *role, const char *json, void *out)
{
    struct slice array = {json ? json : "[]", json ? strlen(json) : 2}, item;
    uint32_t bits = role_actions(role);
    size_t n = array.len && array.at[0] == '[' ? count_items(array) : 0;
    size_t places = n || !bits ? n : 1;
    struct grants *g = out;
    struct compile c = {out, sizeof *g + places * sizeof *g->list};
    struct grant one, *at = g ? g->list : &one;
    struct scan s = scan_open(array, '[');
    for (size_t i = 0; i < n && scan_item(&s, &item); i++)
        put_grant(&c, item, bits, g ? at++ : at);
    if (n == 0 && bits)
        *at = (struct grant){bits, put_text(&c, (struct slice){"\"*\"", 3}), 0, 0};
    if (g)
        *g = (struct grants){(uint32_t)c.at, (uint32_t)places};
    return c.at;
}

const struct grants *grants_copy(struct arena *a, const struct grants *g)
{
    if (!g)
        return NULL;
    struct grants *copy = arena_zero(a, g->size);
    memcpy(copy, g, g->size);
    return copy;
}

/* --- checking --- */

static bool pattern_good(const char *text)
{
    static const char GOOD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                               "._:-*?";
    size_t len = strlen(text);
    return len > 0 && len <= 128 && strspn(text, GOOD) == len;
}

static bool name_good(const char *text)
{
    size_t len = strlen(text);
    if (len == 0 || len > 512)
        return false;
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    return true;
}

static bool action_good(const char *text)
{
    return action_bit(text, strlen(text)) != 0;
}

struct list_rule {
    const char *key, *what;
    size_t max;
    bool (*good)(const char *text);
};

static void check_list(const json_t *list, const char *pointer, const struct list_rule *rule,
                       struct faults *f)
{
    char where[160];
    size_t i;
    json_t *item;
    pointer_join(where, sizeof where, pointer, rule->key);
    if (!list || json_is_null(list))
        return;
    if (!json_is_array(list) || json_array_size(list) > rule->max) {
        fault_add(f, &ERR_INVALID, where, "must be an array of up to %zu texts", rule->max);
        return;
    }
    json_array_foreach((json_t *)list, i, item) {
        const char *text = json_string_value(item);
        if (!text || strlen(text) != json_string_length(item) || !rule->good(text)) {
            char number[24];
            snprintf(number, sizeof number, "%zu", i);
            char at[200];
            pointer_join(at, sizeof at, where, number);
            fault_add(f, &ERR_INVALID, at, "must be %s", rule->what);
        }
    }
}

static void check_keys(const json_t *grant, const char *pointer, struct faults *f)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)grant, key, value) {
        char where[512];
        bool known = false;
        for (int i = 0; i < MEMBERS; i++)
            known = known || strcmp(key, KEYS[i]) == 0;
        if (known)
            continue;
        pointer_join(where, sizeof where, pointer, key);
        fault_add(f, &ERR_UNKNOWN_FIELD, where, "is not a field of a grant");
    }
}

static void check_grant(const json_t *grant, const char *pointer, struct faults *f)
{
    static const struct list_rule NAMES_RULE = {
        "names", "a pattern of names: 1 to 512 printable bytes, '*' for any run, '?' for one",
        GRANT_PATTERNS_MAX, name_good};
    static const struct list_rule ACTIONS_RULE = {
        "actions", "one of the grant_actions that /types lists", 2 * ACTION_COUNT, action_good};
    char where[160];
    if (!json_is_object(grant)) {
        fault_add(f, &ERR_INVALID, pointer, "must be an object");
        return;
    }
    const char *ns = json_string_value(json_object_get(grant, "namespace"));
    pointer_join(where, sizeof where, pointer, "namespace");
    if (!ns || !pattern_good(ns))
        fault_add(f, &ERR_INVALID, where,
                  "must be a namespace or a pattern of some: '*' for any run, '?' for one");
    const json_t *names = json_object_get(grant, "names");
    check_list(names, pointer, &NAMES_RULE, f);
    if (json_is_array(names) && json_array_size(names) == 0) { /* a list that came out empty */
        pointer_join(where, sizeof where, pointer, "names");
        fault_add(f, &ERR_INVALID, where, "must not be empty: leave it out for all names");
    }
    check_list(json_object_get(grant, "actions"), pointer, &ACTIONS_RULE, f);
    check_keys(grant, pointer, f);
}

void grants_check(const json_t *value, const char *pointer, struct faults *f)
{
    size_t i;
    json_t *grant;
    if (!json_is_array(value) || json_array_size(value) > GRANTS_MAX) {
        fault_add(f, &ERR_INVALID, pointer, "must be an array of up to %d grants", GRANTS_MAX);
        return;
    }
    json_array_foreach((json_t *)value, i, grant) {
        char number[24], where[128];
        snprintf(number, sizeof number, "%zu", i);
        pointer_join(where, sizeof where, pointer, number);
        check_grant(grant, where, f);
    }
}

/* --- questions --- */

static const char *text_at(const struct grants *g, uint32_t offset)
{
    return (const char *)g + offset;
}

static bool in_namespace(const struct grants *g, const struct grant *grant, const char *ns)
{
    return glob_match(text_at(g, grant->ns), ns);
}

static bool of_name(const struct grants *g, const struct grant *grant, const char *name)
{
    const char *pattern = text_at(g, grant->names);
    if (grant->n_names == 0)
        return true;
    for (uint32_t i = 0; name && i < grant->n_names; i++) {
        if (glob_match(pattern, name))
            return true;
        pattern += strlen(pattern) + 1;
    }
    return false;
}

bool grants_allow(const struct grants *g, const char *ns, const char *name, uint32_t actions)
{
    if (!g)
        return true;
    for (uint32_t i = 0; i < g->n; i++)
        if (g->list[i].actions & actions && in_namespace(g, &g->list[i], ns) &&
            of_name(g, &g->list[i], name))
            return true;
    return false;
}

bool grants_touch(const struct grants *g, const char *ns, uint32_t actions)
{
    if (!g)
        return true;
    for (uint32_t i = 0; i < g->n; i++)
        if (g->list[i].actions & actions && in_namespace(g, &g->list[i], ns))
            return true;
    return false;
}

bool grants_anywhere(const struct grants *g, uint32_t actions)
{
    if (!g)
        return true;
    for (uint32_t i = 0; i < g->n; i++)
        if (g->list[i].actions & actions)
            return true;
    return false;
}

bool grants_everywhere(const struct grants *g, uint32_t actions)
{
    if (!g)
        return true;
    for (uint32_t i = 0; i < g->n; i++)
        if (g->list[i].actions & actions && g->list[i].n_names == 0 &&
            strcmp(text_at(g, g->list[i].ns), "*") == 0)
            return true;
    return false;
}

/* Does `wide` match all that `narrow` does? A no may be wrong for patterns in patterns, a yes never
 * is. */
static bool takes_in(const char *wide, const char *narrow)
{
    return strcmp(wide, narrow) == 0 || strcmp(wide, "*") == 0 ||
           (!strpbrk(narrow, "*?") && glob_match(wide, narrow));
}

bool grants_cover(const struct grants *g, const struct grants *given)
{
    if (!g)
        return true;
    for (uint32_t i = 0; i < given->n; i++) {
        const char *ns = text_at(given, given->list[i].ns);
        uint32_t left = given->list[i].actions;
        for (uint32_t k = 0; k < g->n; k++)
            if (g->list[k].n_names == 0 && takes_in(text_at(g, g->list[k].ns), ns))
                left &= ~g->list[k].actions;
        if (left)
            return false;
    }
    return true;
}

/* --- refusing --- */

const struct err_kind FORBIDDEN = {
    "FORBIDDEN",
    403,
    "Forbidden",
    "The token is good, but none of its grants allows this. `missing` names the grant that would: "
    "ask "
    "whoever has `admin` for it.",
};

static const char *names_of(uint32_t actions, struct arena *a)
{
    const char *text = "";
    for (int i = 0; i < ACTION_COUNT; i++)
        if (actions & ACTION_BIT(i))
            text = arena_printf(a, "%s%s%s", text, *text ? "|" : "", GRANT_ACTIONS[i]);
    return text;
}

bool forbidden(struct arena *a, const char *ns, const char *name, uint32_t actions, struct err *e)
{
    struct bytes b = BYTES_INIT(8192);
    const char *action = names_of(actions, a);
    if (!ns)
        fail(e, &FORBIDDEN, "needs a grant of '%s' in every namespace ('*')", action);
    else if (name)
        fail(e, &FORBIDDEN, "needs a grant of '%s' for '%.128s' in namespace '%.128s'", action,
             name, ns);
    else
        fail(e, &FORBIDDEN, "needs a grant of '%s' in namespace '%.128s'", action, ns);
    json_key(&b, "missing");
    bytes_char(&b, '{');
    json_kv_string(&b, "namespace", ns ? ns : "*");
    json_kv_string(&b, "name", name);
    json_kv_string(&b, "action", action);
    bytes_char(&b, '}');
    if (e)
        e->members = arena_copy(a, b.data, b.len);
    bytes_release(&b);
    return false;
}
