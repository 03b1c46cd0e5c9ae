/* Which model served whom at a time, and why: decided again, from what the journal says of then. */
#include "api/body.h"
#include "extend/context.h"
#include "api/handlers.h"
#include "api/journal_read.h"
#include "api/selection_answer.h"
#include "api/selection_fields.h"
#include "api/work.h"
#include "base/json.h"
#include "extend/policy_set.h"
#include "registry/errors.h"
#include "registry/flag.h"
#include "registry/health.h"
#include "selection/breaker.h"
#include "selection/decisions.h"
#include "selection/errors.h"
#include "selection/past.h"
#include "selection/selector.h"

#include <string.h>

#define DAY_MS    INT64_C(86400000)
#define TRACE_MAX (256 << 10)

/* A selection made again in the past, and what makes it. */
struct again {
    struct work *w;
    const struct explain_body *asked;
    json_t *context;
    struct past *past;
    struct selector_shared shared;
    struct policy_set *policies;
    struct flag_set *flags;
    struct selector *selector;
    struct selection_answer answer;
};

/* ---- deciding again ---- */

static bool read_journal(void *ctx, const struct journal_query *q, struct arena *a,
                         struct journal_read *out, struct err *e)
{
    return journal_read_wait(ctx, q, a, out, e);
}

static bool circuit_was_open(void *self, uint64_t model_uid, uint32_t bucket)
{
    const struct again *g = self;
    const struct entity *health =
        view_by_uid_of(past_view(g->past), ENTITY_HEALTH, g->w->ns, model_uid);
    enum circuit circuit = health ? health_of(health)->circuit : CIRCUIT_CLOSED;
    return circuit == CIRCUIT_OPEN || (circuit == CIRCUIT_HALF && bucket >= BREAKER_PROBE);
}

static bool decide(struct again *g)
{
    struct work *w = g->w;
    const struct past_wish wish = {.ns = w->ns,
                                   .route = g->asked->route,
                                   .at_ms = g->asked->at,
                                   .journal = read_journal,
                                   .ctx = w->api};
    g->past = past_read(&wish, &w->err);
    if (!g->past)
        return false;
    g->shared = *w->api->selection;
    g->shared.weights = weights_new(); /* what strategies published then is not known */
    g->shared.circuit_open = circuit_was_open;
    g->shared.circuits = g;
    g->policies = policy_set_new(w->api->policies);
    policy_set_uncounted(g->policies);
    policy_set_files(g->policies); /* what was stored then is pinned */
    g->flags = flag_set_new(g->policies);
    g->selector = selector_new(&g->shared, g->flags, &w->err);
    const struct selection_question q = {.view = past_view(g->past),
                                         .ns = w->ns,
                                         .route = g->asked->route,
                                         .context = g->context,
                                         .at_ms = g->asked->at,
                                         .explain = true};
    return g->selector && selector_ask(g->selector, &q, &g->answer, &w->err);
}

static void again_release(struct again *g)
{
    selector_free(g->selector);
    flag_set_free(g->flags);
    policy_set_free(g->policies);
    weights_free(g->shared.weights);
    past_free(g->past);
    json_decref(g->context);
}

/* ---- what made it so ---- */

static const struct model_route *route_then(const struct again *g)
{
    const struct document *d =
        view_document(past_view(g->past), &ROUTE_TYPE, g->w->ns, g->asked->route);
    return d ? route_of(d) : NULL;
}

static void put_flag(struct again *g, struct bytes *b)
{
    const struct model_route *r = route_then(g);
    const struct document *d =
        r && r->flag ? view_document(past_view(g->past), &FLAG_TYPE, g->w->ns, r->flag) : NULL;
    struct bytes trace = BYTES_INIT(TRACE_MAX);
    struct flag_answer a;
    if (!d) {
        json_kv_raw(b, "flag", NULL);
        return;
    }
    const struct flag_question q = {.view = past_view(g->past),
                                    .ns = g->w->ns,
                                    .context = g->context,
                                    .at_ms = g->asked->at,
                                    .trace = &trace};
    flag_set_ask(g->flags, d, &q, &a);
    json_key(b, "flag");
    bytes_char(b, '{');
    json_kv_string(b, "key", r->flag);
    json_kv_int(b, "revision", a.revision);
    json_kv_string(b, "variant", a.variant);
    json_kv_string(b, "reason", flag_reason_name(a.reason));
    json_kv_string(b, "note", a.note);
    json_kv_string(b, "policy", a.policy);
    json_kv_string(b, "error", a.error);
    bytes_text(b, ",\"trace\":[");
    bytes_add(b, trace.data ? trace.data : "", trace.len);
    bytes_text(b, "]}");
    bytes_release(&trace);
}

