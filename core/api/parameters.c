#include "api/parameters.h"

#include "api/ofrep_ticket.h"
#include "registry/model.h"
#include "validation/result.h"

#include <stddef.h>
#include <string.h>

#define AT(member) offsetof(struct parameters, member)
#define TEXT(name_, member, max_, doc_)                                                   \
    {                                                                                     \
        .name = name_, .type = FIELD_STRING, .offset = AT(member), .min = 1, .max = max_, \
        .doc = doc_                                                                       \
    }
#define CHOICE(name_, member, choices_, doc_)                                                     \
    {                                                                                             \
        .name = name_, .type = FIELD_ENUM, .offset = AT(member), .choices = choices_, .doc = doc_ \
    }
#define TIME(name_, member, doc_)                                            \
    {                                                                        \
        .name = name_, .type = FIELD_TIME, .offset = AT(member), .doc = doc_ \
    }
#define END          \
    {                \
        .name = NULL \
    }

#define MIN_SEQ                                                                     \
    {                                                                               \
        .name = "min_seq", .type = FIELD_INT, .offset = AT(min_seq), .min = 0,      \
        .max = 9007199254740992.0,                                                  \
        .doc = "Wait up to 2 s until this node has the change of this Paddock-Seq." \
    }
#define PAGE                                       \
    {.name = "limit",                              \
     .type = FIELD_INT,                            \
     .offset = AT(limit),                          \
     .min = 1,                                     \
     .max = 1000,                                  \
     .doc = "Items of a page, 100 unless given."}, \
        TEXT("cursor", cursor, 4096, "The next_cursor of the page before.")
#define FROM_TO                                                      \
    TIME("from", from, "Only what happened at or after this time."), \
        TIME("to", to, "Only what happened before this time.")
#define AUDIT_FILTERS                                                                       \
    TEXT("actor", actor, 256, "Id of who did it."),                                         \
        TEXT("action", action, 128, "One of the actions that /types lists."),               \
        TEXT("to_status", to_status, 32, "Only changes of status that ended in this one."), \
        FROM_TO, CHOICE("sort", sort, AUDIT_SORTS, "Newest first unless given.")

static const char *const MODEL_SORTS[] = {
    "model_id",    "-model_id",  "name",        "-name",  "version", "-version", "created_at",
    "-created_at", "updated_at", "-updated_at", "status", "-status", NULL};
static const char *const NAME_SORTS[] = {"name", "-name", NULL};
static const char *const AUDIT_SORTS[] = {"seq", "-seq", NULL};
static const char *const ALIAS_SORTS[] = {"alias", "-alias", NULL};
static const char *const FROM_SORTS[] = {"from", "-from", NULL};
static const char *const CREATED_SORTS[] = {"created_at", "-created_at", NULL};
static const char *const VERSION_SORTS[] = {"version", "-version", NULL};
static const char *const QUEUED_SORTS[] = {"queued_at", "-queued_at", NULL};
static const char *const AT_SORTS[] = {"at", "-at", NULL};
static const char *const RUN_SORTS[] = {"run_id", "-run_id", NULL};
static const char *const POLICY_SORTS[] = {"kind", "-kind", "name", "-name", NULL};
static const char *const PLUGIN_SORTS[] = {"kind", "-kind", "id", "-id", NULL};
static const char *const NODE_SORTS[] = {"node_id", "-node_id", NULL};
static const char *const CODE_SORTS[] = {"code", "-code", NULL};
static const char *const ROUTE_SORTS[] = {"route",      "-route",      "created_at", "-created_at",
                                          "updated_at", "-updated_at", NULL};
static const char *const METHODS[] = {"rank", "promql", NULL};
static const char *const ON_INVALID[] = {"refuse", "skip", NULL};
static const char *const BOOLEANS[] = {"true", "false", NULL};
static const char *const GATED[] = {"development", "canary",  "stable",
                                    "deprecated",  "retired", NULL};

const struct field READ_PARAMETERS[] = {MIN_SEQ, END};

