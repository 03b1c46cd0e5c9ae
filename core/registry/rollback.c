#include "base/bytes.h"
#include "base/json.h"
#include "registry/decide.h"
#include "registry/experiment_ends.h"
#include "registry/family.h"
#include "registry/route.h"

#include <stdio.h>
#include <string.h>

struct rollback {
    struct decision d;
    struct rollback_body body;
    struct family family;
    const struct model *winner, *loser; /* no loser: nothing is stable now */
    int64_t at;
    const char *stopped; /* experiments, JSON array */
};

/* Why a model cannot be rolled back to; NULL if it can. */
static const char *unfit(const struct model *m)
{
    if (m->status == STATUS_STABLE)
        return "it is stable now";
    if (!m->promoted_at)
        return "it has never been stable";
    if (m->status != STATUS_DEPRECATED)
        return "it is not deprecated";
    return m->held ? "it is held" : NULL;
}

static bool given_target(struct rollback *r, struct err *e)
{
    struct faults faults;
    struct command *c = r->d.c;
    faults_init(&faults, c->arena);
    r->winner = referenced_model(c, r->d.h, r->body.to, "/to", &faults);
    if (r->winner && strcmp(r->winner->name, c->id) != 0)
        fault_add(&faults, &BAD_REFERENCE, "/to", "is a version of '%.128s', not of '%.128s'",
                  r->winner->name, c->id);
    if (!r->winner || faults.total)
        return faults_fail(&faults, e);
    const char *why = unfit(r->winner);
    if (!why)
        return true;
    fail(e, &NOTHING_TO_ROLL_BACK_TO, "'%.200s' cannot be rolled back to: %s", r->winner->entity.id,
         why);
    if (e)
        e->members =
            arena_printf(c->arena, "\"model_status\":\"%s\",\"held\":%s",
                         status_name(r->winner->status), r->winner->held ? "true" : "false");
    return false;
}

/* What the name's former stables are now, for the refusal. */
struct formers {
    size_t deprecated_held, retired;
};

static bool count_former(const struct model *m, void *ctx)
{
    struct formers *f = ctx;
    if (m->promoted_at && m->status == STATUS_DEPRECATED && m->held)
        f->deprecated_held++;
    if (m->promoted_at && m->status == STATUS_RETIRED)
        f->retired++;
    return true;
}

static bool previous_target(struct rollback *r, struct err *e)
{
    struct formers f = {0};
    const char *id = r->family.before->previous_stable_model_id;
    r->winner = id ? view_model(r->d.h->view, r->d.c->ns, id) : NULL;
    if (r->winner)
        return true;
    view_versions(r->d.h->view, r->d.c->ns, r->d.c->id, count_former, &f);
    return fail(
        e, &NOTHING_TO_ROLL_BACK_TO,
        "'%.128s' has no former stable that is deprecated and not held (%zu held, %zu retired)",
        r->d.c->id, f.deprecated_held, f.retired);
}

/* --- the answer --- */

struct warnings {
    struct bytes json;
    const struct rollback *r;
};

static void warn(struct bytes *b, const char *what, const char *id, const char *rest)
{
    char text[1200];
    snprintf(text, sizeof text, "%s '%.780s' %s", what, id, rest);
    if (b->len > 1)
        bytes_char(b, ',');
    json_put_string(b, text);
}

static bool warn_other_stable(const struct model *m, void *ctx)
{
    struct warnings *w = ctx;
    if (m->status == STATUS_STABLE && m != w->r->loser)
        warn(&w->json, "another version,", m->entity.id, "stays stable beside it");
    return !w->json.full;
}

/* Where an arm names the loser by its id its share goes to the route's fallbacks. */
static bool warn_route(const struct entity *e, void *ctx)
{
    struct warnings *w = ctx;
    const struct route_plan *p = route_plan_of(document_of(e));
    bool names = false;
    for (size_t i = 0; i < p->arm_count; i++)
        names = names || strcmp(p->arms[i].reference, w->r->loser->entity.id) == 0;
    if (names && command_sees(w->r->d.c, e->id))
        warn(&w->json, "the route", e->id,
             "has an arm that names the version that is taken out: its fallbacks serve that share");
    return !w->json.full;
}

