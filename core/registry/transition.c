#include "base/bytes.h"
#include "base/json.h"
#include "registry/decide.h"
#include "registry/family.h"

#include <string.h>

/* A status change on its way. */
struct transition {
    struct decision d;
    const struct model *model;
    enum model_status to;
    struct status_body body;
    struct family family;
    struct gate_outcome gate;
    bool gated;
    int64_t at;                  /* time of the change */
    const struct model **others; /* stables that it supersedes */
    size_t n_others;
};

const char *legal_json(struct arena *a, enum model_status from)
{
    const char *list = "";
    for (int to = 0; to < STATUS_COUNT; to++)
        if (status_may(from, (enum model_status)to))
            list = arena_printf(a, "%s%s\"%s\"", list, *list ? "," : "",
                                status_name((enum model_status)to));
    return arena_printf(a, "[%s]", list);
}

static bool illegal(const struct transition *t, struct err *e)
{
    struct arena *a = t->d.c->arena;
    const char *from = status_name(t->model->status), *to = status_name(t->to);
    const char *legal = legal_json(a, t->model->status);
    fail(e, &ILLEGAL_TRANSITION, "'%.200s' is %s and cannot become %s; legal: %s",
         t->model->entity.id, from, to, legal);
    if (e)
        e->members = arena_printf(a, "\"from\":\"%s\",\"to\":\"%s\",\"legal\":%s", from, to, legal);
    return false;
}

/* --- the fields of a promotion --- */

/* A forced promotion stays marked: `forced` is carried over from the promotion before. */
static bool was_forced(const struct model_fields *f)
{
    return f->promotion && strstr(f->promotion, "\"forced\":true") != NULL;
}

void promote_fields(const struct command *c, struct model_fields *f, enum model_status to,
                    int64_t at, const char *evidence, bool forced)
{
    struct bytes b = BYTES_INIT(16384);
    bytes_char(&b, '{');
    json_kv_string(&b, "to", status_name(to));
    json_kv_time(&b, "at", at);
    json_kv_string(&b, "evidence", forced ? "forced" : evidence);
    json_kv_bool(&b, "forced", forced || was_forced(f));
    json_kv_raw(&b, "actor", actor_json(c));
    bytes_char(&b, '}');
    f->status = status_name(to);
    f->status_changed_at = at;
    f->promotion = arena_copy(c->arena, b.data, b.len);
    if (to == STATUS_STABLE)
        f->promoted_at = at;
    bytes_release(&b);
}

static void edit_status(struct model_fields *f, const void *ctx)
{
    const struct transition *t = ctx;
    f->status = status_name(t->to);
    f->status_changed_at = t->at;
}

static void edit_promote(struct model_fields *f, const void *ctx)
{
    const struct transition *t = ctx;
    promote_fields(t->d.c, f, t->to, t->at, t->gate.verdict.evidence, t->gated && t->body.force);
}

static void edit_supersede(struct model_fields *f, const void *ctx)
{
    const struct transition *t = ctx;
    f->status = status_name(STATUS_DEPRECATED);
    f->status_changed_at = t->at;
}

/* --- superseding --- */

static bool gather_stable(const struct model *m, void *ctx)
{
    struct transition *t = ctx;
    const size_t room = CHANGES_MAX - 8;
    if (m->status != STATUS_STABLE || m == t->model)
        return true;
    if (t->n_others < room)
        t->others[t->n_others] = m;
    return ++t->n_others <= room;
}

static bool supersede(struct transition *t, struct err *e)
{
    if (t->to != STATUS_STABLE || !t->body.supersede)
        return true;
    t->others = arena_zero(t->d.c->arena, (CHANGES_MAX - 8) * sizeof(void *));
    view_versions(t->d.h->view, t->d.c->ns, t->model->name, gather_stable, t);
    if (t->n_others > CHANGES_MAX - 8)
        return fail(e, &TOO_MANY_CHANGES,
                    "'%.128s' has too many stable versions to supersede at once", t->model->name);
    for (size_t i = 0; i < t->n_others; i++)
        if (!change_model(&t->d, t->others[i], edit_supersede, t, "model.superseded", NULL, e))
            return false;
    return true;
}

static const char *superseded_member(const struct transition *t)
{
    struct bytes b = BYTES_INIT(8 << 20);
    bytes_text(&b, "\"superseded\":[");
    for (size_t i = 0; i < t->n_others; i++) {
        if (i)
            bytes_char(&b, ',');
        json_put_string(&b, t->others[i]->entity.id);
    }
    bytes_char(&b, ']');
    const char *text = arena_copy(t->d.c->arena, b.data, b.len);
    bytes_release(&b);
    return text;
}

