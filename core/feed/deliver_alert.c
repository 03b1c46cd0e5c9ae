/* A webhook that keeps failing is an alert until something arrives again, or it is deleted. One
 * whose receiver is gone is disabled, too. */
#include "feed/deliver_impl.h"

#include "base/json.h"
#include "base/log.h"
#include "registry/alert.h"

#define COMMAND_ARENA (1u << 20)
#define PATCH_ARENA   (16u << 20)

/* [engine] */
static void alerted(struct command *c)
{
    if (!c->ok)
        log_text(LOG_WARN, "webhook_alert_not_journalled", c->err.detail);
    arena_free(c->arena); /* the command lies in it */
}

static void submit(struct deliveries *d, struct arena *a, const char *ns, struct alert_cause *cause,
                   bool raise)
{
    struct err e = {0};
    struct command *c = arena_zero(a, sizeof *c);
    *c = (struct command){.duty = true,
                          .arena = a,
                          .ns = arena_text(a, ns),
                          .actor = {"server", "webhooks", NULL},
                          .request_id = "",
                          .if_match = -1,
                          .id = cause->dedupe_key,
                          .args = cause,
                          .decide = raise ? alert_raise : alert_resolve,
                          .done = alerted};
    if (engine_submit(d->config.engine, c, &e))
        return;
    log_text(LOG_WARN, "webhook_alert_not_journalled", e.detail);
    arena_free(a);
}

void deliver_alert_raise(struct deliveries *d, const char *ns, const char *id, const char *why)
{
    struct arena *a = arena_new(COMMAND_ARENA);
    struct alert_cause *cause = arena_zero(a, sizeof *cause);
    *cause = (struct alert_cause){
        .kind = "webhook_failing",
        .severity = SEVERITY_MEDIUM,
        .dedupe_key = alert_key(a, "webhook_failing", id),
        .summary = arena_printf(a, "webhook '%.128s' %.300s", id, why),
    };
    submit(d, a, ns, cause, true);
}

void deliver_alert_resolve(struct deliveries *d, const char *ns, const char *id)
{
    struct arena *a = arena_new(COMMAND_ARENA);
    struct alert_cause *cause = arena_zero(a, sizeof *cause);
    *cause = (struct alert_cause){.dedupe_key = alert_key(a, "webhook_failing", id)};
    bool open = view_alert_open(view_enter(d->reader), ns, cause->dedupe_key) != NULL;
    view_leave(d->reader);
    if (open)
        submit(d, a, ns, cause, false);
    else
        arena_free(a);
}

/* --- 410 Gone --- */

/* [engine] */
static void disabled(struct command *c)
{
    if (!c->ok)
        log_text(LOG_WARN, "webhook_not_disabled", c->err.detail);
    json_decref((json_t *)(uintptr_t)c->body);
    arena_free(c->arena); /* the command lies in it */
}

void deliver_disable(struct deliveries *d, const char *ns, const char *id)
{
    struct err e = {0};
    struct arena *a = arena_new(PATCH_ARENA);
    struct command *c = arena_zero(a, sizeof *c);
    *c = (struct command){.duty = true,
                          .arena = a,
                          .ns = arena_text(a, ns),
                          .actor = {"server", "webhooks", NULL},
                          .request_id = "",
                          .reason = "The receiver answered 410 Gone.",
                          .if_match = -1,
                          .id = arena_text(a, id),
                          .body = json_pack("{s:b}", "enabled", 0),
                          .args = (void *)(uintptr_t)&WEBHOOK_TYPE,
                          .decide = document_patch,
                          .done = disabled};
    if (c->body && engine_submit(d->config.engine, c, &e))
        return;
    log_text(LOG_WARN, "webhook_not_disabled", e.detail);
    json_decref((json_t *)(uintptr_t)c->body);
    arena_free(a);
}
