#include "registry/nightly_batch.h"

#include "base/clock.h"
#include "registry/alert.h"
#include "registry/decide.h"
#include "registry/errors.h"

#include <inttypes.h>
#include <string.h>

#define FORGOTTEN_MAX 16 /* old nights that go when one begins */
#define DAY_MS        INT64_C(86400000)

static const char *const STATES[] = {"running", "done", NULL};
static const char *const CAUSES[] = {"schedule", "manual", NULL};

#define REF(member)   offsetof(struct nightly_batch, member)
#define COUNT(member) offsetof(struct nightly_counts, member)
#define COUNTED(name_, doc_)                                                              \
    {                                                                                     \
        .name = #name_, .type = FIELD_INT, .flags = FIELD_SERVER, .offset = COUNT(name_), \
        .max = 1e9, .doc = doc_                                                           \
    }

static const struct field COUNT_FIELDS[] = {
    COUNTED(total, "Models that are tested."),
    COUNTED(passed, "Runs that passed."),
    COUNTED(failed, "Runs that failed."),
    COUNTED(error, "Runs that could not be carried out."),
    COUNTED(cancelled, "Runs that were called off, by hand or by the night's end."),
    {0},
};

const struct field NIGHTLY_BATCH_FIELDS[] = {
    DOCUMENT_NAMESPACE,
    DOCUMENT_ID("batch_id", identifier_fault, "The night."),
    {.name = "state",
     .type = FIELD_ENUM,
     .flags = FIELD_SERVER,
     .offset = REF(state),
     .choices = STATES,
     .doc = "Is it under way?"},
    {.name = "cause",
     .type = FIELD_ENUM,
     .flags = FIELD_SERVER,
     .offset = REF(cause),
     .choices = CAUSES,
     .doc = "schedule, or by hand."},
    {.name = "hour_utc",
     .type = FIELD_INT,
     .flags = FIELD_SERVER | FIELD_NULLABLE,
     .offset = REF(hour_utc),
     .max = 23,
     .doc = "The hour of the names that it is for; null: all."},
    {.name = "scheduled_for",
     .type = FIELD_TIME,
     .flags = FIELD_SERVER | FIELD_NULLABLE,
     .offset = REF(scheduled_for),
     .doc = "When it was due; null by hand."},
    {.name = "started_at",
     .type = FIELD_TIME,
     .flags = FIELD_SERVER,
     .offset = REF(started_at),
     .doc = "When it began."},
    {.name = "finished_at",
     .type = FIELD_TIME,
     .flags = FIELD_SERVER | FIELD_NULLABLE,
     .offset = REF(finished_at),
     .doc = "When its last run ended; null: it is under way."},
    {.name = "runs",
     .type = FIELD_NESTED,
     .flags = FIELD_SERVER,
     .offset = REF(runs),
     .sub = COUNT_FIELDS,
     .doc = "Its runs, counted when it is done."},
    DOCUMENT_STAMPS,
    {0},
};

static void init(void *fields, const struct rules *rules)
{
    struct nightly_batch *b = fields;
    (void)rules;
    b->hour_utc = INT64_MIN;
}

const struct document_type NIGHTLY_BATCH_TYPE = {
    .kind = ENTITY_NIGHTLY,
    .noun = "night",
    .id_name = "batch_id",
    .path = "/api/models/enterprise/validation/nightly/",
    .fields = NIGHTLY_BATCH_FIELDS,
    .size = sizeof(struct nightly_batch),
    .not_found = &NIGHT_NOT_FOUND,
    .exists = &NIGHTLY_RUNNING,
    .created = "nightly.started",
    .updated = "nightly.finished",
    .deleted = "nightly.forgotten",
    .init = init,
};

/* --- reading --- */

struct search {
    bool running;
    const struct document *found;
    int64_t hour_utc, scheduled_for;
};

static bool is_running(const struct nightly_batch *b)
{
    return strcmp(b->state, "running") == 0;
}

static bool newest(const struct entity *e, void *ctx)
{
    struct search *s = ctx;
    const struct nightly_batch *b = nightly_batch_of(document_of(e));
    if (is_running(b) == s->running &&
        (!s->found || b->started_at >= nightly_batch_of(s->found)->started_at))
        s->found = document_of(e);
    return true;
}

static const struct document *search(const struct view *v, const char *ns, bool running)
{
    struct search s = {.running = running};
    view_each_of(v, ENTITY_NIGHTLY, ns, newest, &s);
    return s.found;
}

const struct document *view_nightly_running(const struct view *v, const char *ns)
{
    return search(v, ns, true);
}

const struct document *view_nightly_last(const struct view *v, const char *ns)
{
    return search(v, ns, false);
}

static bool same_due(const struct entity *e, void *ctx)
{
    struct search *s = ctx;
    const struct nightly_batch *b = nightly_batch_of(document_of(e));
    if (b->hour_utc == s->hour_utc && b->scheduled_for == s->scheduled_for)
        s->found = document_of(e);
    return !s->found;
}

