#include "config.h"

#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum setting_type { SETTING_TEXT, SETTING_INT, SETTING_NUMBER, SETTING_BOOL, SETTING_CHOICE };

struct setting {
    const char *name; /* the flag without "--", and the key in the file */
    const char *env;  /* NULL: PADDOCK_ and the name in capitals */
    enum setting_type type;
    size_t offset;
    double min, max;
    const char *fallback;
    const char *choices; /* SETTING_CHOICE: "a|b|c" */
    bool secret;
    const char *doc;
};

#define AT(member) offsetof(struct config, member)

static const struct setting SETTINGS[] = {
    {"listen", NULL, SETTING_TEXT, AT(listen), 0, 0, "127.0.0.1:8080", NULL, false,
     "Address and port to serve on; port 0 takes any free one."},
    {"data-dir", NULL, SETTING_TEXT, AT(data_dir), 0, 0, "paddock-data", NULL, false,
     "Directory of the embedded store and the record log; made if absent, locked while serving."},
    {"policy-dir", NULL, SETTING_TEXT, AT(policy_dir), 0, 0, "", NULL, false,
     "Directory of Lua policies (rollout/ and severity/), before the shipped ones of the same "
     "names."},
    {"plugin-dir", NULL, SETTING_TEXT, AT(plugin_dir), 0, 0, "", NULL, false,
     "Comma list of directories of plugins, beside those that come with Paddock; files and "
     "directories must belong to root or to who runs the server, writable by nobody else."},
    {"redis-url", "MODEL_REGISTRY_REDIS_URL", SETTING_TEXT, AT(redis_url), 0, 0, "", NULL, true,
     "Redis that keeps everything but the record log: redis://[[USER]:PASSWORD@]HOST[:PORT][/DB], "
     "redis+unix://[[USER]:PASSWORD@]/PATH[?db=DB], "
     "redis+sentinel://[[USER]:PASSWORD@]HOST[:PORT],.../SERVICE[/DB][?wait=N] or "
     "redis+cluster://[[USER]:PASSWORD@]HOST[:PORT],...[?wait=N]; empty: the embedded store."},
    {"redis-accept-loss", NULL, SETTING_BOOL, AT(redis_accept_loss), 0, 0, "false", NULL, false,
     "Start on a Redis that may lose what was acknowledged: without appendonly yes, appendfsync "
     "always and maxmemory-policy noeviction."},
    {"threads", NULL, SETTING_INT, AT(threads), 0, 64, "0", NULL, false,
     "Event loops; 0: one for each processor."},
    {"allow-anonymous", NULL, SETTING_BOOL, AT(allow_anonymous), 0, 0, "false", NULL, false,
     "Serve callers without a token on addresses other than loopback."},
    {"insecure", NULL, SETTING_BOOL, AT(insecure), 0, 0, "false", NULL, false,
     "Allow plain HTTP on addresses other than loopback."},
    {"user", NULL, SETTING_TEXT, AT(user), 0, 0, "", NULL, false,
     "User to become when started as root; keeps only the right to listen below port 1024."},
    {"core-dumps", NULL, SETTING_BOOL, AT(core_dumps), 0, 0, "false", NULL, false,
     "Allow core dumps and debuggers, which see tokens and data."},
    {"host-names", NULL, SETTING_TEXT, AT(host_names), 0, 0, "", NULL, false,
     "Comma list of names with a dot under which a server on loopback may be asked for, such as "
     "that "
     "of a proxy before it; *: any. Others are answered 421."},
    {"cors-origins", NULL, SETTING_TEXT, AT(cors_origins), 0, 0, "", NULL, false,
     "Comma list of origins (https://app.example.com) whose pages may use the API from a browser; "
     "*: "
     "all."},
    {"tls-cert", NULL, SETTING_TEXT, AT(tls_cert), 0, 0, "", NULL, false,
     "File of the server's certificate and its chain, PEM; with --tls-key it serves HTTPS only. "
     "Read "
     "again on SIGHUP and when it changes."},
    {"tls-key", NULL, SETTING_TEXT, AT(tls_key), 0, 0, "", NULL, false,
     "File of the certificate's private key, PEM, not encrypted."},
    {"tls-client-ca", NULL, SETTING_TEXT, AT(tls_client_ca), 0, 0, "", NULL, false,
     "File of the authorities that sign client certificates, PEM. Clients may then show one; a bad "
     "one is refused."},
    {"webhook-allow-private", NULL, SETTING_BOOL, AT(webhook_allow_private), 0, 0, "false", NULL,
     false,
     "Let webhooks lead to loopback, private and link-local addresses; unless allowed, whoever may "
     "make a webhook could reach the own network."},
    {"retention-days", "MODEL_REGISTRY_DEFAULT_RETENTION_DAYS", SETTING_INT, AT(retention_days), 1,
     3650, "90", NULL, false, "How long windows of inference records are kept, days."},
    {"run-retention-days", NULL, SETTING_INT, AT(run_retention_days), 0, 3650, "0", NULL, false,
     "How long validation runs are kept, days; 0: as long as retention-days. What a promotion or a "
     "pinned baseline cites stays."},
    {"sample-size", "MODEL_PERFORMANCE_SAMPLE_SIZE", SETTING_INT, AT(sample_size), 256, 1000000,
     "10000", NULL, false, "Newest records a model keeps one by one, for exact percentiles."},
    {"decision-keys", NULL, SETTING_TEXT, AT(decision_keys), 0, 0, "", NULL, false,
     "File of the keys that sign decision ids, lines of ID:HEX, the first of which signs; nodes "
     "with one store share it; SIGHUP has it read again. Empty: decision.keys in the data "
     "directory, made if absent."},
    {"selection-ttl-ms", NULL, SETTING_INT, AT(selection_ttl_ms), 0, 86400000, "300000", NULL,
     false, "How long a client may hold on to a selection at most; a route may say less."},
    {"shadow-silent-ms", NULL, SETTING_INT, AT(shadow_silent_ms), 0, 604800000, "600000", NULL,
     false,
     "How long nothing may come of a shadow that decisions should have named, before there is an "
     "alert; 0: for ever."},
    {"outcome-window-ms", NULL, SETTING_INT, AT(outcome_window_ms), 1000, 604800000, "3600000",
     NULL, false,
     "How long after its decision an outcome counts, and a second one of the same is known."},
    {"decision-log-days", NULL, SETTING_INT, AT(decision_log_days), 1, 30, "7", NULL, false,
     "How long decisions are kept that routes log."},
    {"decision-log-max-bytes", NULL, SETTING_INT, AT(decision_log_max_bytes), 1 << 20, 1e13,
     "1073741824", NULL, false,
     "Text of logged decisions in the store; past it the oldest hours go."},
    {"nightly-hour", "MODEL_VALIDATION_NIGHTLY_HOUR", SETTING_INT, AT(nightly_hour), 0, 23, "2",
     NULL, false, "Hour of the night's validation, UTC."},
    {"ring-budget-bytes", NULL, SETTING_INT, AT(ring_budget_bytes), 1 << 20, 1e12, "536870912",
     NULL, false, "Memory of all models' newest records together; past it they stop growing."},
    {"record-log-max-bytes", NULL, SETTING_INT, AT(record_log_max_bytes), 1 << 24, 1e13,
     "4294967296", NULL, false,
     "Records on disk not rolled up yet; past it new ones are refused with 503."},
    {"segment-bytes", NULL, SETTING_INT, AT(segment_bytes), 1 << 20, 1 << 30, "67108864", NULL,
     false, "Size of one preallocated file of the record log."},
    {"accept-record-damage", NULL, SETTING_BOOL, AT(accept_record_damage), 0, 0, "false", NULL,
     false,
     "Start although acknowledged records of the record log cannot be read; each loss is logged."},
    {"connections-max", NULL, SETTING_INT, AT(connections_max), 16, 1000000, "20000", NULL, false,
     "Open connections; further ones are answered 503 and closed."},
    {"body-max-bytes", NULL, SETTING_INT, AT(body_max_bytes), 1024, 1 << 26, "1048576", NULL, false,
     "Greatest request body, batches of records apart (8 MiB)."},
    {"body-budget-bytes", NULL, SETTING_INT, AT(body_budget_bytes), 1 << 23, 1e11, "268435456",
     NULL, false, "Request bodies held at once by all connections; past it 503."},
    {"reply-budget-bytes", NULL, SETTING_INT, AT(reply_budget_bytes), 1 << 23, 1e11, "268435456",
     NULL, false, "Replies held for clients that read slowly; past it large ones are 503."},
    {"idempotency-keys-max", NULL, SETTING_INT, AT(idempotency_keys_max), 100, 1e7, "100000", NULL,
     false, "Answers kept for Idempotency-Keys; past it 503."},
    {"commands-max", NULL, SETTING_INT, AT(commands_max), 16, 1e6, "8192", NULL, false,
     "Changes that may wait for the store; past it 503."},
    {"header-timeout-ms", NULL, SETTING_INT, AT(header_timeout_ms), 100, 600000, "10000", NULL,
     false, "Time a client has to send a request's headers."},
    {"body-timeout-ms", NULL, SETTING_INT, AT(body_timeout_ms), 100, 3600000, "60000", NULL, false,
     "Time a client has to send a request's body; large ones get more as they come."},
    {"idle-timeout-ms", NULL, SETTING_INT, AT(idle_timeout_ms), 100, 3600000, "75000", NULL, false,
     "Time a kept connection may be idle."},
    {"write-timeout-ms", NULL, SETTING_INT, AT(write_timeout_ms), 100, 3600000, "30000", NULL,
     false, "Time a reply may make no progress, for its client does not read."},
    {"events-heartbeat-ms", NULL, SETTING_INT, AT(events_heartbeat_ms), 100, 3600000, "15000", NULL,
     false,
     "Pause after which a stream of events carries a comment, for proxies that cut quiet ones."},
    {"shutdown-grace-ms", NULL, SETTING_INT, AT(shutdown_grace_ms), 0, 600000, "10000", NULL, false,
     "Time that accepted requests get to finish when the server is told to stop."},
    {"handshake-timeout-ms", NULL, SETTING_INT, AT(handshake_timeout_ms), 100, 600000, "10000",
     NULL, false, "Time a client has from connecting to the end of its TLS handshake."},
    {"connections-per-address", NULL, SETTING_INT, AT(connections_per_address), 0, 1000000, "0",
     NULL, false,
     "Open connections from one client address; further ones are answered 429 and closed. 0: half "
     "of "
     "--connections-max."},
    {"address-rate", NULL, SETTING_NUMBER, AT(address_rate), 0, 1e9, "0", NULL, false,
     "Requests a second that one client address may send; past it 429. 0: any number. Clients "
     "behind "
     "one proxy share an address."},
    {"address-burst", NULL, SETTING_NUMBER, AT(address_burst), 0, 1e9, "0", NULL, false,
     "Requests it may send at once; 0: as many as it may in a second."},
    {"wrong-tokens-per-minute", NULL, SETTING_NUMBER, AT(wrong_tokens_per_minute), 0, 1e6, "10",
     NULL, false,
     "Wrong tokens from one client address that are looked at; past it 429 for all that were not "
     "good "
     "from there before. 0: any number."},
    {"model-types", NULL, SETTING_TEXT, AT(model_types), 0, 0, "", NULL, false,
     "Comma list of types a model may have beside the built-in ones (see GET .../types)."},
    {"protected-aliases", NULL, SETTING_TEXT, AT(protected_aliases), 0, 0, "", NULL, false,
     "Comma list of aliases that may only be set past the gate of `stable`."},
    {"gate-require-types", NULL, SETTING_TEXT, AT(gate_require_types), 0, 0, "", NULL, false,
     "Comma list of test types that every promotion to `stable` needs."},
    {"gate-max-severity", NULL, SETTING_CHOICE, AT(gate_max_severity), 0, 0, "medium",
     "none|low|medium|high", false, "Worst regression a promotion may carry."},
    {"gate-max-age-seconds", NULL, SETTING_INT, AT(gate_max_age_seconds), 0, 1e9, "0", NULL, false,
     "Greatest age of the evidence for a promotion; 0: any."},
    {"dataset-dirs", NULL, SETTING_TEXT, AT(dataset_dirs), 0, 0, "", NULL, false,
     "Comma list of directories below which the files of datasets may lie; empty: none."},
    {"exec-dirs", NULL, SETTING_TEXT, AT(exec_dirs), 0, 0, "", NULL, false,
     "Comma list of directories below which the programs of the runtime exec may lie; empty: "
     "none."},
    {"model-dirs", NULL, SETTING_TEXT, AT(model_dirs), 0, 0, "", NULL, false,
     "Comma list of directories below which the files of saved models (the runtime xgboost) may "
     "lie; "
     "empty: none."},
    {"severity-policy", NULL, SETTING_TEXT, AT(severity_policy), 0, 0, "default", NULL, false,
     "Lua policy that says how bad a regression is, for names without the label severity_policy."},
    {"secrets-file", NULL, SETTING_TEXT, AT(secrets_file), 0, 0, "", NULL, false,
     "JSON object of the secrets that runtimes refer to by name; readable by its owner only."},
    {"validation-workers", NULL, SETTING_INT, AT(validation_workers), -1, 64, "-1", NULL, false,
     "Tests that run at the same time; -1: one for each processor; 0: none here, so that (on a "
     "Redis) workers elsewhere carry out all runs, see paddock work."},
    {"validation-claim-ms", NULL, SETTING_INT, AT(validation_claim_ms), 500, 600000, "15000", NULL,
     false,
     "How long a node or a worker that is silent keeps its runs; then others take them. Give all "
     "of them the same."},
    {"validation-queue-max", NULL, SETTING_INT, AT(validation_queue_max), 1, 100000, "10000", NULL,
     false, "Validation runs that may wait, those of a night apart; past it 503."},
    {"slo-latency-p95-ms", NULL, SETTING_NUMBER, AT(slo_latency_p95_ms), 0, 86400000, "0", NULL,
     false, "Threshold of health for names without an slo of their own; 0: none."},
    {"slo-latency-p99-ms", NULL, SETTING_NUMBER, AT(slo_latency_p99_ms), 0, 86400000, "0", NULL,
     false, "As above, for p99; 0: none."},
    {"slo-error-rate-ratio", NULL, SETTING_NUMBER, AT(slo_error_rate_ratio), 0, 1, "0.05", NULL,
     false, "As above, for the share of failed inferences; 0: none."},
    {"slo-min-inferences-per-minute", NULL, SETTING_NUMBER, AT(slo_min_inferences_per_minute), 0,
     1e9, "0", NULL, false, "As above, for the least traffic; 0: none."},
    {"log-level", NULL, SETTING_CHOICE, AT(log_level), 0, 0, "info", "debug|info|warn|error", false,
     "Least level that is logged."},
    {"log-file", NULL, SETTING_TEXT, AT(log_file), 0, 0, "", NULL, false,
     "File of the log, opened anew on SIGHUP; empty: standard error."},
    {"access-log", NULL, SETTING_BOOL, AT(access_log), 0, 0, "true", NULL, false,
     "Log a line for each request."},
    {"metrics-detail", NULL, SETTING_CHOICE, AT(metrics_detail), 0, 0, "full", "off|counters|full",
     false, "What /metrics tells of each model."},
};
#define SETTING_COUNT (sizeof SETTINGS / sizeof *SETTINGS)
_Static_assert(SETTING_COUNT <= sizeof((struct loaded_config *)0)->source, "source[] is too small");