/* Lists without filters. */
#define SORT(choices_, usual_) \
    CHOICE("sort", sort, choices_, "Order; '-' reverses. " usual_ " unless given.")
#define PAGES(choices_, usual_)                    \
    {                                              \
        SORT(choices_, usual_), PAGE, MIN_SEQ, END \
    }

const struct field ALIASES_PARAMETERS[] = PAGES(ALIAS_SORTS, "alias");
const struct field FLAG_VERSIONS_PARAMETERS[] = PAGES(VERSION_SORTS, "-version");
const struct field POLICY_VERSIONS_PARAMETERS[] = PAGES(VERSION_SORTS, "version");
const struct field NIGHT_PARAMETERS[] = PAGES(RUN_SORTS, "run_id");
const struct field PLUGINS_PARAMETERS[] = PAGES(PLUGIN_SORTS, "kind");
const struct field NODES_PARAMETERS[] = PAGES(NODE_SORTS, "node_id");
const struct field ROUTES_PARAMETERS[] = PAGES(ROUTE_SORTS, "route");
const struct field PROBLEMS_PARAMETERS[] = {SORT(CODE_SORTS, "code"), PAGE, END};

const struct field MODELS_PARAMETERS[] = {
    {.name = "status",
     .type = FIELD_STRING,
     .flags = FIELD_REPEATED,
     .offset = AT(status),
     .min = 1,
     .max = 256,
     .doc = "One or more statuses: repeated, or a comma list."},
    TEXT("type", type, 128, "Only models of this type."),
    TEXT("sport", sport, 128, "Only models of this sport."),
    TEXT("deployment_target", deployment_target, 128, "Only models deployed there."),
    TEXT("name", name, 128, "Only versions of this name."),
    TEXT("alias", alias, 128, "Only models that this alias points at."),
    TEXT("source_digest", source_digest, 1024, "Only models made of this source."),
    TEXT("training_run_id", training_run_id, 1024, "Only models of this training run."),
    TIME("created_from", created_from, "Registered at or after this time."),
    TIME("created_to", created_to, "Registered before this time."),
    TEXT("q", q, 256, "Substring of id, name or description; case is ignored."),
    CHOICE("sort", sort, MODEL_SORTS, "Order; '-' reverses. model_id unless given."),
    PAGE,
    MIN_SEQ,
    END,
};

const struct field MODEL_PARAMETERS[] = {
    TEXT("include", include, 64, "Comma list of metrics, health, validation: embeds those."),
    MIN_SEQ,
    END,
};

const struct field GATE_PARAMETERS[] = {
    CHOICE("to", gate_to, GATED, "The status it would be promoted to; stable unless given."),
    MIN_SEQ,
    END,
};

const struct field REGISTERED_MODELS_PARAMETERS[] = {
    TEXT("q", q, 256, "Substring of name or description; case is ignored."),
    CHOICE("sort", sort, NAME_SORTS, "Order; '-' reverses."),
    PAGE,
    MIN_SEQ,
    END,
};

const struct field REGISTERED_MODEL_PARAMETERS[] = {
    TIME("at", at, "As it was at this time, with who was stable, canary and held then."),
    MIN_SEQ,
    END,
};

const struct field TIMELINE_PARAMETERS[] = {FROM_TO, SORT(FROM_SORTS, "from"), PAGE, MIN_SEQ, END};

const struct field INFERENCE_PARAMETERS[] = {
    CHOICE("on_invalid", on_invalid, ON_INVALID,
           "skip: take the good records and list the others; refuse (the default): one bad one "
           "refuses all."),
    END,
};

const struct field METRICS_PARAMETERS[] = {
    TEXT("window", window, 16, "Span that ends now, such as 90s, 15m, 1h, 7d; 1h unless given."),
    TIME("from", from, "Start instead of a window."),
    TIME("to", to, "End; now unless given."),
    TEXT("quantiles", quantiles, 512,
         "Comma list of up to 16 numbers from 0 to 1; 0.999 unless given."),
    TEXT("resolution", resolution, 16,
         "Width of a point of `series`, such as 1m; no series unless given."),
    CHOICE(
        "method", method, METHODS,
        "rank (the default): nearest rank; promql: what Prometheus' histogram_quantile() gives."),
    MIN_SEQ,
    END,
};

