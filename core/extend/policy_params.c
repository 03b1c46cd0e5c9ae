/* The parameters a policy declares, and the values that a flag gives for them. */
#include "base/clock.h"
#include "extend/lua_guard.h"
#include "extend/lua_value.h"
#include "extend/policy_impl.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define PARAMS_MAX 32

enum param_type {
    PARAM_NUMBER,
    PARAM_INTEGER,
    PARAM_BOOLEAN,
    PARAM_STRING,
    PARAM_TIME,
    PARAM_STRINGS,
    PARAM_LIST,
    PARAM_MAP,
    PARAM_WEIGHTS,
    PARAM_ANY,
    PARAM_TYPE_COUNT,
};

static const char *const TYPE_NAMES[PARAM_TYPE_COUNT] = {
    [PARAM_NUMBER] = "number", [PARAM_INTEGER] = "integer", [PARAM_BOOLEAN] = "boolean",
    [PARAM_STRING] = "string", [PARAM_TIME] = "time",       [PARAM_STRINGS] = "strings",
    [PARAM_LIST] = "list",     [PARAM_MAP] = "map",         [PARAM_WEIGHTS] = "weights",
    [PARAM_ANY] = "any",
};

static const char *const MEMBERS[] = {"type", "required", "default", "min",
                                      "max",  "values",   "doc",     NULL};

static enum param_type type_of(const json_t *param)
{
    const char *name = json_string_value(json_object_get(param, "type"));
    for (int i = 0; name && i < PARAM_TYPE_COUNT; i++)
        if (strcmp(TYPE_NAMES[i], name) == 0)
            return (enum param_type)i;
    return PARAM_TYPE_COUNT;
}

/* ---- a value against its declaration ---- */

static void check_range(const json_t *param, double value, const char *pointer, struct faults *f)
{
    const json_t *min = json_object_get(param, "min"), *max = json_object_get(param, "max");
    if (json_is_number(min) && value < json_number_value(min))
        fault_add(f, &ERR_INVALID, pointer, "must be at least %g, got %g", json_number_value(min),
                  value);
    if (json_is_number(max) && value > json_number_value(max))
        fault_add(f, &ERR_INVALID, pointer, "must be at most %g, got %g", json_number_value(max),
                  value);
}

static void check_choice(const json_t *param, const json_t *value, const char *pointer,
                         struct faults *f)
{
    const json_t *values = json_object_get(param, "values"), *choice;
    size_t i;
    if (!json_is_array(values) || json_array_size(values) == 0)
        return;
    json_array_foreach(values, i, choice)
        if (json_equal(choice, value))
            return;
    fault_add(f, &ERR_INVALID, pointer, "is none of the values that the policy allows");
}

static void check_strings(const json_t *value, const char *pointer, struct faults *f)
{
    json_t *item;
    size_t i;
    json_array_foreach((json_t *)value, i, item)
        if (!json_is_string(item))
            fault_add(f, &ERR_INVALID, pointer, "item %zu must be a string", i);
}

static void check_weights(const json_t *value, const char *pointer, struct faults *f)
{
    const char *variant;
    json_t *weight;
    double sum = 0;
    json_object_foreach((json_t *)value, variant, weight) {
        double share = json_is_number(weight) ? json_number_value(weight) : -1;
        if (share < 0 || share > 100 || !isfinite(share))
            fault_add(f, &ERR_INVALID, pointer, "the weight of '%s' must be a number from 0 to 100",
                      variant);
        else
            sum += share;
    }
    if (json_object_size(value) > 0 && fabs(sum - 100) > 1e-6)
        fault_add(f, &ERR_INVALID, pointer, "weights must sum to 100, got %.6g", sum);
}

static bool has_type(enum param_type type, const json_t *value)
{
    switch (type) {
    case PARAM_NUMBER: return json_is_number(value);
    case PARAM_INTEGER: return json_is_integer(value);
    case PARAM_BOOLEAN: return json_is_boolean(value);
    case PARAM_STRING: return json_is_string(value);
    case PARAM_TIME: return json_is_string(value) || json_is_integer(value);
    case PARAM_STRINGS:
    case PARAM_LIST: return json_is_array(value);
    case PARAM_MAP:
    case PARAM_WEIGHTS: return json_is_object(value);
    default: return !json_is_null(value);
    }
}

/* A new reference to the value as the policy gets it (times in milliseconds), NULL on a fault. */
static json_t *checked(const json_t *param, json_t *value, const char *pointer, struct faults *f)
{
    enum param_type type = type_of(param);
    size_t before = f->total;
    int64_t ms = 0;
    if (!has_type(type, value)) {
        fault_add(f, &ERR_INVALID, pointer, "must be of type %s",
                  json_string_value(json_object_get(param, "type")));
        return NULL;
    }
    if (type == PARAM_NUMBER || type == PARAM_INTEGER)
        check_range(param, json_number_value(value), pointer, f);
    if (type == PARAM_STRINGS)
        check_strings(value, pointer, f);
    if (type == PARAM_WEIGHTS)
        check_weights(value, pointer, f);
    if (type == PARAM_STRING || type == PARAM_NUMBER || type == PARAM_INTEGER)
        check_choice(param, value, pointer, f);
    if (type == PARAM_TIME && json_is_string(value)) {
        if (time_parse(json_string_value(value), json_string_length(value), &ms))
            return json_integer(ms);
        fault_add(f, &ERR_INVALID, pointer, "must be a time, such as 2026-11-23T02:00:00Z");
    }
    return f->total == before ? json_incref(value) : NULL;
}

