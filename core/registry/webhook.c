#include "registry/webhook.h"

#include "base/base64.h"
#include "base/json.h"
#include "registry/alert.h"
#include "registry/decide.h"
#include "registry/errors.h"
#include "registry/model_fields.h"
#include "registry/scan.h"

#include <string.h>

bool webhook_key(const char *secret, unsigned char out[WEBHOOK_KEY_MAX], size_t *len)
{
    static const char PREFIX[] = "whsec_";
    return strncmp(secret, PREFIX, sizeof PREFIX - 1) == 0 &&
           base64_decode(secret + sizeof PREFIX - 1, out, WEBHOOK_KEY_MAX, len) &&
           *len >= WEBHOOK_KEY_MIN;
}

static const char *secret_fault(const char *text)
{
    unsigned char key[WEBHOOK_KEY_MAX];
    size_t len;
    return webhook_key(text, key, &len) ? NULL
                                        : "must be whsec_ and the base64 of 24 to 64 random bytes "
                                          "(echo whsec_$(openssl rand -base64 32))";
}

static const char *url_fault(const char *text)
{
    const char *host = strncmp(text, "https://", 8) == 0  ? text + 8
                       : strncmp(text, "http://", 7) == 0 ? text + 7
                                                          : NULL;
    if (!host || !*host || strchr("/:?#", *host))
        return "must be an http or https address";
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
            return "must be printable ASCII without spaces";
    return strcspn(host, "@") < strcspn(host, "/?#") ? "must not carry a user or password" : NULL;
}

/* An action, or the beginning of some and a star. */
static const char *event_fault(const char *text)
{
    size_t len = strcspn(text, "*");
    if (text[len] == '*' && text[len + 1])
        return "may have a * only at its end";
    for (const char *const *a = JOURNAL_ACTIONS; *a; a++)
        if (text[len] == '*' ? strncmp(*a, text, len) == 0 : strcmp(*a, text) == 0)
            return NULL;
    return "is no action that /types lists, nor the beginning of one and a *";
}

#define REF(member) offsetof(struct webhook, member)

const struct field WEBHOOK_FIELDS[] = {
    DOCUMENT_NAMESPACE,
    DOCUMENT_ID("webhook_id", identifier_fault, "Unique in the namespace; made if left out."),
    {.name = "url",
     .type = FIELD_STRING,
     .flags = FIELD_REQUIRED,
     .offset = REF(url),
     .max = 2048,
     .check = url_fault,
     .doc = "Where events are posted to."},
    {.name = "events",
     .type = FIELD_STRINGS,
     .flags = FIELD_REQUIRED,
     .offset = REF(events),
     .min = 1,
     .max = 64,
     .check = event_fault,
     .doc = "Actions of the journal; a * at the end stands for all that begin so."},
    {.name = "model_names",
     .type = FIELD_STRINGS,
     .offset = REF(model_names),
     .max = 256,
     .check = model_name_fault,
     .doc = "Only events of these registered models; empty: of all."},
    {.name = "secret",
     .type = FIELD_STRING,
     .flags = FIELD_SECRET,
     .offset = REF(secret),
     .max = 256,
     .check = secret_fault,
     .doc = "whsec_ and base64: signs each delivery (Standard Webhooks). Never shown again."},
    {.name = "enabled",
     .type = FIELD_BOOL,
     .offset = REF(enabled),
     .doc = "While false nothing is sent; what happens meanwhile is not sent later."},
    {.name = "description",
     .type = FIELD_STRING,
     .offset = REF(description),
     .max = 65536,
     .check = text64k_fault,
     .doc = "For people."},
    DOCUMENT_STAMPS,
    {0},
};

static void init(void *fields, const struct rules *rules)
{
    struct webhook *w = fields;
    (void)rules;
    w->model_names = "[]";
    w->description = "";
    w->enabled = true;
}

/* Whoever has events sent to him must be allowed to read what they are about. */
static bool may_read(const struct document_write *w, struct err *e)
{
    const struct webhook *want = w->want;
    json_t *names = json_read(want->model_names, strlen(want->model_names), NULL), *name;
    bool ok = json_array_size(names) > 0 || command_may(w->c, NULL, ACTION_BIT(ACTION_READ), e);
    size_t i;
    json_array_foreach(names, i, name)
        ok = ok && command_may(w->c, json_string_value(name), ACTION_BIT(ACTION_READ), e);
    json_decref(names);
    return ok;
}

/* A body may leave the secret out, but only where there is one already. */
static bool check(struct document_write *w, struct err *e)
{
    const struct webhook *want = w->want;
    if (!may_read(w, e))
        return false;
    if (!want->secret)
        fault_add(&w->faults, &ERR_INVALID, "/secret", "is required");
    return true;
}

static bool removed(struct document_write *w, struct err *e)
{
    const struct decision d = {w->c, w->h, w->out};
    return alert_end(&d, alert_key(w->c->arena, "webhook_failing", w->before->entity.id), e);
}

const struct document_type WEBHOOK_TYPE = {
    .kind = ENTITY_WEBHOOK,
    .noun = "webhook",
    .id_name = "webhook_id",
    .id_prefix = "wh-",
    .path = "/api/models/enterprise/webhooks/",
    .fields = WEBHOOK_FIELDS,
    .size = sizeof(struct webhook),
    .not_found = &WEBHOOK_NOT_FOUND,
    .exists = &WEBHOOK_EXISTS,
    .created = "webhook.created",
    .updated = "webhook.updated",
    .deleted = "webhook.deleted",
    .init = init,
    .check = check,
    .remove = removed,
};

/* --- what it wants --- */

static bool pattern_fits(struct slice literal, const char *action)
{
    size_t len = literal.len - 2; /* actions have nothing to escape */
    const char *at = literal.at + 1;
    bool star = len && at[len - 1] == '*';
    return star ? strncmp(at, action, len - 1) == 0
                : strlen(action) == len && memcmp(at, action, len) == 0;
}

static bool is_name(struct slice literal, const char *name)
{
    char text[4 * MODEL_NAME_CHARS + 8];
    if (literal.len > sizeof text)
        return false;
    slice_unescape(literal, text);
    return strcmp(text, name) == 0;
}

bool webhook_wants(const struct webhook *w, const char *action, const char *name)
{
    struct slice item, events = {w->events, strlen(w->events)};
    struct slice names = {w->model_names, strlen(w->model_names)};
    struct scan s = scan_open(events, '[');
    bool wanted = false;
    while (!wanted && scan_item(&s, &item))
        wanted = slice_is_string(item) && pattern_fits(item, action);
    if (!wanted || names.len <= 2)
        return wanted;
    s = scan_open(names, '[');
    while (name && scan_item(&s, &item))
        if (slice_is_string(item) && is_name(item, name))
            return true;
    return false;
}