/* --- deciding --- */

static bool check_body(struct transition *t, struct err *e)
{
    struct faults faults;
    t->body.supersede = true;
    if (!body_decode(t->d.c, STATUS_FIELDS, &t->body, e))
        return false;
    take_reason(t->d.c, t->body.reason);
    t->to = (enum model_status)status_parse(t->body.status);
    if (!t->body.force || t->d.c->reason)
        return true;
    faults_init(&faults, t->d.c->arena);
    fault_add(&faults, &ERR_INVALID, "/reason", "is required with force");
    return faults_fail(&faults, e);
}

/* Each status has the action it takes to move a model there. Stepping down needs the right that
 * stepping up took; retirement is for ever, so it needs the greater one. */
static bool may_go(const struct transition *t, struct err *e)
{
    static const enum grant_action ACTIONS[STATUS_COUNT] = {
        [STATUS_DEVELOPMENT] = ACTION_PROMOTE_CANARY, [STATUS_CANARY] = ACTION_PROMOTE_CANARY,
        [STATUS_STABLE] = ACTION_PROMOTE_STABLE,      [STATUS_DEPRECATED] = ACTION_PROMOTE_STABLE,
        [STATUS_RETIRED] = ACTION_PROMOTE_STABLE,
    };
    return command_may(t->d.c, t->model->name, ACTION_BIT(ACTIONS[t->to]), e) &&
           (!t->body.force || command_may(t->d.c, t->model->name, ACTION_BIT(ACTION_ADMIN), e));
}

static bool pass_gate(struct transition *t, struct err *e)
{
    bool promotion = t->to == STATUS_CANARY || t->to == STATUS_STABLE;
    struct gate_question q = question_of(t->d.h, t->model, t->to);
    q.wants = !t->body.force;
    t->gate = GATE_OPEN;
    t->gated = gate_applies(t->model->status, t->to);
    if (promotion && t->model->held)
        return held_refuses(t->model, e);
    if (!t->gated)
        return true;
    if (!gate_judge(&q, t->d.c->arena, &t->gate, e))
        return false;
    return t->gate.allowed || t->body.force ||
           gate_refuses(t->d.c->arena, t->model, t->body.status, &t->gate, e);
}

/* How each arrival is called in the journal. */
static const char *action_of(const struct transition *t)
{
    static const char *const actions[STATUS_COUNT] = {
        [STATUS_DEVELOPMENT] = "model.demoted", [STATUS_CANARY] = "model.promoted",
        [STATUS_STABLE] = "model.promoted",     [STATUS_DEPRECATED] = "model.deprecated",
        [STATUS_RETIRED] = "model.retired",
    };
    return t->gated && t->body.force ? "gate.forced" : actions[t->to];
}

static bool put_transition(struct transition *t, struct err *e)
{
    struct command *c = t->d.c;
    bool promotion = t->to == STATUS_CANARY || t->to == STATUS_STABLE;
    const char *evidence =
        t->gated ? gate_evidence(c->arena, t->model, t->body.status, &t->gate, t->body.force)
                 : NULL;
    if (!family_open(&t->family, &t->d, t->model->name, e))
        return false;
    t->at = t->to == STATUS_STABLE ? family_promotion_time(&t->family) : t->d.h->now_ms;
    if (!change_model(&t->d, t->model, promotion ? edit_promote : edit_status, t, action_of(t),
                      evidence, e))
        return false;
    const struct entity *after = t->d.out->list[0].after;
    return supersede(t, e) && family_close(&t->family, "registered_model.updated", NULL, NULL, e) &&
           answer_entity(c, 200, after, superseded_member(t), e);
}

static bool transition(struct transition *t, struct err *e)
{
    t->model = addressed_model(t->d.c, t->d.h, e);
    if (!t->model || !check_body(t, e) || !may_go(t, e))
        return false;
    if (t->to == t->model->status)
        return answer_entity(t->d.c, 200, &t->model->entity, "\"superseded\":[]", e);
    if (!status_may(t->model->status, t->to))
        return illegal(t, e);
    return pass_gate(t, e) && put_transition(t, e);
}

bool model_transition(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    struct transition t = {.d = {c, h, out}};
    return transition(&t, e) || refused(out);
}