/* Variables of our tools that share the prefix but configure no server. */
static const char *const FOREIGN_VARIABLES[] = {
    "PADDOCK_BIN",    "PADDOCK_SOURCE", "PADDOCK_URL",    "PADDOCK_TOKEN",
    "PADDOCK_CONFIG", "PADDOCK_BUILD",  "PADDOCK_FAULTS", NULL};

static const char *const SOURCE_NAMES[] = {"default", "file", "environment", "flag"};

static const struct setting *setting_find(const char *name, size_t len)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (strlen(SETTINGS[i].name) == len && memcmp(SETTINGS[i].name, name, len) == 0)
            return &SETTINGS[i];
    return NULL;
}

/* Those that `paddock work` heeds; a file or an environment may hold others, for servers. */
static const char *const OF_WORKERS[] = {
    "data-dir",   "plugin-dir",   "redis-url",          "redis-accept-loss",
    "user",       "core-dumps",   "dataset-dirs",       "exec-dirs",
    "model-dirs", "secrets-file", "validation-workers", "validation-claim-ms",
    "log-level",  "log-file",     "shutdown-grace-ms",  NULL};

static const char *fallback_of(const struct loaded_config *c, const struct setting *s)
{
    return c->works && s->offset == AT(data_dir) ? "paddock-worker-data" : s->fallback;
}