static void put_note(struct bytes *b, const struct again *g, enum entity_kind kind, const char *id)
{
    const struct past_note *n = id ? past_note(g->past, kind, id) : NULL;
    if (!n)
        return;
    bytes_text(b, b->data[b->len - 1] == '[' ? "{" : ",{");
    json_kv_int(b, "seq", (int64_t)n->seq);
    json_kv_time(b, "at", n->at_ms);
    json_kv_string(b, "action", n->action);
    json_kv_string(b, "entity", n->entity);
    json_kv_string(b, "entity_id", n->entity_id);
    json_kv_raw(b, "actor", n->actor);
    json_kv_raw(b, "reason", n->reason);
    bytes_char(b, '}');
}

/* The last change of each thing that had a say. */
static void put_because(struct bytes *b, const struct again *g)
{
    const struct model_route *r = route_then(g);
    const struct selection_answer *a = &g->answer;
    json_key(b, "because");
    bytes_char(b, '[');
    put_note(b, g, ENTITY_ROUTE, g->asked->route);
    put_note(b, g, ENTITY_FLAG, r ? r->flag : NULL);
    put_note(b, g, ENTITY_MODEL, a->served->entity.id);
    if (a->intended != a->served)
        put_note(b, g, ENTITY_MODEL, a->intended ? a->intended->entity.id : NULL);
    put_note(b, g, ENTITY_HEALTH, a->intended ? a->intended->entity.id : NULL);
    put_note(b, g, ENTITY_REGISTERED_MODEL, a->served->name);
    bytes_char(b, ']');
}

/* ---- what the journal cannot tell ---- */

static void put_doubt(struct bytes *b, const char *text)
{
    if (b->data[b->len - 1] != '[')
        bytes_char(b, ',');
    json_put_string(b, text);
}

static const struct flag *flag_then(const struct again *g, const char *key)
{
    const struct document *d =
        key ? view_document(past_view(g->past), &FLAG_TYPE, g->w->ns, key) : NULL;
    return d ? flag_of(d) : NULL;
}

/* A policy whose file was taken again since: its text then is not kept. */
static bool file_changed(const struct again *g, const struct flag *f)
{
    struct policy_info info;
    const struct policy_ref ref = {.kind = POLICY_ROLLOUT, .name = f->policy};
    return f->policy && f->policy_version == INT64_MIN &&
           (!policies_info(g->w->api->policies, &ref, g->w->arena, &info) ||
            info.loaded_at > g->asked->at);
}

static void put_unknown(struct bytes *b, const struct again *g)
{
    const struct model_route *r = route_then(g);
    const struct flag *f = r ? flag_then(g, r->flag) : NULL;
    json_key(b, "unknown");
    bytes_char(b, '[');
    if (r && !r->flag && r->strategy && strcmp(r->strategy, STRATEGY_WEIGHTED) != 0)
        put_doubt(b, arena_printf(g->w->arena,
                                  "what the strategy '%.128s' had made of the shares then",
                                  r->strategy));
    if (f && file_changed(g, f))
        put_doubt(b, arena_printf(g->w->arena,
                                  "what the file of the policy '%.128s' said then: it was read "
                                  "again since",
                                  f->policy));
    bytes_char(b, ']');
}

/* ---- what was logged ---- */

struct last {
    struct again *g;
    const char *json;
};

