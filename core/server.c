/* Starts the parts in the order they need each other, waits for signals, stops them in reverse. */
#include "server.h"

#include "base/log.h"
#include "base/mem.h"
#include "extend/nursery.h"
#include "privileges.h"
#include "process.h"
#include "server_parts.h"

#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

static bool start(struct server *s, struct err *e)
{
    const struct config *c = &s->settings.config;
    if (!process_open_log(c, e) || !server_check_settings(s, e) ||
        !privileges_drop(c->user, c->data_dir, e))
        return false;
    privileges_lock(c->core_dumps);
    server_make_rules(s);
    if (!server_open_tls(s, e))
        return false;
    if (!server_open_policies(s, e) || !server_open_store(s, e) || !server_open_plugins(s, e) ||
        !server_open_validation(s, e) || !server_start_engine(s, e) || !server_first_token(s, e) ||
        !server_start_telemetry(s, e) || !validation_start(s->validation, s->engine, e) ||
        !deliver_start(s->deliveries, e) || !server_open_selection(s, e) ||
        !server_start_http(s, e))
        return false;
    privileges_check_modes(c->data_dir, s->tls ? c->tls_key : NULL);
    log_event(LOG_INFO, "listening",
              "\"address\":\"%s\",\"port\":%u,\"pid\":%ld,\"version\":\"%s\"",
              http_address(s->http), http_port(s->http), (long)getpid(), PADDOCK_VERSION);
    return true;
}

/* In reverse; each part may be missing when the start failed half-way. */
static void stop(struct server *s)
{
    if (s->validation)
        validation_stop(s->validation); /* first: who waits for a run is answered */
    if (s->http)
        http_drain(s->http, (unsigned)s->settings.config.shutdown_grace_ms);
    deliver_stop(s->deliveries); /* its tests are answered */
    pool_close(s->readers);      /* while the loops still take their answers */
    if (s->http)
        http_join(s->http);
    pool_stop(s->readers); /* nobody asks it any more */
    decisions_close(s->decisions);
    experiments_stop(s->experiments);
    strategies_stop(s->strategies); /* what was learned is kept */
    strategy_routes_release(&s->strategy_routes);
    facts_stop(s->facts); /* the last outcomes are told */
    outcomes_close(s->outcomes);
    facts_free(s->facts);
    evidence_free(s->evidence);
    breaker_stop(s->breaker);
    shadow_watch_stop(s->shadows);
    strategy_log_free(s->strategy_log);
    if (s->judge)
        health_judge_stop(s->judge);
    if (s->telemetry)
        telemetry_close(s->telemetry);
    denials_free(s->denials);
    if (s->engine)
        engine_stop(s->engine);
    http_free(s->http); /* only now does nobody hold a loop any more */
    tls_close(s->tls);
    feed_free(s->feed);
    waiters_free(s->waiters);
    validation_close(s->validation);
    nursery_free(s->nursery);
    nursery_free(s->nursery_http);
    weights_free(s->selection.weights);
    matches_free(s->selection.matches);
    decision_keys_close(s->decision_keys);
    selection_counts_free(s->selections);
    catalog_close(s->plugins);
    policies_close(s->policies);
    token_usage_close(s->usage);
    if (s->keys)
        idempotency_free(s->keys);
    if (s->store)
        s->store->ops->close(s->store);
    deliver_free(s->deliveries); /* only now does nobody answer it any more */
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    bytes_release(&s->config_text);
    config_release(&s->settings);
    log_close();
}

#define TLS_LOOK_S   2        /* how often the files are looked at */
#define TLS_FRESH_MS 43200000 /* that keys of session tickets are used at most */

static void reload_tls(struct tls *tls)
{
    struct err e = {0};
    if (tls_reload(tls, &e))
        log_event(LOG_INFO, "tls_loaded", "\"expires_ms\":%" PRId64, tls_expires_ms(tls));
    else
        log_text(LOG_ERROR, "tls_reload_failed", e.detail);
}

static void hang_up(struct server *s)
{
    struct err e = {0};
    process_reopen_log();
    if (!decision_keys_reload(s->decision_keys, &e))
        log_text(LOG_ERROR, "decision_keys_reload_failed", e.detail);
    if (s->tls)
        reload_tls(s->tls);
}

/* SIGTERM and SIGINT end the server gracefully; SIGHUP opens the log anew and reads the keys of
 * decisions and the certificate again; the latter also happens when its files change. */
static void run(struct server *s, const sigset_t *signals)
{
    const struct timespec look = {.tv_sec = TLS_LOOK_S};
    for (;;) {
        int number = s->tls ? sigtimedwait(signals, NULL, &look) : sigwaitinfo(signals, NULL);
        if (number == SIGHUP) {
            hang_up(s);
        } else if (number < 0 && s->tls &&
                   (tls_changed(s->tls) ||
                    tls_age_ms(s->tls, clock_wall_ms(&CLOCK_SYSTEM)) > TLS_FRESH_MS)) {
            reload_tls(s->tls);
        } else if (number > 0) {
            log_event(LOG_INFO, "stopping", "\"signal\":%d", number);
            return;
        }
    }
}

int server_main(int argc, char **argv, char **env)
{
    static const struct process SERVE = {"serve", start, run, stop};
    struct server *s = mem_zero(1, sizeof *s);
    s->config_text = BYTES_INIT(1 << 20);
    return process_main(&SERVE, s, argc, argv, env);
}