static const char *warnings_json(const struct rollback *r)
{
    struct warnings w = {BYTES_INIT(1 << 20), r};
    bytes_char(&w.json, '[');
    view_versions(r->d.h->view, r->d.c->ns, r->d.c->id, warn_other_stable, &w);
    for (size_t i = 0; r->loser && i < r->family.n_aliases; i++)
        if (strcmp(r->family.aliases[i].model_id, r->loser->entity.id) == 0)
            warn(&w.json, "the alias", r->family.aliases[i].alias,
                 "still points at the version that is taken out of service");
    if (r->loser)
        view_each_of(r->d.h->view, ENTITY_ROUTE, r->d.c->ns, warn_route, &w);
    bytes_char(&w.json, ']');
    const char *text = arena_text(r->d.c->arena, w.json.full ? "[]" : w.json.data);
    bytes_release(&w.json);
    return text;
}

static bool answer_rollback(struct rollback *r)
{
    struct bytes b = BYTES_INIT(2 << 20);
    const char *warnings = warnings_json(r);
    bytes_char(&b, '{');
    json_kv_string(&b, "from", r->loser ? r->loser->entity.id : NULL);
    json_kv_string(&b, "to", r->winner->entity.id);
    json_kv_raw(&b, "experiments_stopped", r->stopped);
    json_kv_raw(&b, "warnings", warnings);
    bytes_char(&b, '}');
    const char *text = arena_copy(r->d.c->arena, b.data, b.len);
    bytes_release(&b);
    return answer_text(r->d.c, 200, text);
}

/* --- the changes --- */

static void edit_winner(struct model_fields *f, const void *ctx)
{
    const struct rollback *r = ctx;
    promote_fields(r->d.c, f, STATUS_STABLE, r->at, "none", false);
}

static void edit_loser(struct model_fields *f, const void *ctx)
{
    const struct rollback *r = ctx;
    const char *reason = r->d.c->reason ? r->d.c->reason : "rolled back";
    f->status = status_name(STATUS_DEPRECATED);
    f->status_changed_at = r->at;
    f->hold = hold_json(r->d.c, reason, r->d.h->now_ms);
}

static const char *rollback_evidence(const struct rollback *r)
{
    struct bytes b = BYTES_INIT(8192);
    bytes_text(&b, "{\"rollback\":{");
    json_kv_string(&b, "from", r->loser ? r->loser->entity.id : NULL);
    json_kv_string(&b, "to", r->winner->entity.id);
    bytes_text(&b, "}}");
    const char *text = arena_copy(r->d.c->arena, b.data, b.len);
    bytes_release(&b);
    return text;
}

static const char *stop_sentence(const struct rollback *r)
{
    return arena_printf(r->d.c->arena, "Stopped: '%.128s' was rolled back to '%.200s'.", r->d.c->id,
                        r->winner->entity.id);
}

static bool roll_back(struct rollback *r, struct err *e)
{
    struct command *c = r->d.c;
    if (!addressed_name(c, r->d.h, e) || !body_decode(c, ROLLBACK_FIELDS, &r->body, e) ||
        !family_open(&r->family, &r->d, c->id, e))
        return false;
    take_reason(c, r->body.reason);
    if (!(r->body.to ? given_target(r, e) : previous_target(r, e)))
        return false;
    const char *stable = r->family.before->stable_model_id;
    r->loser = stable ? view_model(r->d.h->view, c->ns, stable) : NULL;
    const char *evidence = rollback_evidence(r);
    if (r->body.dry_run)
        return answer_rollback(r);
    r->at = family_promotion_time(&r->family);
    if (!change_model(&r->d, r->winner, edit_winner, r, "model.rolled_back", evidence, e) ||
        (r->loser &&
         !change_model(&r->d, r->loser, edit_loser, r, "model.rolled_back_from", evidence, e)))
        return false;
    return family_close(&r->family, "registered_model.updated", NULL, NULL, e) &&
           experiments_stop_of(&r->d, c->id, stop_sentence(r), &r->stopped, e) &&
           answer_rollback(r);
}

bool name_rollback(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    struct rollback r = {.d = {c, h, out}, .stopped = "[]"};
    return roll_back(&r, e) || refused(out);
}