/* [store] */
static bool take_last(void *ctx, const struct logged_decision *d)
{
    struct last *l = ctx;
    l->json = arena_copy(l->g->w->arena, d->json, d->len);
    return false;
}

/* The last decision on the unit in the day before, if its route logged it. */
static bool put_logged(struct bytes *b, struct again *g)
{
    struct last l = {.g = g};
    const struct decision_query q = {.ns = g->w->ns,
                                     .unit = g->answer.unit,
                                     .route = g->asked->route,
                                     .from = g->asked->at > DAY_MS ? g->asked->at - DAY_MS : 0,
                                     .to = g->asked->at + 1,
                                     .each = take_last,
                                     .ctx = &l};
    if (q.unit && !decisions_read(g->w->api->store, &q, &g->w->err))
        return false;
    json_kv_raw(b, "logged", l.json);
    return true;
}

/* ---- the answer ---- */

static void put_sentence(struct bytes *b, const struct again *g)
{
    const struct selection_answer *a = &g->answer;
    struct arena *arena = g->w->arena;
    char at[TIME_TEXT_SIZE];
    time_format(g->asked->at, at);
    const char *who = a->unit ? arena_printf(arena, "unit '%.200s'", a->unit) : "who had no unit";
    const char *arm = a->arm ? arena_printf(arena, " by its arm '%.128s'", a->arm) : "";
    const char *cause = a->cause ? arena_printf(arena, " (%s)", a->cause) : "";
    json_kv_string(
        b, "sentence",
        arena_printf(arena, "At %s the route '%.200s' gave %s the model '%.200s' (%s)%s: %s%s.", at,
                     g->asked->route, who, a->served->entity.id, status_name(a->served->status),
                     arm, selection_reason_name(a->reason), cause));
}

static bool put_explanation(struct again *g)
{
    struct bytes *b = &g->w->out;
    const struct selection_answer *a = &g->answer;
    bytes_char(b, '{');
    json_kv_string(b, "route", g->asked->route);
    json_kv_time(b, "at", g->asked->at);
    json_kv_int(b, "seq", (int64_t)view_seq(past_view(g->past)));
    json_kv_string(b, "unit", a->unit);
    if (a->unit)
        json_kv_int(b, "bucket", a->bucket);
    put_sentence(b, g);
    json_key(b, "decision");
    bytes_char(b, '{');
    selection_put_choice(b, a);
    bytes_char(b, '}');
    put_because(b, g);
    put_unknown(b, g);
    bool ok = put_logged(b, g);
    put_flag(g, b); /* last: its texts end those of the answer */
    bytes_char(b, '}');
    return ok;
}

static bool context_good(const struct again *g)
{
    struct faults f;
    faults_init(&f, g->w->arena);
    return context_check(g->context, "/context", &f) || faults_fail(&f, &g->w->err);
}

/* [reader] What one may not read is not there. */
static bool explain(struct work *w)
{
    struct again g = {.w = w, .asked = w->args};
    const char *text = g.asked->context ? g.asked->context : "{}";
    g.context = json_read(text, strlen(text), &w->err);
    bool ok = g.context && context_good(&g) && decide(&g);
    if (ok && !grants_allow(w->grants, w->ns, g.answer.served->name, ACTION_BIT(ACTION_READ)))
        ok = fail(&w->err, &ROUTE_NOT_FOUND, "no route '%.200s'", g.asked->route);
    ok = ok && put_explanation(&g);
    again_release(&g);
    return ok;
}

static bool check(struct call *c, const struct explain_body *body, struct err *e)
{
    struct faults f;
    faults_init(&f, c->arena);
    if (body->at > clock_wall_ms(c->api->clock))
        fault_add(&f, &ERR_INVALID, "/at", "must be past");
    return f.total == 0 || faults_fail(&f, e);
}

void selection_explain_post(struct request *rq)
{
    struct call c;
    struct err e = {0};
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    struct explain_body *body = arena_zero(c.arena, sizeof *body);
    if (call_body(&c, EXPLAIN_FIELDS, body, &e) && check(&c, body, &e))
        work_answer(&c, true, explain, body);
    else
        request_fail(rq, &e);
}
