#include "registry/alert.h"

#include "base/hash.h"
#include "registry/decide.h"
#include "registry/errors.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *const ALERT_KINDS[] = {"regression",     "suite_crashed",   "night_missed",
                                   "health",         "shadow_silent",   "policy_failing",
                                   "plugin_failing", "webhook_failing", NULL};
static const char *const STATES[] = {"open", "acknowledged", "resolved", NULL};

#define REF(member) offsetof(struct alert, member)
#define SERVER_TEXT(name_, doc_)                                                      \
    {                                                                                 \
        .name = #name_, .type = FIELD_STRING, .flags = FIELD_SERVER | FIELD_NULLABLE, \
        .offset = REF(name_), .max = 65536, .doc = doc_                               \
    }
#define SERVER_TIME(name_, doc_)                                                    \
    {                                                                               \
        .name = #name_, .type = FIELD_TIME, .flags = FIELD_SERVER | FIELD_NULLABLE, \
        .offset = REF(name_), .doc = doc_                                           \
    }

const struct field ALERT_FIELDS[] = {
    DOCUMENT_NAMESPACE,
    DOCUMENT_ID("alert_id", identifier_fault, "Unique in the namespace."),
    {.name = "kind",
     .type = FIELD_ENUM,
     .flags = FIELD_SERVER,
     .offset = REF(kind),
     .choices = ALERT_KINDS,
     .doc = "What it is about."},
    {.name = "severity",
     .type = FIELD_ENUM,
     .flags = FIELD_SERVER,
     .offset = REF(severity),
     .choices = SEVERITY_NAMES,
     .doc = "The worst that was seen."},
    {.name = "state",
     .type = FIELD_ENUM,
     .flags = FIELD_SERVER,
     .offset = REF(state),
     .choices = STATES,
     .doc = "open until somebody acknowledges it, or its cause is gone."},
    SERVER_TEXT(dedupe_key, "While one of this key is not resolved, the same again only counts."),
    SERVER_TEXT(model_name, "The registered model it is about."),
    SERVER_TEXT(model_id, "The model it is about."),
    SERVER_TEXT(run_id, "The run that found it."),
    SERVER_TIME(first_at, "When it was first seen."),
    SERVER_TIME(last_at, "When it was last seen."),
    {.name = "count",
     .type = FIELD_INT,
     .flags = FIELD_SERVER,
     .offset = REF(count),
     .max = 9007199254740992.0,
     .doc = "How often it was seen."},
    SERVER_TEXT(summary, "One sentence that says what happened."),
    SERVER_TEXT(note, "What was said when it was acknowledged."),
    SERVER_TEXT(acknowledged_by, "Who acknowledged it."),
    SERVER_TIME(acknowledged_at, "When it was acknowledged."),
    SERVER_TIME(resolved_at, "When its cause was gone."),
    DOCUMENT_STAMPS,
    {0},
};

struct acknowledge_body {
    const char *note;
};

const struct field ACKNOWLEDGE_FIELDS[] = {
    {.name = "note",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = offsetof(struct acknowledge_body, note),
     .max = 4096,
     .doc = "What is being done about it."},
    {0},
};

static const char *owner(const void *fields)
{
    return ((const struct alert *)fields)->model_name;
}

const struct document_type ALERT_TYPE = {
    .kind = ENTITY_ALERT,
    .noun = "alert",
    .id_name = "alert_id",
    .path = "/api/models/enterprise/alerts/",
    .fields = ALERT_FIELDS,
    .size = sizeof(struct alert),
    .not_found = &ALERT_NOT_FOUND,
    .owner = owner,
};

static const struct alert *alert_of(const struct document *d)
{
    return d->fields;
}

/* --- by dedupe key --- */

/* The ids of a key's alerts begin alike, so that they lie side by side. */
static void id_prefix(const char *dedupe_key, char out[32])
{
    snprintf(out, 32, "al-%016" PRIx64 "-", hash64(dedupe_key, strlen(dedupe_key), 0));
}

struct search {
    const char *prefix, *dedupe_key;
    const struct document *unresolved, *resolved; /* the newest of each */
};

static bool look(const struct entity *e, void *ctx)
{
    struct search *s = ctx;
    const struct alert *a = alert_of(document_of(e));
    if (strncmp(e->id, s->prefix, strlen(s->prefix)) != 0)
        return false;
    if (strcmp(a->dedupe_key, s->dedupe_key) != 0)
        return true;
    if (strcmp(a->state, "resolved") != 0)
        s->unresolved = document_of(e);
    else
        s->resolved = document_of(e);
    return true;
}

const char *alert_key(struct arena *a, const char *kind, const char *id)
{
    return arena_printf(a, "%s:%s", kind, id);
}

