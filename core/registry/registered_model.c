#include "registry/registered_model.h"

#include "base/utf8.h"
#include "registry/pack.h"
#include "registry/scan.h"

#include <stdlib.h>
#include <string.h>

enum {
    NAME,
    ALIASES,
    VERSIONS,
    LAST_NUMBER,
    STABLE,
    PREVIOUS,
    SLO,
    GATE,
    CREATED_AT,
    UPDATED_AT,
    REVISION,
    MEMBERS
};
static const char *const NAMES[MEMBERS] = {
    "name",
    "aliases",
    "versions",
    "last_version_number",
    "stable_model_id",
    "previous_stable_model_id",
    "slo",
    "gate",
    "created_at",
    "updated_at",
    "revision",
};

static const char *const SLO_NAMES[4] = {"latency_p95_ms", "latency_p99_ms", "error_rate_ratio",
                                         "min_inferences_per_minute"};

enum { REQUIRE_TYPES, MAX_AGE, MAX_SEVERITY, REQUIRE_EXPERIMENT, RULE_MEMBERS };
static const char *const RULE_NAMES[RULE_MEMBERS] = {"require_types", "max_age_seconds",
                                                     "max_severity", "require_experiment"};
static const char *const RULES[2] = {"canary", "stable"};

/* The members of the text, opened up as far as the typed fields need them. */
struct parts {
    struct slice top[MEMBERS], slo[4], rules[2][RULE_MEMBERS];
    size_t n_aliases;
};

static bool find_parts(struct parts *p, const char *json, size_t len)
{
    struct slice gates[2], key, value;
    bool ok = scan_pick((struct slice){json, len}, NAMES, MEMBERS, p->top) &&
              slice_is_string(p->top[NAME]) && scan_pick(p->top[SLO], SLO_NAMES, 4, p->slo) &&
              scan_pick(p->top[GATE], RULES, 2, gates) && utf8_valid(json, len);
    for (size_t i = 0; ok && i < 2; i++) {
        struct slice *rule = p->rules[i];
        ok = scan_pick(gates[i], RULE_NAMES, RULE_MEMBERS, rule) &&
             slice_is_string(rule[MAX_SEVERITY]) && rule[REQUIRE_TYPES].at;
    }
    struct scan s = scan_open(p->top[ALIASES], '{');
    for (p->n_aliases = 0; ok && scan_member(&s, &key, &value); p->n_aliases++)
        ok = slice_is_string(value);
    return ok && scan_ended(&s);
}

static double number(struct slice s)
{
    char text[40];
    if (!s.at || s.len >= sizeof text || *s.at == 'n')
        return NAN;
    memcpy(text, s.at, s.len);
    text[s.len] = '\0';
    return strtod(text, NULL);
}

static void want_texts(struct pack *p, const struct parts *parts, size_t len)
{
    pack_want(p, parts->top[STABLE]);
    pack_want(p, parts->top[PREVIOUS]);
    for (size_t i = 0; i < 2; i++) {
        pack_want_raw(p, parts->rules[i][REQUIRE_TYPES].len);
        pack_want(p, parts->rules[i][MAX_SEVERITY]);
    }
    pack_want_raw(p, parts->top[ALIASES].len); /* its keys and values have quotes to spare */
    pack_want_raw(p, len);
}

static void lay_out_rule(struct gate_rule *rule, struct pack *p, const struct slice *s)
{
    rule->require_types = pack_raw(p, s[REQUIRE_TYPES].at, s[REQUIRE_TYPES].len);
    rule->max_severity = pack_text(p, s[MAX_SEVERITY]);
    rule->require_experiment = slice_is(s[REQUIRE_EXPERIMENT], "true");
    if (!slice_int(s[MAX_AGE], &rule->max_age_seconds))
        rule->max_age_seconds = INT64_MIN;
}

static void lay_out_aliases(struct alias *aliases, struct pack *p, struct slice object)
{
    struct scan s = scan_open(object, '{');
    struct slice key, value;
    while (scan_member(&s, &key, &value)) {
        struct slice literal = {key.at - 1, key.len + 2};
        aliases->alias = pack_text(p, literal);
        aliases->model_id = pack_text(p, value);
        aliases++;
    }
}

static void lay_out(struct registered_model *r, struct alias *aliases, struct pack *p,
                    const struct parts *parts)
{
    r->stable_model_id = pack_text(p, parts->top[STABLE]);
    r->previous_stable_model_id = pack_text(p, parts->top[PREVIOUS]);
    lay_out_rule(&r->gate_canary, p, parts->rules[0]);
    lay_out_rule(&r->gate_stable, p, parts->rules[1]);
    r->slo = (struct slo){number(parts->slo[0]), number(parts->slo[1]), number(parts->slo[2]),
                          number(parts->slo[3])};
    lay_out_aliases(aliases, p, parts->top[ALIASES]);
    r->aliases = parts->n_aliases ? aliases : NULL;
    r->n_aliases = parts->n_aliases;
}

static bool read_numbers(struct registered_model *r, const struct slice *s)
{
    return slice_int(s[REVISION], &r->entity.revision) && slice_int(s[VERSIONS], &r->versions) &&
           slice_int(s[LAST_NUMBER], &r->last_version_number) &&
           slice_time(s[CREATED_AT], &r->created_at) && slice_time(s[UPDATED_AT], &r->updated_at);
}

struct entity *registered_model_parse(const char *ns, const char *id, uint64_t uid,
                                      const char *json, size_t len, struct intern *names,
                                      struct err *e)
{
    struct parts parts;
    if (!find_parts(&parts, json, len)) {
        fail(e, &ERR_CORRUPT, "the stored text of registered model '%.200s' is damaged", id);
        return NULL;
    }
    struct pack p = {0};
    want_texts(&p, &parts, len);
    struct registered_model *r = pack_open(&p, sizeof *r + parts.n_aliases * sizeof(struct alias));
    lay_out(r, (struct alias *)(void *)(r + 1), &p, &parts);
    r->entity.kind = ENTITY_REGISTERED_MODEL;
    r->entity.ns = intern(names, ns);
    r->entity.id = slice_intern(parts.top[NAME], names);
    r->entity.uid = uid;
    r->entity.json = pack_raw(&p, json, len);
    r->entity.json_len = len;
    if (!read_numbers(r, parts.top) || strcmp(r->entity.id, id) != 0) {
        fail(e, &ERR_CORRUPT, "the stored text of registered model '%.200s' contradicts itself",
             id);
        entity_free(r);
        return NULL;
    }
    return &r->entity;
}
