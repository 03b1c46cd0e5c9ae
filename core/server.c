#include "server.h"
#include "privileges.h"

#include "api/api.h"
#include "base/beside.h"
#include "base/log.h"
#include "base/mem.h"
#include "config.h"
#include "engine/token_make.h"
#include "extend/catalog.h"
#include "extend/policies.h"
#include "feed/deliver.h"
#include "http/tls.h"
#include "selection/flag_rules.h"
#include "validation/validation.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POLICY_WATCH_MS 1000

static const char *const BUILT_IN_TYPES[] = {
    "classifier",       "regressor", "ranker",     "recommender", "forecaster",
    "anomaly_detector", "embedding", "generative", "other",       NULL,
};

/* Everything that runs, in the order in which it is built. */
struct server {
    struct loaded_config settings;
    struct bytes config_text;
    int lock_fd;
    struct rules rules;
    struct store *store;
    struct engine *engine;
    struct idempotency *keys;
    struct telemetry *telemetry;
    struct health_judge *judge;
    struct feed *feed;
    struct deliveries *deliveries;
    struct worker_settings worker;
    char worker_program[4096], bundled_plugins[4096];
    struct catalog *plugins;
    struct validation *validation;
    struct policies *policies;
    struct token_usage *usage;
    struct denials *denials;
    struct rollout_policies flag_rules;
    struct pool *readers;
    struct tls *tls;
    struct api api;
    struct http_server *http;
};

static bool is_loopback(const char *listen)
{
    return strncmp(listen, "127.", 4) == 0 || strncmp(listen, "[::1]:", 6) == 0 ||
           strncmp(listen, "localhost:", 10) == 0;
}

/* What travels over a network is encrypted, or somebody has said that it need not be. */
static bool check_exposure(const struct config *c, struct err *e)
{
    if (!*c->tls_cert != !*c->tls_key || (*c->tls_client_ca && !*c->tls_cert))
        return fail(e, &ERR_CONFIG, "--tls-cert and --tls-key belong together%s",
                    *c->tls_client_ca ? ", and --tls-client-ca needs them" : "");
    if (is_loopback(c->listen))
        return true;
    if (!*c->tls_cert && !c->insecure)
        return fail(e, &ERR_CONFIG,
                    "--listen %s: plain HTTP is served on loopback only; give --tls-cert and "
                    "--tls-key, or --insecure if tokens and data may be read on the way",
                    c->listen);
    return true;
}

/* The first start where others can reach the server: somebody must be able to get in, and nobody
 * else. Printed to standard output, never to the log. */
static bool first_token(struct server *s, struct err *e)
{
    const struct config *c = &s->settings.config;
    if (is_loopback(c->listen) || c->allow_anonymous)
        return true;
    struct token_wish wish = {.token_id = "admin",
                              .description = "Made at the first start.",
                              .role = "admin",
                              .only_if_none = true};
    struct token_secret secret;
    bool made = false;
    if (!token_make(s->engine, &wish, &secret, &made, e))
        return false;
    if (made) {
        printf("There was no token yet. This one may do everything; it is shown only now:\n%s\n",
               secret.text);
        fflush(stdout);
    }
    explicit_bzero(&secret, sizeof secret);
    return true;
}

static enum log_level level_of(const char *name)
{
    static const char *const NAMES[] = {"debug", "info", "warn", "error"};
    for (int i = 0; i < 4; i++)
        if (strcmp(NAMES[i], name) == 0)
            return (enum log_level)i;
    return LOG_INFO;
}

static int detail_of(const char *name)
{
    return strcmp(name, "off") == 0        ? METRICS_OFF
           : strcmp(name, "counters") == 0 ? METRICS_COUNTERS
                                           : METRICS_FULL;
}

static const char *const *types_of(struct loaded_config *c)
{
    const char *const *more = config_list(c, c->config.model_types);
    size_t n = 0, built_in = sizeof BUILT_IN_TYPES / sizeof *BUILT_IN_TYPES - 1;
    while (more[n])
        n++;
    const char **all = arena_zero(c->arena, (built_in + n + 1) * sizeof *all);
    memcpy(all, BUILT_IN_TYPES, built_in * sizeof *all);
    memcpy(all + built_in, more, n * sizeof *all);
    return all;
}

