/* How each part of the server is made from the settings. */
#include "server_parts.h"

#include "base/beside.h"
#include "base/log.h"
#include "engine/token_make.h"
#include "extend/nursery.h"
#include "http/origin.h"
#include "selection/stored_policies.h"
#include "store/nodes.h"
#include "store/redis_url.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define POLICY_WATCH_MS 1000

static const char *const BUILT_IN_TYPES[] = {
    "classifier",       "regressor", "ranker",     "recommender", "forecaster",
    "anomaly_detector", "embedding", "generative", "other",       NULL,
};

/* What travels over a network is encrypted, or somebody has said that it need not be. */
static bool check_exposure(const struct config *c, bool loopback, struct err *e)
{
    if (!*c->tls_cert != !*c->tls_key || (*c->tls_client_ca && !*c->tls_cert))
        return fail(e, &ERR_CONFIG, "--tls-cert and --tls-key belong together%s",
                    *c->tls_client_ca ? ", and --tls-client-ca needs them" : "");
    return loopback || *c->tls_cert || c->insecure ||
           fail(e, &ERR_CONFIG,
                "--listen %s: plain HTTP is served on loopback only; give --tls-cert and "
                "--tls-key, or --insecure if tokens and data may be read on the way",
                c->listen);
}

/* What would never match anything is a mistake. */
static bool check_list(struct loaded_config *c, const char *setting, const char *text,
                       bool (*valid)(const char *text), const char *what, struct err *e)
{
    for (const char *const *one = config_list(c, text); *one; one++)
        if (!valid(*one))
            return fail(e, &ERR_CONFIG, "--%s: '%.200s' is not %s", setting, *one, what);
    return true;
}

static bool check_browsers(struct loaded_config *c, struct err *e)
{
    return check_list(c, "cors-origins", c->config.cors_origins, origin_valid,
                      "an origin: scheme://host or scheme://host:port, or * alone", e) &&
           check_list(c, "host-names", c->config.host_names, origin_host_valid,
                      "a name: it has no port, or is * alone", e);
}

bool server_check_redis(const struct config *c, struct err *e)
{
    struct redis_url url;
    bool good = !*c->redis_url || redis_url_parse(c->redis_url, &url, e);
    explicit_bzero(&url, sizeof url);
    return good;
}

/* What can be known to be wrong before anything is made. */
bool server_check_settings(struct server *s, struct err *e)
{
    const struct config *c = &s->settings.config;
    if (!http_look(c->listen, &s->loopback, e) || !check_exposure(c, s->loopback, e))
        return false;
    if (c->validation_workers == 0 && !*c->redis_url)
        return fail(e, &ERR_CONFIG,
                    "--validation-workers 0 leaves all runs to workers elsewhere, which need a "
                    "--redis-url to meet");
    return check_browsers(&s->settings, e) && server_check_redis(c, e);
}

/* The first start where others can reach the server: somebody must be able to get in, and nobody
 * else. Printed to standard output, never to the log. */
bool server_first_token(struct server *s, struct err *e)
{
    const struct config *c = &s->settings.config;
    if (s->loopback || c->allow_anonymous)
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

/* Directories, and what they really are where they are links. */
static const char *const *directories_of(struct loaded_config *c, const char *text)
{
    const char *const *given = config_list(c, text);
    size_t n = 0;
    while (given[n])
        n++;
    const char **all = arena_zero(c->arena, (2 * n + 1) * sizeof *all), **next = all;
    for (size_t i = 0; i < n; i++) {
        char *real = realpath(given[i], NULL);
        *next++ = given[i];
        if (real && strcmp(real, given[i]) != 0)
            *next++ = arena_text(c->arena, real);
        free(real);
    }
    return all;
}

void server_make_rules(struct server *s)
{
    struct loaded_config *c = &s->settings;
    s->rules = (struct rules){
        .types = types_of(c),
        .protected_aliases = config_list(c, c->config.protected_aliases),
        .dataset_dirs = config_list(c, c->config.dataset_dirs),
        .exec_dirs = directories_of(c, c->config.exec_dirs),
        .required_stable = config_list(c, c->config.gate_require_types),
        .gate_max_age_seconds =
            c->config.gate_max_age_seconds ? c->config.gate_max_age_seconds : INT64_MIN,
        .gate_max_severity = c->config.gate_max_severity,
        .nightly_hour_utc = c->config.nightly_hour,
    };
}

static bool open_redis(struct server *s, struct err *e)
{
    const struct config *c = &s->settings.config;
    char node[ULID_SIZE];
    if (!data_dir_whole(c->data_dir, e) || !data_dir_node(c->data_dir, node, e))
        return false;
    char name[ULID_SIZE + sizeof NODE_WORKS];
    snprintf(name, sizeof name, "%s%s", s->settings.works ? NODE_WORKS : "", node);
    const struct redis_settings settings = {.url = c->redis_url,
                                            .node = name,
                                            .version = PADDOCK_VERSION,
                                            .accept_loss = c->redis_accept_loss};
    s->store = store_redis_open(&settings, &CLOCK_SYSTEM, e);
    return s->store != NULL;
}

bool server_open_store(struct server *s, struct err *e)
{
    const struct config *c = &s->settings.config;
    if (mkdir(c->data_dir, 0700) != 0 && errno != EEXIST)
        return fail_errno(e, &ERR_CONFIG, "--data-dir %s", c->data_dir);
    s->lock_fd = data_dir_lock(c->data_dir, e);
    if (s->lock_fd < 0)
        return false;
    if (*c->redis_url)
        return open_redis(s, e);
    if (!data_dir_embedded(c->data_dir, e))
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
bool server_open_validation(struct server *s, struct err *e)
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
        .severity_policy = s->settings.works ? NULL : c->severity_policy, /* the node's counts */
        .secrets_file = *c->secrets_file ? c->secrets_file : NULL,
        .keep_runs_ms =
            INT64_C(86400000) * (c->run_retention_days ? c->run_retention_days : c->retention_days),
        .workers = (int)c->validation_workers,
        .claim_ms = c->validation_claim_ms,
        .only_work = s->settings.works,
        .queue_max = (size_t)c->validation_queue_max,
    };
    s->validation = validation_open(&config, e);
    if (!s->validation)
        return false;
    s->rules.test_types = validation_test_types(s->validation);
    return true;
}