bool view_nightly_held(const struct view *v, const char *ns, int64_t hour_utc,
                       int64_t scheduled_for)
{
    struct search s = {.hour_utc = hour_utc, .scheduled_for = scheduled_for};
    view_each_of(v, ENTITY_NIGHTLY, ns, same_due, &s);
    return s.found != NULL;
}

/* --- beginning and ending --- */

struct forgetting {
    struct command *c;
    struct changes *out;
    int64_t before;
    size_t n;
};

static bool forget_old(const struct entity *e, void *ctx)
{
    struct forgetting *f = ctx;
    const struct nightly_batch *b = nightly_batch_of(document_of(e));
    if (is_running(b) || b->started_at >= f->before)
        return true;
    changes_put(f->out, f->c->arena, "nightly.forgotten", e, NULL, NULL);
    return ++f->n < FORGOTTEN_MAX;
}

struct before {
    int64_t hour_utc, scheduled_for; /* of the newest of this hour, and when it was due */
};

static bool note_before(const struct entity *e, void *ctx)
{
    struct before *last = ctx;
    const struct nightly_batch *b = nightly_batch_of(document_of(e));
    if (b->hour_utc == last->hour_utc && b->scheduled_for > last->scheduled_for)
        last->scheduled_for = b->scheduled_for;
    return true;
}

/* Nights before `now` that nothing made up for. */
static int64_t nights_lost(const struct view *v, const char *ns, const struct nightly_batch *now)
{
    struct before last = {now->hour_utc, 0};
    view_each_of(v, ENTITY_NIGHTLY, ns, note_before, &last);
    int64_t nights = last.scheduled_for ? (now->scheduled_for - last.scheduled_for) / DAY_MS : 1;
    return nights > 1 ? nights - 1 : 0;
}

/* A night that begins late is an alert until one begins in time. */
static bool tell_missed(const struct decision *d, const struct nightly_batch *b, struct err *e)
{
    struct arena *a = d->c->arena;
    if (!b->scheduled_for)
        return true;
    const char *key = arena_printf(a, "night_missed:%" PRId64, b->hour_utc);
    int64_t late = b->started_at - b->scheduled_for;
    int64_t lost = nights_lost(d->h->view, d->c->ns, b);
    if (late <= NIGHTLY_LATE_MS)
        return alert_end(d, key, e);
    char due[TIME_TEXT_SIZE];
    time_format(b->scheduled_for, due);
    const struct alert_cause cause = {
        .kind = "night_missed",
        .severity = SEVERITY_MEDIUM,
        .dedupe_key = key,
        .summary =
            arena_printf(a, "the night due at %s began %" PRId64 " min late%s", due, late / 60000,
                         lost ? arena_printf(a,
                                             ", and %" PRId64 " before it did not take "
                                             "place",
                                             lost)
                              : ""),
    };
    return alert_put(d, &cause, e);
}

static bool begin(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    struct nightly_batch want = *(const struct nightly_batch *)c->args;
    const struct document *running = view_nightly_running(h->view, c->ns);
    struct document_write w = {
        .type = &NIGHTLY_BATCH_TYPE, .c = c, .h = h, .out = out, .want = &want};
    if (running) {
        fail(e, &NIGHTLY_RUNNING, "the night '%.128s' is under way in namespace '%.128s'",
             running->entity.id, c->ns);
        if (e)
            e->members = arena_printf(c->arena, "\"batch_id\":\"%s\"", running->entity.id);
        return false;
    }
    want.state = STATES[0];
    const struct entity *now = document_put(&w, "nightly.started", NULL, e);
    struct forgetting old = {c, out, h->now_ms - NIGHTLY_KEPT_MS, 0};
    view_each_of(h->view, ENTITY_NIGHTLY, c->ns, forget_old, &old);
    return now && tell_missed(&(struct decision){c, h, out}, &want, e) &&
           answer_entity(c, 202, now, NULL, e);
}

bool nightly_begin(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    return begin(c, h, out, e) || refused(out);
}

bool nightly_end(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    const struct nightly_batch *end = c->args;
    const struct document *before =
        view_document(h->view, &NIGHTLY_BATCH_TYPE, c->ns, end->head.id);
    if (!before || !is_running(nightly_batch_of(before)))
        return answer_nothing(c);
    struct nightly_batch want = *nightly_batch_of(before);
    want.state = STATES[1];
    want.runs = end->runs;
    want.finished_at = end->finished_at;
    struct document_write w = {
        .type = &NIGHTLY_BATCH_TYPE, .c = c, .h = h, .out = out, .before = before, .want = &want};
    return (document_put(&w, "nightly.finished", NULL, e) && answer_nothing(c)) || refused(out);
}