static bool is_of_workers(const struct setting *s)
{
    for (const char *const *name = OF_WORKERS; *name; name++)
        if (strcmp(*name, s->name) == 0)
            return true;
    return false;
}

static void setting_env(const struct setting *s, char *out, size_t size)
{
    if (s->env) {
        snprintf(out, size, "%s", s->env);
        return;
    }
    int n = snprintf(out, size, "PADDOCK_%s", s->name);
    for (int i = 8; i < n; i++)
        out[i] = out[i] == '-'                    ? '_'
                 : out[i] >= 'a' && out[i] <= 'z' ? (char)(out[i] - 32)
                                                  : out[i];
}

static bool parse_bool(const char *text, bool *out)
{
    static const char *const YES[] = {"true", "1", "yes", "on"}, *const NO[] = {"false", "0", "no",
                                                                                "off"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(text, YES[i]) == 0)
            return *out = true, true;
        if (strcmp(text, NO[i]) == 0)
            return *out = false, true;
    }
    return false;
}

static const char *parse_choice(const char *text, const char *choices, struct arena *a)
{
    size_t len = strlen(text);
    for (const char *c = choices; c; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL)
        if (len && strncmp(c, text, len) == 0 && (c[len] == '|' || c[len] == '\0'))
            return arena_copy(a, text, len);
    return NULL;
}

