#include "selection/flag_set_impl.h"

#include "base/json.h"
#include "base/mem.h"
#include "registry/layer.h"
#include "registry/segment.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX  64  /* prerequisites of prerequisites; writing refuses less */
#define BEHIND_MAX 256 /* flags asked for the sake of one; the same */

static const char *const REASONS[FLAG_REASON_COUNT] = {
    [FLAG_STATIC] = "STATIC",   [FLAG_MATCH] = "TARGETING_MATCH", [FLAG_SPLIT] = "SPLIT",
    [FLAG_DEFAULT] = "DEFAULT", [FLAG_DISABLED] = "DISABLED",     [FLAG_KILLED] = "KILLED",
    [FLAG_ERROR] = "ERROR",     [FLAG_NO_UNIT] = "ERROR",
};

const char *flag_reason_name(enum flag_reason reason)
{
    return REASONS[reason];
}
/* ---- asking ---- */

static void answer(const struct flag_ready *r, size_t variant, enum flag_reason reason,
                   struct flag_answer *out)
{
    out->variant = r->variants[variant];
    out->value = r->texts[variant];
    out->reason = reason;
}

static bool in_segment(void *ctx, const char *segment, const char *unit, size_t len)
{
    const struct flag_question *q = ctx;
    const struct document *d = view_document(q->view, &SEGMENT_TYPE, q->ns, segment);
    return d && segment_has(d, unit, len);
}

static enum flag_reason reason_of(enum policy_reason reason)
{
    static const enum flag_reason OF[] = {[REASON_MATCH] = FLAG_MATCH,
                                          [REASON_SPLIT] = FLAG_SPLIT,
                                          [REASON_DEFAULT] = FLAG_DEFAULT,
                                          [REASON_STATIC] = FLAG_STATIC};
    return OF[reason];
}

static void answer_failure(struct flag_set *set, const struct flag_ready *r,
                           enum flag_reason reason, const char *detail, struct flag_answer *out)
{
    answer(r, r->default_variant, reason, out);
    snprintf(set->error, sizeof set->error, "%s", detail);
    out->error = set->error;
}

static struct policy_ref policy_of(const struct flag *f, const char *ns)
{
    return (struct policy_ref){POLICY_ROLLOUT, ns, f->policy,
                               f->policy_version == INT64_MIN ? 0 : f->policy_version};
}

static bool begin_policy(struct flag_set *set, struct flag_ready *r, const struct flag *f,
                         const char *ns, struct policy_use *use, struct err *e)
{
    const struct policy_ref ref = policy_of(f, ns);
    if (!r->policy)
        r->policy = policy_set_place(set->policies, &ref);
    return r->policy ? policy_set_begin_at(set->policies, r->policy, use, e)
                     : policy_set_begin(set->policies, &ref, use, e);
}

static void ask_policy(struct flag_set *set, struct flag_ready *r, const struct flag *f,
                       const struct flag_question *q, struct flag_answer *out)
{
    struct policy_use use;
    struct policy_decision d;
    struct err e; /* read only where something failed */
    if (!begin_policy(set, r, f, q->ns, &use, &e)) {
        answer_failure(set, r, FLAG_ERROR, e.detail, out);
        return;
    }
    if (r->load_id != use.load_id)
        flag_ready_introduce(r, f, use.policy, use.load_id);
    const struct policy_env env = {.now_ms = q->at_ms,
                                   .context_id = q->context_id,
                                   .in_segment = in_segment,
                                   .segments = (void *)q,
                                   .trace = q->trace};
    bool good = r->flag ? policy_decide(use.policy, r->flag, q->context, &env, &d, &e)
                        : fail(&e, &ERR_INVALID, "%s", r->fault);
    bool unit_missing = !good && r->flag && d.unit_missing;
    policy_set_end(&use, good || unit_missing ? NULL : &e);
    if (!good) {
        answer_failure(set, r, unit_missing ? FLAG_NO_UNIT : FLAG_ERROR, e.detail, out);
        return;
    }
    answer(r, d.variant, reason_of(d.reason), out);
    const double rest = d.variant == r->default_variant ? 1 - out->share : 0;
    out->share = out->share * d.share + rest; /* who is not in the flag's part has the default */
    if (*d.note) {
        snprintf(set->note, sizeof set->note, "%s", d.note);
        out->note = set->note;
    }
}

/* As the helpers of policies are traced: where the layer has the unit. */
static void trace_layer(struct bytes *b, const char *layer, const char *unit, bool in,
                        uint32_t place)
{
    if (!b)
        return;
    size_t before = b->len;
    bytes_text(b, before ? ",{" : "{");
    json_kv_string(b, "call", "layer");
    json_key(b, "args");
    bytes_char(b, '[');
    json_put_string(b, layer);
    bytes_char(b, ',');
    json_put_string(b, unit);
    bytes_char(b, ']');
    json_kv_bool(b, "result", in);
    json_kv_int(b, "place", place);
    json_kv_int(b, "line", 0);
    bytes_char(b, '}');
    if (b->full)
        b->len = before;
}

/* The unit as a text, a whole number written into `number`; NULL: there is none. */
static const char *unit_of(const json_t *context, char number[24], size_t *len)
{
    const json_t *unit = json_object_get(context, "targetingKey");
    const char *text = json_string_value(unit);
    *len = text ? json_string_length(unit) : 0;
    if (json_is_integer(unit)) {
        *len = (size_t)snprintf(number, 24, "%" JSON_INTEGER_FORMAT, json_integer_value(unit));
        text = number;
    }
    return *len ? text : NULL;
}

