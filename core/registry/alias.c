#include "base/bytes.h"
#include "base/ids.h"
#include "base/json.h"
#include "registry/decide.h"
#include "registry/family.h"

#include <string.h>

static const char *const RESERVED[] = {"stable", "canary", "previous", "latest", NULL};

static bool listed(const char *const *list, const char *text)
{
    for (; list && *list; list++)
        if (strcmp(*list, text) == 0)
            return true;
    return false;
}

/* The name that is addressed, its If-Match, and an alias that one may set. */
static bool alias_open(struct family *f, struct command *c, struct head *h, struct changes *out,
                       struct err *e)
{
    const struct decision d = {c, h, out};
    struct faults faults;
    if (!addressed_name(c, h, e))
        return false;
    if (listed(RESERVED, c->id2))
        return fail(e, &ALIAS_RESERVED, "'%.64s' follows the lifecycle by itself", c->id2);
    if (!id_valid(c->id2)) {
        faults_init(&faults, c->arena);
        fault_add(&faults, &ERR_INVALID, "/alias",
                  "must be 1 to 128 of A-Z a-z 0-9 . _ : - and begin with a letter or digit");
        return faults_fail(&faults, e);
    }
    return family_open(f, &d, c->id, e);
}

static void edit_aliases(struct model_fields *f, const void *ctx)
{
    f->aliases = family_aliases_of(ctx, f->model_id);
}

static bool put_aliases_of(struct family *f, const char *model_id, struct err *e)
{
    const struct model *m = model_id ? view_model(f->d.h->view, f->d.c->ns, model_id) : NULL;
    return !m || change_model(&f->d, m, edit_aliases, f, "model.aliases_changed", NULL, e);
}

/* The model the body names: it must exist and be a version of the name. */
static const struct model *alias_target(struct command *c, struct head *h, struct err *e)
{
    struct alias_body body = {0};
    struct faults faults;
    if (!body_decode(c, ALIAS_FIELDS, &body, e))
        return NULL;
    faults_init(&faults, c->arena);
    if (body.alias && strcmp(body.alias, c->id2) != 0)
        fault_add(&faults, &ERR_READ_ONLY_FIELD, "/alias", "must be '%.128s', as in the path",
                  c->id2);
    const struct model *m = referenced_model(c, h, body.model_id, "/model_id", &faults);
    if (m && strcmp(m->name, c->id) != 0)
        fault_add(&faults, &BAD_REFERENCE, "/model_id", "is a version of '%.128s', not of '%.128s'",
                  m->name, c->id);
    if (faults.total) {
        faults_fail(&faults, e);
        return NULL;
    }
    return m;
}

/* An alias that configuration protects follows the gate of stable. */
static bool protected_allows(struct command *c, struct head *h, const struct model *m,
                             const char **evidence, struct err *e)
{
    struct gate_outcome g;
    struct gate_question q = question_of(h, m, STATUS_STABLE);
    q.wants = true;
    *evidence = NULL;
    if (!listed(h->rules->protected_aliases, c->id2))
        return true;
    if (!command_may(c, m->name, ACTION_BIT(ACTION_PROMOTE_STABLE), e))
        return false;
    if (m->held)
        return held_refuses(m, e);
    if (!gate_judge(&q, c->arena, &g, e))
        return false;
    *evidence = gate_evidence(c->arena, m, c->id2, &g, false);
    return g.allowed || gate_refuses(c->arena, m, c->id2, &g, e);
}

static bool answer_alias(struct command *c, const char *model_id, const struct entity *r)
{
    struct bytes b = BYTES_INIT(8192);
    bytes_char(&b, '{');
    json_kv_string(&b, "alias", c->id2);
    json_kv_string(&b, "model_id", model_id);
    bytes_char(&b, '}');
    const char *text = arena_copy(c->arena, b.data, b.len);
    bytes_release(&b);
    c->answer.revision = r->revision;
    return answer_text(c, 200, text);
}

static bool put(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    struct family f;
    bool found, only_new = c->if_none_match == -2, open;
    const char *evidence, *loser = NULL;
    const struct entity *now;
    const struct model *m = NULL;
    if (only_new) /* it speaks of the alias, not of the name */
        c->if_none_match = 0;
    open = alias_open(&f, c, h, out, e);
    if (only_new) /* it may be decided again */
        c->if_none_match = -2;
    if (!open || !(m = alias_target(c, h, e)))
        return false;
    size_t at = family_alias(&f, c->id2, &found);
    if (found && only_new)
        return fail(e, &REVISION_MISMATCH, "'%.128s' has an alias '%.128s' already", c->id, c->id2);
    if (found && strcmp(f.aliases[at].model_id, m->entity.id) == 0)
        return answer_alias(c, m->entity.id, &f.before->entity);
    if (!found && f.n_aliases >= ALIASES_MAX)
        return fail(e, &ERR_INVALID, "'%.128s' has %d aliases; there cannot be more", c->id,
                    ALIASES_MAX);
    if (!protected_allows(c, h, m, &evidence, e))
        return false;
    if (found)
        loser = f.aliases[at].model_id;
    family_alias_set(&f, c->id2, m->entity.id);
    return put_aliases_of(&f, m->entity.id, e) && put_aliases_of(&f, loser, e) &&
           family_close(&f, found ? "alias.moved" : "alias.set", evidence, &now, e) &&
           answer_alias(c, m->entity.id, now);
}

bool alias_put(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    return put(c, h, out, e) || refused(out);
}

static bool take_away(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    struct family f;
    bool found;
    if (!alias_open(&f, c, h, out, e))
        return false;
    size_t at = family_alias(&f, c->id2, &found);
    if (!found)
        return fail(e, &ALIAS_NOT_FOUND, "'%.128s' has no alias '%.128s'", c->id, c->id2);
    if (listed(h->rules->protected_aliases, c->id2) &&
        !command_may(c, c->id, ACTION_BIT(ACTION_PROMOTE_STABLE), e))
        return false;
    const char *loser = f.aliases[at].model_id;
    family_alias_remove(&f, at);
    return put_aliases_of(&f, loser, e) && family_close(&f, "alias.removed", NULL, NULL, e) &&
           answer_nothing(c);
}

bool alias_delete(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    return take_away(c, h, out, e) || refused(out);
}