static bool parse_number(const struct setting *s, const char *text, double *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && errno == 0 && isfinite(*out) && *out >= s->min &&
           *out <= s->max;
}

/* `from` names where the value came from, for the message. */
static bool setting_set(struct loaded_config *c, const struct setting *s, const char *value,
                        enum config_source source, const char *from, struct err *e)
{
    char *base = (char *)&c->config + s->offset;
    double number;
    switch (s->type) {
    case SETTING_TEXT:
        if (strlen(value) > 4096)
            return fail(e, &ERR_CONFIG, "%s: at most 4096 characters", from);
        *(const char **)(void *)base = arena_text(c->arena, value);
        break;
    case SETTING_CHOICE: {
        const char *choice = parse_choice(value, s->choices, c->arena);
        if (!choice)
            return fail(e, &ERR_CONFIG, "%s: must be one of %s, got '%s'", from, s->choices, value);
        *(const char **)(void *)base = choice;
        break;
    }
    case SETTING_BOOL:
        if (!parse_bool(value, (bool *)base))
            return fail(e, &ERR_CONFIG, "%s: must be true or false, got '%s'", from, value);
        break;
    case SETTING_INT:
        if (!parse_number(s, value, &number) || number != floor(number))
            return fail(e, &ERR_CONFIG, "%s: must be a whole number from %.0f to %.0f, got '%s'",
                        from, s->min, s->max, value);
        *(int64_t *)(void *)base = (int64_t)number;
        break;
    case SETTING_NUMBER:
        if (!parse_number(s, value, &number))
            return fail(e, &ERR_CONFIG, "%s: must be a number from %g to %g, got '%s'", from,
                        s->min, s->max, value);
        *(double *)(void *)base = number;
        break;
    }
    c->source[s - SETTINGS] = (unsigned char)source;
    return true;
}

