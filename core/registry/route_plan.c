/* A route's texts, read once for all who ask. */
#include "registry/route.h"

#include "base/json.h"
#include "registry/model_fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define REFERENCE_MAX 400 /* characters */

/* Room for texts and arrays, laid out behind the plan; without `data` it only counts. */
struct room {
    char *data;
    size_t used;
};

static void *take(struct room *r, size_t size)
{
    void *at = r->data ? r->data + r->used : NULL;
    r->used += (size + 7) & ~(size_t)7;
    return at;
}

static const char *take_text(struct room *r, const json_t *text)
{
    if (!json_is_string(text))
        return NULL;
    size_t size = json_string_length(text) + 1;
    char *at = take(r, size);
    return at ? memcpy(at, json_string_value(text), size) : NULL;
}

static json_t *read_text(const char *text)
{
    return text ? json_read(text, strlen(text), NULL) : NULL;
}

static void plan_match(struct route_plan *p, struct room *room, const struct model_route *r)
{
    json_t *match = read_text(r->match), *labels = json_object_get(match, "labels"), *value;
    const char *key;
    size_t n = json_object_size(labels), i = 0;
    struct route_label *list = take(room, n * sizeof *list);
    p->model_name = take_text(room, json_object_get(match, "model_name"));
    p->sport = take_text(room, json_object_get(match, "sport"));
    p->type = take_text(room, json_object_get(match, "type"));
    if (json_object_size(match) == 0) {
        size_t size = strlen(r->head.id) + 1;
        char *name = take(room, size);
        p->model_name = name ? memcpy(name, r->head.id, size) : NULL;
    }
    json_object_foreach(labels, key, value) {
        json_t *text = json_string(key);
        const struct route_label label = {take_text(room, text), take_text(room, value)};
        if (list)
            list[i++] = label;
        json_decref(text);
    }
    p->labels = list;
    p->label_count = (uint8_t)n;
    json_decref(match);
}

/* Without `arms` those are arms that the route's own weights name: models by id or reference. */
static void plan_arms(struct route_plan *p, struct room *room, const struct model_route *r)
{
    json_t *arms = read_text(r->arms), *params = read_text(r->params), *value;
    json_t *named = r->arms ? arms : json_object_get(params, "weights");
    const char *key;
    size_t n = json_object_size(named), i = 0;
    n = n > ARMS_MAX ? ARMS_MAX : n;
    struct route_arm *list = take(room, n * sizeof *list);
    json_object_foreach(named, key, value) {
        json_t *name = json_string(key);
        if (i++ < n) {
            struct route_arm arm = {take_text(room, name), NULL};
            arm.reference = r->arms ? take_text(room, value) : arm.name;
            if (list)
                list[i - 1] = arm;
        }
        json_decref(name);
    }
    p->arms = list;
    p->arm_count = (uint8_t)n;
    p->arms_given = r->arms != NULL;
    json_decref(arms);
    json_decref(params);
}

uint32_t route_arm_called(const struct route_plan *p, const char *name)
{
    for (uint32_t i = 0; name && i < p->arm_count; i++)
        if (strcmp(p->arms[i].name, name) == 0)
            return i;
    return ARMS_MAX;
}

static void plan_shares(struct route_plan *p, struct room *room, const struct model_route *r)
{
    json_t *ranges = read_text(r->allocation);
    const json_t *range;
    size_t n = json_array_size(ranges), i;
    n = n > SHARES_MAX ? SHARES_MAX : n;
    struct share *list = take(room, n * sizeof *list);
    json_array_foreach(ranges, i, range) {
        if (!list || i >= n)
            break;
        list[i] = (struct share){
            .from = (uint32_t)json_integer_value(json_object_get(range, "from")),
            .to = (uint32_t)json_integer_value(json_object_get(range, "to")),
            .arm = route_arm_called(p, json_string_value(json_object_get(range, "arm")))};
    }
    p->shares = list;
    p->share_count = (uint16_t)n;
    json_decref(ranges);
}

static void plan_others(struct route_plan *p, struct room *room, const struct model_route *r)
{
    json_t *fallback = read_text(r->fallback), *shadows = read_text(r->shadows), *item;
    size_t n = json_array_size(fallback), m = json_array_size(shadows), i;
    const char **references = take(room, n * sizeof *references);
    struct route_shadow *list = take(room, m * sizeof *list);
    json_array_foreach(fallback, i, item) {
        const char *text = take_text(room, item);
        if (references)
            references[i] = text;
    }
    json_array_foreach(shadows, i, item) {
        const char *text = take_text(room, json_object_get(item, "model_id"));
        double share = json_number_value(json_object_get(item, "share_ratio"));
        if (list)
            list[i] = (struct route_shadow){text, (uint32_t)lround(share * BUCKETS)};
    }
    p->fallback = references;
    p->shadows = list;
    p->fallback_count = (uint8_t)n;
    p->shadow_count = (uint8_t)m;
    json_decref(fallback);
    json_decref(shadows);
}

size_t route_plan_make(const struct model_route *r, void *out)
{
    struct route_plan scratch = {0}, *p = out ? out : &scratch;
    struct room room = {out, 0};
    *p = (struct route_plan){.fail_without_unit = strcmp(r->on_missing_unit, "error") == 0,
                             .log = strcmp(r->decision_log, "all") == 0         ? LOG_ALL
                                    : strcmp(r->decision_log, "exposures") == 0 ? LOG_EXPOSURES
                                                                                : LOG_OFF};
    take(&room, sizeof *p);
    plan_match(p, &room, r);
    plan_arms(p, &room, r);
    plan_shares(p, &room, r);
    plan_others(p, &room, r);
    return room.used;
}

const struct model *route_model(const struct view *v, const char *ns, const struct route_plan *p,
                                const char *reference)
{
    char text[4 * (MODEL_NAME_CHARS + REFERENCE_MAX)];
    if (*reference != '@')
        return view_resolve(v, ns, reference, NULL);
    if (!p->model_name)
        return NULL;
    int n = snprintf(text, sizeof text, "%s%s", p->model_name, reference);
    return n > 0 && (size_t)n < sizeof text ? view_resolve(v, ns, text, NULL) : NULL;
}