static const json_t *find_param(const json_t *declared, const char *name)
{
    json_t *param;
    size_t i;
    json_array_foreach((json_t *)declared, i, param)
        if (strcmp(json_string_value(json_object_get(param, "name")), name) == 0)
            return param;
    return NULL;
}

json_t *policy_params_check(const struct policy_declaration *d, const json_t *given,
                            const char *pointer, struct faults *f)
{
    json_t *filled = json_object(), *param, *value;
    const char *name;
    char path[256];
    size_t i, before = f->total;
    if (given && !json_is_object(given)) {
        fault_add(f, &ERR_INVALID, pointer, "must be an object");
        given = NULL;
    }
    json_object_foreach((json_t *)given, name, value) {
        pointer_join(path, sizeof path, pointer, name);
        if (!find_param(d->params, name))
            fault_add(f, &ERR_UNKNOWN_FIELD, path, "the policy '%s' has no parameter of this name",
                      d->name);
    }
    json_array_foreach((json_t *)d->params, i, param) {
        name = json_string_value(json_object_get(param, "name"));
        pointer_join(path, sizeof path, pointer, name);
        value = given ? json_object_get(given, name) : NULL;
        if (!value || json_is_null(value))
            value = json_object_get(param, "default");
        if (value && !json_is_null(value))
            json_object_set_new(filled, name, checked(param, value, path, f));
        else if (json_is_true(json_object_get(param, "required")))
            fault_add(f, &ERR_INVALID, path, "is required by the policy '%s'", d->name);
    }
    if (f->total == before)
        return filled;
    json_decref(filled);
    return NULL;
}

json_t *policy_params_fill(const struct policy *p, const json_t *given, const char *pointer,
                           struct faults *f)
{
    const struct policy_declaration d = policy_declaration(p);
    return policy_params_check(&d, given, pointer, f);
}

struct policy_declaration policy_declaration(const struct policy *p)
{
    return (struct policy_declaration){p->name, p->params};
}

const json_t *policy_params(const struct policy *p)
{
    return p->params;
}

const char *policy_weights_param(const struct policy_declaration *d)
{
    json_t *param;
    size_t i;
    json_array_foreach((json_t *)d->params, i, param)
        if (type_of(param) == PARAM_WEIGHTS)
            return json_string_value(json_object_get(param, "name"));
    return NULL;
}

/* ---- the declaration ---- */

static const char *unknown_member(const json_t *param)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)param, key, value) {
        size_t i = 0;
        while (MEMBERS[i] && strcmp(MEMBERS[i], key) != 0)
            i++;
        if (!MEMBERS[i])
            return key;
    }
    return NULL;
}

/* An empty Lua table is both a list and a map: give the default the type that was declared. */
static void mend_empty(json_t *param)
{
    enum param_type type = type_of(param);
    const json_t *value = json_object_get(param, "default");
    if ((type == PARAM_LIST || type == PARAM_STRINGS) && json_is_object(value) &&
        json_object_size(value) == 0)
        json_object_set_new(param, "default", json_array());
}

static const char *wrong_declaration(json_t *param)
{
    const json_t *doc = json_object_get(param, "doc"),
                 *required = json_object_get(param, "required");
    const json_t *min = json_object_get(param, "min"), *max = json_object_get(param, "max");
    const json_t *values = json_object_get(param, "values");
    if (!json_is_object(param))
        return "must be a table such as { type = \"number\", default = 0 }";
    if (type_of(param) == PARAM_TYPE_COUNT)
        return "has no type, or one that does not exist";
    if (unknown_member(param))
        return "has a member that is none of type, required, default, min, max, values, doc";
    if ((doc && !json_is_string(doc)) || (required && !json_is_boolean(required)) ||
        (min && !json_is_number(min)) || (max && !json_is_number(max)) ||
        (values && !json_is_array(values)))
        return "has a member of the wrong type";
    return NULL;
}

/* The default must pass its own check. */
static const char *wrong_default(json_t *param, char *out, size_t size)
{
    json_t *value = json_object_get(param, "default");
    if (!value)
        return NULL;
    struct arena *arena = arena_new(1 << 16);
    struct faults faults;
    faults_init(&faults, arena);
    json_t *good = checked(param, value, "", &faults);
    if (!good && faults.listed > 0)
        snprintf(out, size, "has a default that %s", faults.list[0].detail);
    arena_free(arena);
    if (!good)
        return out;
    json_decref(good);
    return NULL;
}

void policy_params_read(lua_State *L, int index, struct policy *p)
{
    char text[256];
    const char *why = NULL, *name;
    json_t *param;
    int type = lua_getfield(L, index, "params");
    if (type != LUA_TNIL && type != LUA_TTABLE)
        luaL_error(L, "params must be a table, got a %s", lua_typename(L, type));
    if (type == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    json_t *declared = lua_value_read(L, -1, &why);
    lua_pop(L, 1);
    if (!declared)
        luaL_error(L, "params: %s", why);
    why = json_object_size(declared) > PARAMS_MAX ? "more than 32" : NULL;
    json_object_foreach(declared, name, param) {
        if (!why && !(why = wrong_declaration(param))) {
            mend_empty(param);
            why = wrong_default(param, text, sizeof text);
        }
        if (why)
            break;
        json_object_set_new(param, "name", json_string(name));
        json_array_append(p->params, param);
    }
    if (!why) {
        json_decref(declared);
        return;
    }
    /* the name lives in what is freed before the error is raised */
    lua_pushfstring(L, "params.%s %s", name ? name : "?", why);
    json_decref(declared);
    lua_error(L);
}