/* One `name = value` line; blank lines and `#` comments are fine. */
static bool file_line(struct loaded_config *c, char *line, const char *where, struct err *e)
{
    line += strspn(line, " \t");
    line[strcspn(line, "\r\n")] = '\0';
    if (*line == '\0' || *line == '#')
        return true;
    size_t name_len = strcspn(line, " \t=");
    char *value = line + name_len + strspn(line + name_len, " \t");
    const struct setting *s = setting_find(line, name_len);
    if (!s)
        return fail(e, &ERR_CONFIG, "%s: unknown setting '%.*s'", where, (int)name_len, line);
    if (*value != '=')
        return fail(e, &ERR_CONFIG, "%s: expected '%s = value'", where, s->name);
    value += 1 + strspn(value + 1, " \t");
    size_t len = strlen(value);
    while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        value[--len] = '\0';
    return setting_set(c, s, value, SOURCE_FILE, arena_printf(c->arena, "%s: %s", where, s->name),
                       e);
}

static bool load_file(struct loaded_config *c, const char *path, struct err *e)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return fail_errno(e, &ERR_CONFIG, "--config %s", path);
    char line[8192];
    bool ok = true;
    for (int number = 1; ok && fgets(line, sizeof line, f); number++)
        ok = file_line(c, line, arena_printf(c->arena, "%s:%d", path, number), e);
    if (ok && ferror(f))
        ok = fail(e, &ERR_CONFIG, "--config %s: cannot be read", path);
    fclose(f);
    return ok;
}