/* Is the unit in the flag's part of its layer? Else `out` is the answer. */
static bool in_layer(struct flag_set *set, const struct flag_ready *r, const struct flag *f,
                     const struct flag_question *q, struct flag_answer *out)
{
    const struct document *d = view_document(q->view, &LAYER_TYPE, q->ns, f->layer);
    char number[24];
    size_t len;
    const char *unit = unit_of(q->context, number, &len);
    uint32_t place;
    if (!d) {
        answer_failure(set, r, FLAG_ERROR, "the flag's layer is not there", out);
        return false;
    }
    if (!unit) {
        answer_failure(set, r, FLAG_NO_UNIT, "the context has no unit (targetingKey)", out);
        return false;
    }
    enum layer_place where = layer_place(d, f->head.id, unit, len, &place);
    trace_layer(q->trace, f->layer, unit, where == LAYER_IN, place);
    const double in = layer_share(d, f->head.id);
    out->share *= in; /* the flag's part, in which the policy shares */
    if (where == LAYER_IN)
        return true;
    out->share = in > 0 ? NAN : 1; /* its policy may give the default as well */
    answer(r, r->default_variant, FLAG_DEFAULT, out);
    snprintf(set->note, sizeof set->note, "%s the layer '%.128s' (place %u)",
             where == LAYER_HOLDOUT ? "held out of" : "not in this flag's part of", f->layer,
             place);
    out->note = set->note;
    return false;
}

uint64_t flag_set_context_id(struct flag_set *set)
{
    return ++set->contexts;
}

bool flag_set_timed(struct flag_set *set, const struct document *d)
{
    const struct flag *f = flag_of(d);
    struct policy_use use;
    const struct policy_ref ref = policy_of(f, d->entity.ns);
    if (!f->policy || !policy_set_begin(set->policies, &ref, &use, NULL))
        return false;
    return policy_reads_time(use.policy);
}

static void ask(struct flag_set *set, const struct document *d, const struct flag_question *q,
                int depth, struct flag_answer *out);

/* What a prerequisite gives, asked once in a context however many need it; NULL: that cannot be
 * known. `share` as of an answer. */
static const char *given(struct flag_set *set, const char *key, const struct flag_question *q,
                         int depth, double *share)
{
    const struct document *d = view_document(q->view, &FLAG_TYPE, q->ns, key);
    if (!d || depth >= DEPTH_MAX)
        return NULL;
    struct flag_ready *r = flag_ready_of(set, d);
    if (r->asked_id != q->context_id) {
        struct flag_answer a;
        if (set->behind++ >= BEHIND_MAX)
            return NULL;
        ask(set, d, q, depth + 1, &a);
        r = flag_ready_of(set, d); /* asking others may have made room */
        r->asked_id = q->context_id;
        r->asked_variant = flag_ready_variant(r, a.variant, r->default_variant);
        r->asked_share = a.share;
    }
    *share = r->asked_share;
    return r->variants[r->asked_variant];
}

/* The first prerequisite that is not met, or NULL. Where they share units out, what the flag's own
 * shares are is not known. */
static const char *unmet(struct flag_set *set, const json_t *prerequisites,
                         const struct flag_question *q, int depth, double *share)
{
    const json_t *item, *name;
    size_t i, k;
    json_array_foreach((json_t *)prerequisites, i, item) {
        const char *key = json_string_value(json_object_get(item, "flag"));
        double others = 1;
        const char *variant = given(set, key, q, depth, &others);
        bool met = false;
        json_array_foreach(json_object_get(item, "variants"), k, name)
            met = met || (variant && strcmp(variant, json_string_value(name)) == 0);
        if (!(others >= 1))
            *share = NAN;
        if (!met)
            return key;
    }
    return NULL;
}

static void ask(struct flag_set *set, const struct document *d, const struct flag_question *q,
                int depth, struct flag_answer *out)
{
    const struct flag *f = flag_of(d);
    struct flag_ready *r = flag_ready_of(set, d);
    flag_ready_seen(set, r, q->now_ms);
    *out = (struct flag_answer){.policy = f->policy, .revision = r->revision, .share = 1};
    if (f->killed) {
        answer(r, r->fallback_variant, FLAG_KILLED, out);
        return;
    }
    if (!f->enabled) {
        answer(r, r->default_variant, FLAG_DISABLED, out);
        return;
    }
    const char *missing = NULL;
    if (r->depends) {
        json_t *prerequisites = json_incref(r->prerequisites);
        missing = unmet(set, prerequisites, q, depth, &out->share);
        json_decref(prerequisites);
        r = flag_ready_of(set, d); /* asking others may have made room */
    }
    if (!missing && f->layer && !in_layer(set, r, f, q, out))
        return;
    if (missing) {
        answer(r, r->default_variant, FLAG_DEFAULT, out);
        snprintf(set->note, sizeof set->note, "the prerequisite '%.128s' is not met", missing);
        out->note = set->note;
    } else if (!f->policy) {
        answer(r, r->default_variant, FLAG_STATIC, out);
        out->share = 1; /* everybody has it, in its part of a layer or not */
    } else {
        ask_policy(set, r, f, q, out);
    }
}

void flag_set_ask(struct flag_set *set, const struct document *d, const struct flag_question *q,
                  struct flag_answer *out)
{
    struct flag_question own = *q;
    if (!own.context_id)
        own.context_id = flag_set_context_id(set);
    set->behind = 0;
    ask(set, d, &own, 0, out);
}