/* Lists of documents: filters have the names of fields. */
#define FILTER(name_, doc_) TEXT(name_, filter, 256, doc_)
#define DOCUMENTS_PAGE \
    TEXT("sort", sort, 64, "The id's field, created_at or updated_at; '-' reverses."), PAGE, MIN_SEQ

const struct field DATASETS_PARAMETERS[] = {
    FILTER("format", "Only datasets of this format."),
    DOCUMENTS_PAGE,
    END,
};

const struct field TEST_CASES_PARAMETERS[] = {
    FILTER("model_name", "Only test cases of this name."),
    FILTER("model_id", "Only test cases of this model alone."),
    FILTER("type", "Only test cases of this type."),
    CHOICE("enabled", filter, BOOLEANS, "Only those that are run, or are not."),
    DOCUMENTS_PAGE,
    END,
};

const struct field FLAGS_PARAMETERS[] = {
    FILTER("policy", "Only flags that this policy decides."),
    FILTER("owner", "Only flags of this owner."),
    CHOICE("enabled", filter, BOOLEANS, "Only those that are enabled, or are not."),
    CHOICE("killed", filter, BOOLEANS, "Only those that are killed, or are not."),
    FILTER("layer", "Only flags of this layer."),
    CHOICE("stale", stale, BOOLEANS,
           "true: only those that were not asked, or gave everybody the same, for 30 days."),
    DOCUMENTS_PAGE,
    END,
};

const struct field LAYERS_PARAMETERS[] = {DOCUMENTS_PAGE, END};

const struct field SEGMENTS_PARAMETERS[] = {DOCUMENTS_PAGE, END};

const struct field EXPERIMENTS_PARAMETERS[] = {
    FILTER("route", "Only those of this route."),
    FILTER("state", "Only those in this state."),
    DOCUMENTS_PAGE,
    END,
};

const struct field ROUTE_CHANGE_PARAMETERS[] = {
    CHOICE("dry_run", dry_run, BOOLEANS, "true: change nothing, say who would move."),
    END,
};

const struct field BULK_PARAMETERS[] = {
    TEXT("flagConfigEtag", flag_config_etag, 64,
         "The etag of the event that told the client to fetch again: the answer waits until this "
         "node has that change."),
    TEXT("flagConfigLastModified", filter, 64, "Taken and not looked at: the tag says more."),
    END,
};

#define LAST_EVENT_ID                                                                           \
    {                                                                                           \
        .name = "last_event_id", .type = FIELD_INT, .offset = AT(last_event_id), .min = 0,      \
        .max = 9007199254740992.0, .doc = "As the header Last-Event-ID: go on after this seq.", \
    }

const struct field REFETCH_PARAMETERS[] = {
    TEXT("ticket", ticket, OFREP_TICKET_SIZE,
         "As eventStreams of the bulk answer has it; required."),
    LAST_EVENT_ID,
    END,
};

static const char *const POLICY_KINDS[] = {"rollout", "severity", NULL};

const struct field POLICIES_PARAMETERS[] = {
    CHOICE("kind", policy_kind, POLICY_KINDS, "Only policies of this kind."),
    SORT(POLICY_SORTS, "kind"),
    PAGE,
    MIN_SEQ,
    END,
};

const struct field POLICY_PARAMETERS[] = {
    {.name = "version",
     .type = FIELD_INT,
     .offset = AT(policy_version),
     .min = 1,
     .max = 9007199254740992.0,
     .doc = "A stored version instead of what serves."},
    MIN_SEQ,
    END,
};