static bool is_foreign(const char *variable, size_t len)
{
    for (const char *const *f = FOREIGN_VARIABLES; *f; f++)
        if (strlen(*f) == len && memcmp(*f, variable, len) == 0)
            return true;
    return false;
}

static bool load_environment(struct loaded_config *c, char **env, struct err *e)
{
    for (; *env; env++) {
        size_t len = strcspn(*env, "=");
        const struct setting *found = NULL;
        for (size_t i = 0; i < SETTING_COUNT && !found; i++) {
            char name[128];
            setting_env(&SETTINGS[i], name, sizeof name);
            if (strlen(name) == len && memcmp(name, *env, len) == 0)
                found = &SETTINGS[i];
        }
        char *from =
            arena_printf(c->arena, "environment variable %.*s", (int)(len < 200 ? len : 200), *env);
        if (found && (*env)[len] == '=') {
            if (!setting_set(c, found, *env + len + 1, SOURCE_ENVIRONMENT, from, e))
                return false;
        } else if (strncmp(*env, "PADDOCK_", 8) == 0 && !is_foreign(*env, len)) {
            return fail(e, &ERR_CONFIG, "%s: no such setting", from);
        }
    }
    return true;
}

/* Value of the flag at argv[*i] (--name=value or --name value), moving *i past it. */
static const char *flag_value(const struct setting *s, int argc, char **argv, int *i)
{
    const char *equals = strchr(argv[*i], '=');
    if (equals)
        return equals + 1;
    bool next_is_value = *i + 1 < argc && strncmp(argv[*i + 1], "--", 2) != 0;
    if (s->type == SETTING_BOOL && !next_is_value)
        return "true";
    if (!next_is_value)
        return NULL;
    return argv[++*i];
}

static bool load_flags(struct loaded_config *c, int argc, char **argv, struct err *e)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--config") == 0) { /* read before, by find_file */
            i++;
            continue;
        }
        if (strncmp(argv[i], "--config=", 9) == 0 || strcmp(argv[i], "--print-config") == 0 ||
            strcmp(argv[i], "--help") == 0)
            continue;
        if (strncmp(argv[i], "--", 2) != 0)
            return fail(e, &ERR_CONFIG, "'%s' is not a setting; see paddock %s --help", argv[i],
                        c->works ? "work" : "serve");
        size_t len = strcspn(argv[i] + 2, "=");
        const struct setting *s = setting_find(argv[i] + 2, len);
        if (!s && c->works && len == 5 && strncmp(argv[i], "--redis", 7) == 0)
            s = setting_find("redis-url", 9);
        if (!s || (c->works && !is_of_workers(s)))
            return fail(e, &ERR_CONFIG, "--%.*s: no such setting; see paddock %s --help", (int)len,
                        argv[i] + 2, c->works ? "work" : "serve");
        const char *value = flag_value(s, argc, argv, &i);
        if (!value)
            return fail(e, &ERR_CONFIG, "--%s needs a value", s->name);
        if (!setting_set(c, s, value, SOURCE_FLAG, arena_printf(c->arena, "--%s", s->name), e))
            return false;
    }
    return true;
}

static const char *find_file(int argc, char **argv, char **env, struct loaded_config *c,
                             struct err *e)
{
    const char *path = "";
    for (; *env; env++)
        if (strncmp(*env, "PADDOCK_CONFIG=", 15) == 0)
            path = *env + 15;
    for (int i = 0; i < argc; i++) {
        c->print |= strcmp(argv[i], "--print-config") == 0;
        c->help |= strcmp(argv[i], "--help") == 0;
        if (strncmp(argv[i], "--config=", 9) == 0) {
            path = argv[i] + 9;
        } else if (strcmp(argv[i], "--config") == 0) {
            if (i + 1 >= argc)
                return fail(e, &ERR_CONFIG, "--config needs a value"), NULL;
            path = argv[++i];
        }
    }
    return path;
}

