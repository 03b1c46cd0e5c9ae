#include "registry/health.h"

#include "base/bytes.h"
#include "base/json.h"
#include "registry/alert.h"
#include "registry/decide.h"
#include "registry/pack.h"
#include "registry/scan.h"

#include <stddef.h>
#include <string.h>

const char *const CIRCUITS[] = {"closed", "open", "half_open", NULL};
const char *const HEALTH_STATUSES[] = {"healthy", "degraded", "unhealthy", "unknown", NULL};

struct health_fields {
    const char *ns, *model_id, *status, *previous_status, *summary;
    const char *circuit; /* NULL: it never was open */
    int64_t changed_at, circuit_at, revision;
};

#define REF(member) offsetof(struct health_fields, member)

const struct field HEALTH_FIELDS[] = {
    {.name = "namespace", .type = FIELD_STRING, .flags = FIELD_SERVER, .offset = REF(ns)},
    {.name = "model_id", .type = FIELD_STRING, .flags = FIELD_SERVER, .offset = REF(model_id)},
    {.name = "status",
     .type = FIELD_ENUM,
     .flags = FIELD_SERVER,
     .offset = REF(status),
     .choices = HEALTH_STATUSES},
    {.name = "previous_status",
     .type = FIELD_ENUM,
     .flags = FIELD_SERVER | FIELD_NULLABLE,
     .offset = REF(previous_status),
     .choices = HEALTH_STATUSES},
    {.name = "summary",
     .type = FIELD_STRING,
     .flags = FIELD_SERVER | FIELD_NULLABLE,
     .offset = REF(summary)},
    {.name = "changed_at", .type = FIELD_TIME, .flags = FIELD_SERVER, .offset = REF(changed_at)},
    {.name = "circuit",
     .type = FIELD_ENUM,
     .flags = FIELD_SERVER | FIELD_NULLABLE,
     .offset = REF(circuit),
     .choices = CIRCUITS},
    {.name = "circuit_at",
     .type = FIELD_TIME,
     .flags = FIELD_SERVER | FIELD_NULLABLE,
     .offset = REF(circuit_at)},
    {.name = "revision",
     .type = FIELD_INT,
     .flags = FIELD_SERVER,
     .offset = REF(revision),
     .min = 1,
     .max = 9007199254740992.0},
    {0},
};

enum { MODEL_ID, STATUS, CHANGED_AT, CIRCUIT, REVISION, MEMBERS };
static const char *const NAMES[MEMBERS] = {"model_id", "status", "changed_at", "circuit",
                                           "revision"};

/* Texts from before circuits were told have none. */
static enum circuit circuit_of(struct slice text)
{
    for (int i = CIRCUIT_CLOSED; CIRCUITS[i]; i++)
        if (slice_is_string(text) && text.len == strlen(CIRCUITS[i]) + 2 &&
            memcmp(text.at + 1, CIRCUITS[i], text.len - 2) == 0)
            return (enum circuit)i;
    return CIRCUIT_CLOSED;
}

struct entity *health_parse(const char *ns, const char *id, uint64_t uid, const char *json,
                            size_t len, struct intern *names, struct err *e)
{
    struct slice s[MEMBERS];
    bool ok = scan_pick((struct slice){json, len}, NAMES, MEMBERS, s) &&
              slice_is_string(s[MODEL_ID]) && slice_is_string(s[STATUS]);
    if (!ok) {
        fail(e, &ERR_CORRUPT, "the stored health of '%.200s' is damaged", id);
        return NULL;
    }
    struct pack p = {0};
    pack_want(&p, s[MODEL_ID]);
    pack_want_raw(&p, len);
    struct health *h = pack_open(&p, sizeof *h);
    h->entity = (struct entity){.kind = ENTITY_HEALTH, .ns = intern(names, ns), .uid = uid};
    h->entity.id = pack_text(&p, s[MODEL_ID]);
    h->entity.json = pack_raw(&p, json, len);
    h->entity.json_len = len;
    h->status = slice_intern(s[STATUS], names);
    h->circuit = circuit_of(s[CIRCUIT]);
    if (!slice_int(s[REVISION], &h->entity.revision) ||
        !slice_time(s[CHANGED_AT], &h->changed_at) || strcmp(h->entity.id, id) != 0) {
        fail(e, &ERR_CORRUPT, "the stored health of '%.200s' contradicts itself", id);
        entity_free(h);
        return NULL;
    }
    return &h->entity;
}