bool server_start_engine(struct server *s, struct err *e)
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
    const struct publish_listener policies = stored_policies_listener(s->policies);
    s->waiters = waiters_new();
    const struct publish_listener waiters = waiters_listener(s->waiters);
    if (!engine_listen(s->engine, &listener) || !engine_listen(s->engine, &policies) ||
        !engine_listen(s->engine, &waiters))
        return fail(e, &ERR_INTERNAL, "the engine takes no more listeners");
    struct view_reader *reader = engine_join(s->engine);
    if (!reader)
        return fail(e, &ERR_INTERNAL, "too many threads read views");
    stored_policies_load(s->policies, view_enter(reader));
    view_leave(reader);
    engine_part(reader);
    if (!open_deliveries(s, e))
        return false;
    engine_follow(s->engine);
    return true;
}

/* The user's directory goes before the shipped one, name by name. */
bool server_open_policies(struct server *s, struct err *e)
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
bool server_open_plugins(struct server *s, struct err *e)
{
    static const char *const PROGRAM[] = {"paddock-worker", NULL};
    static const char *const BUNDLED[] = {"../lib/paddock/plugins", "../plugins", NULL};
    if (!beside_find(PROGRAM, s->worker_program, sizeof s->worker_program)) {
        snprintf(s->worker_program, sizeof s->worker_program, "paddock-worker");
        log_event(LOG_ERROR, "no_worker_program", NULL);
    }
    s->nursery = nursery_new(s->worker_program, NURSERY_PLAIN);
    s->nursery_http = nursery_new(s->worker_program, NURSERY_HTTP);
    s->worker = (struct worker_settings){
        .program = s->worker_program, .nursery = s->nursery, .nursery_http = s->nursery_http};
    bool bundled = beside_find(BUNDLED, s->bundled_plugins, sizeof s->bundled_plugins);
    const struct catalog_config config = {
        .data_dir = s->settings.config.data_dir,
        .bundled_dir = bundled ? s->bundled_plugins : NULL,
        .dirs = config_list(&s->settings, s->settings.config.plugin_dir),
        .worker = &s->worker,
        .clock = &CLOCK_SYSTEM,
    };
    s->plugins = catalog_open(&config, e);
    s->strategy_rules = strategy_rules(s->plugins);
    s->rules.strategies = &s->strategy_rules;
    return s->plugins != NULL;
}

static double threshold(double setting)
{
    return setting > 0 ? setting : NAN;
}

bool server_start_telemetry(struct server *s, struct err *e)
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

bool server_open_tls(struct server *s, struct err *e)
{
    const struct config *c = &s->settings.config;
    const struct tls_files files = {c->tls_cert, c->tls_key, c->tls_client_ca};
    s->tls = *c->tls_cert ? tls_open(&files, e) : NULL;
    return s->tls || !*c->tls_cert;
}

/* What others may reach it by. */
static bool tell_place(const struct server *s)
{
    char place[80];
    if (!s->http)
        return false;
    http_place(s->http, place, sizeof place);
    store_tell_address(s->store, place);
    return true;
}

bool server_start_http(struct server *s, struct err *e)
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
        .waiters = s->waiters,
        .deliveries = s->deliveries,
        .usage = s->usage,
        .denials = s->denials,
        .allow_anonymous = c->allow_anonymous,
        .plugins = s->plugins,
        .validation = s->validation,
        .selection = &s->selection,
        .strategies = s->strategies,
        .outcomes = s->outcomes,
        .facts = s->facts,
        .decisions = s->decisions,
        .selections = s->selections,
        .strategy_log = s->strategy_log,
        .breaker = s->breaker,
        .experiments = s->experiments,
        .evidence = s->evidence,
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
        .check_host = s->loopback,
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
    return tell_place(s);
}