bool config_load(struct loaded_config *out, int argc, char **argv, char **env, struct err *e)
{
    *out = (struct loaded_config){.works = out->works};
    out->arena = arena_new(4 << 20);
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (!setting_set(out, &SETTINGS[i], fallback_of(out, &SETTINGS[i]), SOURCE_DEFAULT,
                         SETTINGS[i].name, e))
            return false;
    const char *path = find_file(argc, argv, env, out, e);
    if (!path || (*path && !load_file(out, path, e)))
        return false;
    if (!load_environment(out, env, e) || !load_flags(out, argc, argv, e))
        return false;
    if (out->config.threads == 0) {
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        out->config.threads = n < 1 ? 1 : n > 64 ? 64 : n;
    }
    return true;
}

void config_release(struct loaded_config *c)
{
    arena_free(c->arena);
    c->arena = NULL;
}

void config_help(const struct loaded_config *c, struct bytes *out)
{
    bytes_text(out, c->works ? "Usage: paddock work --redis URL [--config FILE] [--print-config] "
                               "[--SETTING VALUE ...]\n\n"
                               "Carries out validation runs for the nodes on that Redis.\n\n"
                             : "Usage: paddock serve [--config FILE] [--print-config] "
                               "[--SETTING VALUE ...]\n\n");
    bytes_text(
        out,
        "Flags win over the environment, the environment over the file (lines `setting = value`),\n"
        "the file over the default.\n\n");
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *s = &SETTINGS[i];
        char env[128];
        if (c->works && !is_of_workers(s))
            continue;
        setting_env(s, env, sizeof env);
        bytes_printf(out, "  --%s", s->name);
        if (s->type == SETTING_CHOICE)
            bytes_printf(out, " %s", s->choices);
        else if (s->type == SETTING_INT || s->type == SETTING_NUMBER)
            bytes_printf(out, " %.0f..%.0f", s->min, s->max);
        bytes_printf(out, "\n      %s\n      Default: %s. Environment: %s\n", s->doc,
                     *s->fallback ? fallback_of(c, s) : "(empty)", env);
    }
}

static void put_value(const struct loaded_config *c, const struct setting *s, struct bytes *out,
                      bool json)
{
    const char *base = (const char *)&c->config + s->offset;
    const char *text = NULL;
    switch (s->type) {
    case SETTING_INT: bytes_int(out, *(const int64_t *)(const void *)base); return;
    case SETTING_NUMBER: json_put_number(out, *(const double *)(const void *)base); return;
    case SETTING_BOOL:
        bytes_text(out, *(const bool *)(const void *)base ? "true" : "false");
        return;
    case SETTING_TEXT:
    case SETTING_CHOICE: text = *(const char *const *)(const void *)base; break;
    }
    if (s->secret && *text)
        text = "***";
    if (json)
        json_put_string(out, text);
    else
        bytes_text(out, text);
}

void config_print(const struct loaded_config *c, struct bytes *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (c->works && !is_of_workers(&SETTINGS[i]))
            continue;
        bytes_printf(out, "%s = ", SETTINGS[i].name);
        put_value(c, &SETTINGS[i], out, false);
        bytes_printf(out, "   # %s\n", SOURCE_NAMES[c->source[i]]);
    }
}

void config_json(const struct loaded_config *c, struct bytes *out)
{
    bytes_text(out, "{\"settings\":{");
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        json_key(out, SETTINGS[i].name);
        bytes_text(out, "{\"value\":");
        put_value(c, &SETTINGS[i], out, true);
        bytes_printf(out, ",\"source\":\"%s\"}", SOURCE_NAMES[c->source[i]]);
    }
    bytes_text(out, "}}");
}

const char *const *config_list(struct loaded_config *c, const char *text)
{
    size_t n = 0, cap = 2;
    for (const char *p = text; *p; p++)
        cap += *p == ',';
    const char **list = arena_zero(c->arena, cap * sizeof *list);
    while (*text) {
        text += strspn(text, ", ");
        size_t len = strcspn(text, ", ");
        if (len)
            list[n++] = arena_copy(c->arena, text, len);
        text += len;
    }
    return list;
}
