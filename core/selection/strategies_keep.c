/* What outlives processes: one value in the store for each route. */
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "selection/strategies_impl.h"
#include "selection/strategy_log.h"
#include "store/wait.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_MS  (INT64_C(400) * 86400000) /* renewed whenever it is kept */
#define KEPT_MAX (2u << 20)
/* Of what is asked for without a route: who no longer asks after a restart is never seen to go. */
#define MATCH_KEPT_MS (INT64_C(7) * 86400000)

static const char *key_of(struct strategies *s, const struct asked *a)
{
    return arena_printf(s->arena, "strategy/%s/%s", a->ns, a->route);
}

static bool wait_key(struct strategies *s, struct key_request *k)
{
    k->arena = s->arena;
    return store_key_wait(s->config.store, k, NULL);
}

/* ---- keeping ---- */

static void put_set(const struct weights_set *set, struct bytes *out)
{
    json_key(out, "arms");
    bytes_char(out, '[');
    for (size_t i = 0; i < set->arm_count; i++) {
        bytes_text(out, i ? ",[" : "[");
        json_put_string(out, set->arms[i].arm);
        bytes_char(out, ',');
        json_put_number(out, set->arms[i].weight);
        bytes_char(out, ',');
        json_put_number(out, set->arms[i].score);
        bytes_char(out, ']');
    }
    bytes_char(out, ']');
    json_key(out, "ranges");
    bytes_char(out, '[');
    for (size_t i = 0; i < set->share_count; i++)
        bytes_printf(out, "%s[%" PRIu32 ",%" PRIu32 ",%" PRIu32 "]", i ? "," : "",
                     set->shares[i].from, set->shares[i].to, set->shares[i].arm);
    bytes_char(out, ']');
}

bool strategies_keep(struct strategies *s, struct asked *a, struct err *e)
{
    struct bytes text = BYTES_INIT(KEPT_MAX);
    const struct weights_set *set =
        weights_copy(s->config.weights, WEIGHTS_STRATEGY, a->ns, a->route, s->arena);
    bytes_char(&text, '{');
    json_kv_string(&text, "strategy", a->strategy);
    json_kv_int(&text, "uid", (int64_t)a->uid);
    json_kv_int(&text, "offset", (int64_t)a->state_offset);
    if (*s->space)
        json_kv_string(&text, "space", s->space);
    json_kv_string(&text, "state", a->state);
    if (set)
        put_set(set, &text);
    bytes_char(&text, '}');
    uint64_t hash = text.full ? 0 : hash64(text.data, text.len, 0);
    const int64_t kept_ms = a->uid ? KEPT_MS : MATCH_KEPT_MS;
    struct key_request put = {.op = KEY_PUT,
                              .key = {.key = key_of(s, a),
                                      .value = text.data,
                                      .value_len = text.len,
                                      .expires_ms = clock_wall_ms(s->config.clock) + kept_ms}};
    bool good = true;
    if (text.full)
        good = fail(e, &ERR_INVALID, "its state is too large to be kept");
    else if (hash != a->kept && !wait_key(s, &put))
        good = fail(e, &ERR_IO, "its state could not be kept: %s", put.err.detail);
    if (good)
        a->kept = hash;
    bytes_release(&text);
    return good;
}

void strategies_forget(struct strategies *s, const struct asked *a)
{
    struct key_request drop = {.op = KEY_DELETE, .key = {.key = key_of(s, a)}};
    if (!wait_key(s, &drop))
        log_text(LOG_WARN, "strategy_state_not_removed", a->route);
}

/* ---- fetching ---- */

static uint32_t small(const json_t *list, size_t index)
{
    json_int_t n = json_integer_value(json_array_get(list, index));
    return n >= 0 && n <= BUCKETS ? (uint32_t)n : BUCKETS + 1;
}