static struct search find(const struct view *v, const char *ns, const char *dedupe_key)
{
    char prefix[32];
    id_prefix(dedupe_key, prefix);
    struct search s = {prefix, dedupe_key, NULL, NULL};
    view_each_from(v, ENTITY_ALERT, ns, prefix, look, &s);
    s.prefix = NULL; /* was only for looking */
    return s;
}

const struct alert *view_alert_open(const struct view *v, const char *ns, const char *dedupe_key)
{
    const struct search s = find(v, ns, dedupe_key);
    return s.unresolved ? alert_of(s.unresolved) : NULL;
}

/* --- commands --- */

static bool put(const struct decision *d, const struct document *before, struct alert *want,
                const char *action, struct err *e)
{
    struct document_write w = {
        .type = &ALERT_TYPE, .c = d->c, .h = d->h, .out = d->out, .before = before, .want = want};
    return document_put(&w, action, NULL, e) != NULL;
}

static enum severity severity_of(const struct alert *a)
{
    enum severity s = SEVERITY_NONE;
    return severity_parse(a->severity, &s) ? s : SEVERITY_HIGH;
}

static bool open_new(const struct decision *d, const struct alert_cause *cause,
                     const struct document *resolved, struct err *e)
{
    char prefix[32];
    const struct model *m =
        cause->model_id ? view_model(d->h->view, d->c->ns, cause->model_id) : NULL;
    id_prefix(cause->dedupe_key, prefix);
    struct alert want = {
        .kind = cause->kind,
        .severity = severity_name(cause->severity),
        .state = "open",
        .dedupe_key = cause->dedupe_key,
        .model_name = m ? m->name : NULL,
        .model_id = cause->model_id,
        .run_id = cause->run_id,
        .first_at = d->h->now_ms,
        .last_at = d->h->now_ms,
        .count = 1,
        .summary = cause->summary,
    };
    want.head.id = arena_printf(d->c->arena, "%s%" PRIu64, prefix, d->h->next_uid);
    if (resolved) /* the journal remembers it */
        changes_put(d->out, d->c->arena, "alert.removed", &resolved->entity, NULL, NULL);
    return put(d, NULL, &want, "alert.opened", e);
}

static bool count_again(const struct decision *d, const struct alert_cause *cause,
                        const struct document *there, struct err *e)
{
    struct alert want = *alert_of(there);
    bool worse = cause->severity > severity_of(&want);
    want.last_at = d->h->now_ms;
    want.count++;
    want.run_id = cause->run_id ? cause->run_id : want.run_id;
    want.summary = cause->summary;
    if (worse) {
        want.severity = severity_name(cause->severity);
        want.state = "open";
    }
    return put(d, there, &want, worse ? "alert.opened" : "alert.repeated", e);
}

bool alert_put(const struct decision *d, const struct alert_cause *cause, struct err *e)
{
    struct search s = find(d->h->view, d->c->ns, cause->dedupe_key);
    return s.unresolved ? count_again(d, cause, s.unresolved, e)
                        : open_new(d, cause, s.resolved, e);
}

bool alert_end(const struct decision *d, const char *dedupe_key, struct err *e)
{
    struct search s = find(d->h->view, d->c->ns, dedupe_key);
    if (!s.unresolved)
        return true;
    struct alert want = *alert_of(s.unresolved);
    want.state = "resolved";
    want.resolved_at = d->h->now_ms;
    return put(d, s.unresolved, &want, "alert.resolved", e);
}

bool alert_raise(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    const struct decision d = {c, h, out};
    return (alert_put(&d, c->args, e) && answer_nothing(c)) || refused(out);
}

bool alert_resolve(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    const struct decision d = {c, h, out};
    const struct alert_cause *cause = c->args;
    return (alert_end(&d, cause->dedupe_key, e) && answer_nothing(c)) || refused(out);
}

static bool acknowledge(const struct decision *d, const struct document *there,
                        const struct acknowledge_body *body, struct err *e)
{
    struct alert want = *alert_of(there);
    if (strcmp(want.state, "resolved") == 0)
        return fail(e, &ALERT_IS_RESOLVED, "'%.200s' is resolved already", there->entity.id);
    if (strcmp(want.state, "acknowledged") == 0 &&
        (!body->note || (want.note && strcmp(want.note, body->note) == 0)))
        return answer_entity(d->c, 200, &there->entity, NULL, e);
    want.state = "acknowledged";
    want.note = body->note;
    want.acknowledged_by = d->c->actor.id;
    want.acknowledged_at = d->h->now_ms;
    return put(d, there, &want, "alert.acknowledged", e) &&
           answer_entity(d->c, 200, d->out->list[d->out->n - 1].after, NULL, e);
}

bool alert_acknowledge(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    const struct decision d = {c, h, out};
    struct acknowledge_body body = {0};
    const struct document *there = addressed_document(&ALERT_TYPE, c, h, e);
    return (there && body_decode(c, ACKNOWLEDGE_FIELDS, &body, e) &&
            acknowledge(&d, there, &body, e)) ||
           refused(out);
}