const struct field TOKENS_PARAMETERS[] = {
    FILTER("role", "Only tokens of this role."),
    FILTER("key", "Only the token with this key: whose a leaked secret is."),
    DOCUMENTS_PAGE,
    END,
};

const struct field ALERTS_PARAMETERS[] = {
    FILTER("severity", "Only alerts of these severities: a comma list."),
    FILTER("model_id", "Only alerts about this model."),
    FILTER("state", "Only alerts in these states: a comma list."),
    FILTER("kind", "Only alerts of these kinds: a comma list."),
    DOCUMENTS_PAGE,
    END,
};

static const char *const DELIVERY_CHOICES[] = {"pending", "delivered", "failed", "dropped", NULL};

const struct field DELIVERIES_PARAMETERS[] = {
    CHOICE("status", delivery_status, DELIVERY_CHOICES, "Only deliveries of this status."),
    SORT(CREATED_SORTS, "-created_at"),
    PAGE,
    MIN_SEQ,
    END,
};

const struct field DECISIONS_PARAMETERS[] = {
    TEXT("unit", unit, 1024, "Whose decisions; it must be given."),
    TEXT("route", route, 193, "Only those of this route."),
    FROM_TO,
    SORT(AT_SORTS, "-at"),
    PAGE,
    MIN_SEQ,
    END,
};

const struct field DOCUMENTS_PARAMETERS[] = {DOCUMENTS_PAGE, END};
const struct field RUN_PARAMETERS[] = {
    {.name = "wait_ms",
     .type = FIELD_INT,
     .offset = AT(wait_ms),
     .max = 60000,
     .doc = "Answer when the run has ended, or after this time."},
    MIN_SEQ,
    END,
};

const struct field RUNS_PARAMETERS[] = {
    CHOICE("status", status, RUN_STATUSES, "Only runs of this status."),
    CHOICE("trigger", trigger, RUN_TRIGGERS, "Only runs that this started."),
    FROM_TO,
    SORT(QUEUED_SORTS, "-queued_at"),
    PAGE,
    MIN_SEQ,
    END,
};

const struct field MEASUREMENTS_PARAMETERS[] = {
    TEXT("model_name", model_name, 128, "The name whose versions were measured; required."),
    TEXT("test_id", test_id, 128, "The test that measured; required."),
    TEXT("name", name, 128, "The measurement; required."),
    FROM_TO,
    SORT(AT_SORTS, "-at"),
    PAGE,
    MIN_SEQ,
    END,
};

const struct field REPORT_PARAMETERS[] = {
    TEXT("window", window, 16, "How far back trends and steps are looked for; 30d unless given."),
    MIN_SEQ,
    END,
};

const struct field MODEL_AUDIT_PARAMETERS[] = {AUDIT_FILTERS, PAGE, MIN_SEQ, END};

const struct field AUDIT_PARAMETERS[] = {
    TEXT("entity", entity, 64, "Kind of the object that changed: model, registered_model, ..."),
    TEXT("entity_id", entity_id, 256, "Its id."),
    AUDIT_FILTERS,
    PAGE,
    MIN_SEQ,
    END,
};

const struct field EVENTS_PARAMETERS[] = {
    TEXT("types", types, 1024, "Comma list of actions, each may end in '*'; all unless given."),
    LAST_EVENT_ID,
    END,
};

bool parameters_read(const struct request *rq, struct parameters *out, struct err *e)
{
    static const struct parameters ABSENT = {.limit = 100, .last_event_id = -1};
    *out = ABSENT;
    const char *first_name, *first_value;
    const struct field *table = request_route(rq)->query;
    if (!table || !request_query_at(rq, 0, &first_name, &first_value))
        return true;
    struct faults faults;
    struct arena *a = request_arena((struct request *)rq);
    faults_init(&faults, a);
    for (const struct field *f = table; f->name; f++) {
        const char *text = request_query(rq, f->name);
        if (text && !field_decode_text(f, text, out, a, &faults))
            continue; /* the fault is noted, look for more */
    }
    return faults.total == 0 || faults_fail(&faults, e);
}