static void make_rules(struct server *s)
{
    struct loaded_config *c = &s->settings;
    s->rules = (struct rules){
        .types = types_of(c),
        .protected_aliases = config_list(c, c->config.protected_aliases),
        .dataset_dirs = config_list(c, c->config.dataset_dirs),
        .required_stable = config_list(c, c->config.gate_require_types),
        .gate_max_age_seconds =
            c->config.gate_max_age_seconds ? c->config.gate_max_age_seconds : INT64_MIN,
        .gate_max_severity = c->config.gate_max_severity,
        .nightly_hour_utc = c->config.nightly_hour,
    };
}

static bool open_store(struct server *s, struct err *e)
{
    const struct config *c = &s->settings.config;
    if (*c->redis_url)
        return fail(e, &ERR_CONFIG,
                    "MODEL_REGISTRY_REDIS_URL: this version has only the embedded store; unset it");
    if (mkdir(c->data_dir, 0700) != 0 && errno != EEXIST)
        return fail_errno(e, &ERR_CONFIG, "--data-dir %s", c->data_dir);
    s->lock_fd = data_dir_lock(c->data_dir, e);
    if (s->lock_fd < 0)
        return false;
    s->store = store_sqlite_open(c->data_dir, &CLOCK_SYSTEM, e);
    return s->store != NULL;
}

/* Whoever holds the embedded store is its only server, so a crash leaves no lease behind. */
static bool open_deliveries(struct server *s, struct err *e)
{
    const bool private = s->settings.config.webhook_allow_private;
    s->deliveries = deliver_open(
        &(struct deliver_config){s->store, s->engine, &CLOCK_SYSTEM, "embedded", private}, e);
    return s->deliveries != NULL;
}

/* Its gate and its types are asked by the engine, so it is there before it. */
static bool open_validation(struct server *s, struct err *e)
{
    const struct config *c = &s->settings.config;
    const struct validation_config config = {
        .store = s->store,
        .clock = &CLOCK_SYSTEM,
        .catalog = s->plugins,
        .policies = s->policies,
        .worker = &s->worker,
        .dataset_dirs = s->rules.dataset_dirs,
        .exec_dirs = config_list(&s->settings, c->exec_dirs),
        .model_dirs = config_list(&s->settings, c->model_dirs),
        .severity_policy = c->severity_policy,
        .secrets_file = *c->secrets_file ? c->secrets_file : NULL,
        .workers = (unsigned)c->validation_workers,
        .queue_max = (size_t)c->validation_queue_max,
    };
    s->validation = validation_open(&config, e);
    if (!s->validation)
        return false;
    s->rules.test_types = validation_test_types(s->validation);
    return true;
}

static bool start_engine(struct server *s, struct err *e)
{
    const struct config *c = &s->settings.config;
    const struct engine_config config = {
        .store = s->store,
        .clock = &CLOCK_SYSTEM,
        .rules = &s->rules,
        .gate = validation_gate(s->validation),
        .mailbox_limit = (size_t)c->commands_max,
    };
    s->engine = engine_start(&config, e);
    if (!s->engine)
        return false;
    s->keys =
        idempotency_new((size_t)c->idempotency_keys_max, (size_t)c->idempotency_keys_max * 4096);
    if (!engine_restore_keys(s->store, s->keys, clock_wall_ms(&CLOCK_SYSTEM), e))
        return false;
    s->usage = token_usage_open(s->store, &CLOCK_SYSTEM, e);
    if (!s->usage)
        return false;
    s->denials = denials_new(s->engine);
    struct engine_stats stats;
    engine_stats(s->engine, &stats);
    s->feed = feed_new(s->store, 0, 0);
    feed_begin(s->feed, stats.seq);
    const struct publish_listener listener = feed_listener(s->feed);
    if (!engine_listen(s->engine, &listener))
        return fail(e, &ERR_INTERNAL, "the engine takes no more listeners");
    return open_deliveries(s, e);
}