static struct entity *write_health(const struct health_fields *f, uint64_t uid,
                                   struct intern *names, struct err *e)
{
    struct bytes b = BYTES_INIT(65536);
    fields_encode_object(HEALTH_FIELDS, f, false, &b);
    struct entity *made = NULL;
    if (b.full)
        fail(e, &ERR_INVALID, "the summary of a health is too long");
    else
        made = health_parse(f->ns, f->model_id, uid, b.data, b.len, names, e);
    bytes_release(&b);
    return made;
}

static bool status_known(const char *status)
{
    for (const char *const *s = HEALTH_STATUSES; *s; s++)
        if (status && strcmp(*s, status) == 0)
            return true;
    return false;
}

/* A model in service that is unhealthy is an alert until it is healthy again. */
static bool tell(const struct decision *d, const struct model *m,
                 const struct health_change *change, struct err *e)
{
    const char *key = alert_key(d->c->arena, "health", m->entity.id);
    bool stable = m->status == STATUS_STABLE;
    if (strcmp(change->status, "unhealthy") != 0)
        return strcmp(change->status, "healthy") != 0 || alert_end(d, key, e);
    if (!stable && m->status != STATUS_CANARY)
        return true;
    const char *why = change->summary ? change->summary : "no check says why";
    const struct alert_cause cause = {
        .kind = "health",
        .severity = stable ? SEVERITY_HIGH : SEVERITY_MEDIUM,
        .dedupe_key = key,
        .model_id = m->entity.id,
        .summary = arena_printf(d->c->arena, "'%s' (%s) is unhealthy: %s", m->entity.id,
                                stable ? "stable" : "canary", why),
    };
    return alert_put(d, &cause, e);
}

/* What is told of the model's health now, as the next revision; `before` may be of another
 * incarnation. */
static bool begin_fields(const struct command *c, const struct model *m,
                         const struct entity *before, struct health_fields *f, struct err *e)
{
    const bool known = before && before->uid == m->entity.uid;
    if (!known)
        f->status = "unknown";
    else if (!fields_read_stored(HEALTH_FIELDS, before->json, before->json_len, "health", f,
                                 c->arena, e))
        return false;
    f->ns = m->entity.ns;
    f->model_id = m->entity.id;
    f->revision = before ? before->revision + 1 : 1;
    return true;
}

bool circuit_changed(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    static const char *const ACTIONS[] = {"circuit.closed", "circuit.opened", "circuit.probed"};
    const struct circuit_change *change = c->args;
    const struct model *m = view_model(h->view, c->ns, change->model_id);
    if (!m || m->entity.uid != change->uid)
        return answer_nothing(c); /* the model is gone */
    const struct entity *before = view_get(h->view, ENTITY_HEALTH, c->ns, change->model_id);
    struct health_fields f = {.changed_at = h->now_ms};
    if (before && before->uid == m->entity.uid &&
        (int)health_of(before)->circuit == change->circuit)
        return answer_nothing(c);
    if (!begin_fields(c, m, before, &f, e))
        return false;
    f.circuit = CIRCUITS[change->circuit];
    f.circuit_at = h->now_ms;
    struct entity *after = write_health(&f, m->entity.uid, h->names, e);
    if (!after)
        return false;
    changes_put(out, c->arena, ACTIONS[change->circuit], before, after,
                arena_printf(c->arena, "{\"records\":%llu,\"failed\":%llu}",
                             (unsigned long long)change->records,
                             (unsigned long long)change->failed));
    return answer_nothing(c);
}

bool health_changed(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    const struct health_change *change = c->args;
    const struct model *m = view_model(h->view, c->ns, change->model_id);
    if (!status_known(change->status))
        return fail(e, &ERR_INVALID, "'%.32s' is no health", change->status ? change->status : "");
    if (!m || m->entity.uid != change->uid)
        return answer_nothing(c); /* the model that was judged is gone */
    const struct entity *before = view_get(h->view, ENTITY_HEALTH, c->ns, change->model_id);
    if (before && before->uid == m->entity.uid &&
        strcmp(health_of(before)->status, change->status) == 0)
        return answer_nothing(c);
    struct health_fields f = {.changed_at = 0};
    if (!begin_fields(c, m, before, &f, e))
        return false;
    f.previous_status = before ? f.status : NULL;
    f.status = change->status;
    f.summary = change->summary;
    f.changed_at = h->now_ms;
    struct entity *after = write_health(&f, m->entity.uid, h->names, e);
    if (!after)
        return false;
    changes_put(out, c->arena, "health.changed", before, after, NULL);
    const struct decision d = {c, h, out};
    return (tell(&d, m, change, e) && answer_nothing(c)) || refused(out);
}