/* NULL if they are not whole: 0 to BUCKETS, one behind the other. */
static struct share *read_ranges(struct arena *a, const json_t *list, size_t arms)
{
    size_t n = json_array_size(list);
    uint32_t end = 0;
    if (n == 0 || n > SHARES_MAX)
        return NULL;
    struct share *all = arena_zero(a, n * sizeof *all);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(list, i);
        all[i] = (struct share){.from = small(one, 0), .to = small(one, 1), .arm = small(one, 2)};
        if (all[i].from != end || all[i].to <= end || all[i].to > BUCKETS || all[i].arm >= arms)
            return NULL;
        end = all[i].to;
    }
    return end == BUCKETS ? all : NULL;
}

static struct weights_arm *read_arms(struct arena *a, const json_t *list)
{
    size_t n = json_array_size(list);
    if (n == 0 || n > ARMS_MAX)
        return NULL;
    struct weights_arm *all = arena_zero(a, n * sizeof *all);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(list, i);
        const char *arm = json_string_value(json_array_get(one, 0));
        const json_t *score = json_array_get(one, 2);
        if (!arm)
            return NULL;
        all[i] = (struct weights_arm){.arm = arena_text(a, arm),
                                      .weight = json_number_value(json_array_get(one, 1)),
                                      .score = json_is_number(score) ? json_number_value(score)
                                                                     : (double)NAN};
    }
    return all;
}

/* As it was, so that nobody moves for a restart. */
static void publish_kept(struct strategies *s, const struct strategy_route *route,
                         const json_t *kept)
{
    const json_t *arms = json_object_get(kept, "arms"), *ranges = json_object_get(kept, "ranges");
    struct err e;
    struct weights_set from = {.route_uid = route->uid,
                               .by = route->strategy,
                               .arm_count = json_array_size(arms),
                               .share_count = json_array_size(ranges)};
    from.arms = read_arms(s->arena, arms);
    from.shares = from.arms ? read_ranges(s->arena, ranges, from.arm_count) : NULL;
    if (!from.shares)
        return;
    const struct weights_wish wish = {.ns = route->ns,
                                      .route = route->route,
                                      .route_uid = route->uid,
                                      .by = route->strategy,
                                      .arms = from.arms,
                                      .arm_count = from.arm_count,
                                      .from = &from,
                                      .at_ms = clock_wall_ms(s->config.clock)};
    if (!weights_publish(s->config.weights, WEIGHTS_STRATEGY, &wish, &e))
        log_text(LOG_WARN, "kept_weights_refused", e.detail);
}

static void take_kept(struct strategies *s, struct asked *a, const struct strategy_route *route,
                      const json_t *kept, bool again)
{
    const char *strategy = json_string_value(json_object_get(kept, "strategy"));
    const char *state = json_string_value(json_object_get(kept, "state"));
    uint64_t uid = (uint64_t)json_integer_value(json_object_get(kept, "uid"));
    if (!strategy || strcmp(strategy, a->strategy) != 0 || uid != a->uid)
        return; /* of another life of this route */
    free(a->state);
    a->state = mem_text(state);
    /* Where nodes share the store, offsets are those of all; others are of an older version. */
    if (strategy_space_is(kept, s->space))
        a->offset = (uint64_t)json_integer_value(json_object_get(kept, "offset"));
    a->state_offset = a->offset;
    if (again ||
        !weights_copy(s->config.weights, WEIGHTS_STRATEGY, route->ns, route->route, s->arena))
        publish_kept(s, route, kept);
}

void strategies_fetch(struct strategies *s, struct asked *a, const struct strategy_route *route)
{
    struct key_request get = {.op = KEY_GET, .key = {.key = key_of(s, a)}};
    struct err e;
    if (!wait_key(s, &get))
        return; /* next time */
    uint64_t hash = get.found ? hash64(get.value, get.value_len, 0) : 0;
    bool again = a->fetched;
    if (again && hash == a->kept)
        return;
    json_t *kept = get.found ? json_read(get.value, get.value_len, &e) : NULL;
    if (kept)
        take_kept(s, a, route, kept, again);
    a->fetched = true;
    if (again)
        a->kept = hash;
    json_decref(kept);
}