/* The user's directory goes before the shipped one, name by name. */
static bool open_policies(struct server *s, struct err *e)
{
    const struct config *c = &s->settings.config;
    const char *dirs[3] = {NULL};
    char shipped[4096];
    size_t n = 0;
    if (*c->policy_dir)
        dirs[n++] = c->policy_dir;
    if (policies_shipped_dir(shipped, sizeof shipped))
        dirs[n++] = shipped;
    else
        log_event(LOG_WARN, "no_shipped_policies", NULL);
    s->policies = policies_open(dirs, &CLOCK_SYSTEM, e);
    if (!s->policies)
        return false;
    s->flag_rules = flag_rules(s->policies);
    s->rules.rollout_policies = &s->flag_rules;
    return policies_watch(s->policies, POLICY_WATCH_MS, e);
}

/* Whatever is wrong with plugins, the server starts, and the catalog says why they are out. */
static bool open_plugins(struct server *s, struct err *e)
{
    static const char *const PROGRAM[] = {"paddock-worker", NULL};
    static const char *const BUNDLED[] = {"../lib/paddock/plugins", "../plugins", NULL};
    if (!beside_find(PROGRAM, s->worker_program, sizeof s->worker_program)) {
        snprintf(s->worker_program, sizeof s->worker_program, "paddock-worker");
        log_event(LOG_ERROR, "no_worker_program", NULL);
    }
    s->worker = (struct worker_settings){.program = s->worker_program};
    bool bundled = beside_find(BUNDLED, s->bundled_plugins, sizeof s->bundled_plugins);
    const struct catalog_config config = {
        .data_dir = s->settings.config.data_dir,
        .bundled_dir = bundled ? s->bundled_plugins : NULL,
        .dirs = config_list(&s->settings, s->settings.config.plugin_dir),
        .worker = &s->worker,
        .clock = &CLOCK_SYSTEM,
    };
    s->plugins = catalog_open(&config, e);
    return s->plugins != NULL;
}

static double threshold(double setting)
{
    return setting > 0 ? setting : NAN;
}

static bool start_telemetry(struct server *s, struct err *e)
{
    const struct config *c = &s->settings.config;
    const struct telemetry_config config = {
        .dir = c->data_dir,
        .store = s->store,
        .clock = &CLOCK_SYSTEM,
        .keys = s->keys,
        .sample_size = (size_t)c->sample_size,
        .ring_budget_bytes = (size_t)c->ring_budget_bytes,
        .retention_days = (unsigned)c->retention_days,
        .log_max_bytes = (size_t)c->record_log_max_bytes,
        .segment_bytes = (size_t)c->segment_bytes,
        .accept_damage = c->accept_record_damage,
    };
    s->telemetry = telemetry_open(&config, e);
    if (!s->telemetry)
        return false;
    const struct health_config health = {
        .telemetry = s->telemetry,
        .engine = s->engine,
        .clock = &CLOCK_SYSTEM,
        .defaults = {.latency_p95_ms = threshold(c->slo_latency_p95_ms),
                     .latency_p99_ms = threshold(c->slo_latency_p99_ms),
                     .error_rate_ratio = threshold(c->slo_error_rate_ratio),
                     .min_inferences_per_minute = threshold(c->slo_min_inferences_per_minute)},
    };
    s->judge = health_judge_start(&health, e);
    return s->judge != NULL;
}

static bool open_tls(struct server *s, struct err *e)
{
    const struct config *c = &s->settings.config;
    const struct tls_files files = {c->tls_cert, c->tls_key, c->tls_client_ca};
    s->tls = *c->tls_cert ? tls_open(&files, e) : NULL;
    return s->tls || !*c->tls_cert;
}

static bool start_http(struct server *s, struct err *e)
{
    const struct config *c = &s->settings.config;
    config_json(&s->settings, &s->config_text);
    s->readers = pool_start("reader", 2, 1024, e);
    if (!s->readers)
        return false;
    s->api = (struct api){
        .store = s->store,
        .engine = s->engine,
        .telemetry = s->telemetry,
        .judge = s->judge,
        .keys = s->keys,
        .feed = s->feed,
        .deliveries = s->deliveries,
        .usage = s->usage,
        .denials = s->denials,
        .allow_anonymous = c->allow_anonymous,
        .plugins = s->plugins,
        .validation = s->validation,
        .gate = validation_gate(s->validation),
        .readers = s->readers,
        .policies = s->policies,
        .clock = &CLOCK_SYSTEM,
        .rules = &s->rules,
        .config_json = s->config_text.data,
        .version = PADDOCK_VERSION,
        .started_ms = clock_wall_ms(&CLOCK_SYSTEM),
        .metrics_detail = detail_of(c->metrics_detail),
        .list_on_loop_max = 2000,
    };
    const struct http_config config = {
        .listen = c->listen,
        .threads = (unsigned)c->threads,
        .routes = ROUTES,
        .clock = &CLOCK_SYSTEM,
        .app = &s->api,
        .body_max = (size_t)c->body_max_bytes,
        .body_budget = (size_t)c->body_budget_bytes,
        .reply_budget = (size_t)c->reply_budget_bytes,
        .connections_max = (unsigned)c->connections_max,
        .header_timeout_ms = (unsigned)c->header_timeout_ms,
        .body_timeout_ms = (unsigned)c->body_timeout_ms,
        .idle_timeout_ms = (unsigned)c->idle_timeout_ms,
        .write_timeout_ms = (unsigned)c->write_timeout_ms,
        .heartbeat_ms = (unsigned)c->events_heartbeat_ms,
        .check_host = is_loopback(c->listen),
        .check_origin = true,
        .host_names = config_list(&s->settings, c->host_names),
        .cors_origins = *c->cors_origins ? config_list(&s->settings, c->cors_origins) : NULL,
        .tls = s->tls,
        .handshake_timeout_ms = (unsigned)c->handshake_timeout_ms,
        .connections_per_address = (unsigned)c->connections_per_address,
        .address_rate = c->address_rate,
        .address_burst = c->address_burst,
        .wrong_tokens_per_minute = c->wrong_tokens_per_minute,
        .access_log = c->access_log,
        .loop_start = api_loop_start,
        .loop_stop = api_loop_stop,
        .tick = api_loop_tick,
        .authorize = api_authorize,
    };
    s->http = http_start(&config, e);
    atomic_store(&s->api.http, s->http);
    return s->http != NULL;
}

static bool start(struct server *s, struct err *e)
{
    const struct config *c = &s->settings.config;
    if (!log_open(*c->log_file ? c->log_file : NULL, level_of(c->log_level), e) ||
        !check_exposure(c, e) || !privileges_drop(c->user, c->data_dir, e))
        return false;
    privileges_lock(c->core_dumps);
    make_rules(s);
    if (!open_tls(s, e))
        return false;
    if (!open_policies(s, e) || !open_store(s, e) || !open_plugins(s, e) ||
        !open_validation(s, e) || !start_engine(s, e) || !first_token(s, e) ||
        !start_telemetry(s, e) || !validation_start(s->validation, s->engine, e) ||
        !deliver_start(s->deliveries, e) || !start_http(s, e))
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
    validation_close(s->validation);
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
    if (!log_reopen(&e))
        log_text(LOG_ERROR, "log_reopen_failed", e.detail);
    if (s->tls)
        reload_tls(s->tls);
}

/* SIGTERM and SIGINT end the server gracefully; SIGHUP opens the log anew and reads the certificate
 * again, which also happens when its files change. */
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

static int show(void (*fill)(const struct loaded_config *, struct bytes *),
                const struct loaded_config *c)
{
    struct bytes text = BYTES_INIT(1 << 20);
    fill(c, &text);
    fwrite(text.data, 1, text.len, stdout);
    bytes_release(&text);
    return 0;
}

static void fill_help(const struct loaded_config *c, struct bytes *out)
{
    (void)c;
    config_help(out);
}

int server_main(int argc, char **argv, char **env)
{
    struct server *s = mem_zero(1, sizeof *s);
    struct err e = {0};
    int status = 0;
    s->lock_fd = -1;
    s->config_text = BYTES_INIT(1 << 20);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* every thread inherits it */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is a write that fails, not our end */

    if (!config_load(&s->settings, argc, argv, env, &e)) {
        fprintf(stderr, "paddock serve: %s\n", e.detail);
        status = 2;
    } else if (s->settings.help) {
        status = show(fill_help, &s->settings);
    } else if (s->settings.print) {
        status = show(config_print, &s->settings);
    } else if (!start(s, &e)) {
        fprintf(stderr, "paddock serve: %s\n", e.detail);
        status = e.kind == &ERR_CONFIG ? 2 : 1;
    } else {
        run(s, &signals);
    }
    stop(s);
    free(s);
    return status;
}
