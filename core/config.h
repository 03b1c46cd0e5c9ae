/* config: every setting of `paddock serve`, from one table. Room: top. Threads: read-only once
 * loaded.
 *
 * Flags win over the environment, the environment over the file, the file over the default. An
 * unknown or unparsable setting is refused with a message that names it and says what is allowed.
 */
#ifndef PADDOCK_CONFIG_H
#define PADDOCK_CONFIG_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define PADDOCK_VERSION "0.1.0"

struct config {
    /* where */
    const char *listen, *data_dir, *policy_dir, *plugin_dir, *redis_url;
    bool redis_accept_loss;
    int64_t threads;
    bool allow_anonymous, insecure;
    const char *host_names, *cors_origins, *user;
    bool core_dumps;
    const char *tls_cert, *tls_key, *tls_client_ca;
    bool webhook_allow_private;
    /* remembering */
    int64_t retention_days, sample_size, nightly_hour;
    const char *decision_keys;
    int64_t selection_ttl_ms, outcome_window_ms, shadow_silent_ms;
    int64_t decision_log_days, decision_log_max_bytes;
    int64_t ring_budget_bytes, record_log_max_bytes, segment_bytes;
    bool accept_record_damage;
    /* limits */
    int64_t connections_max, body_max_bytes, body_budget_bytes, reply_budget_bytes;
    int64_t idempotency_keys_max, commands_max;
    int64_t header_timeout_ms, body_timeout_ms, idle_timeout_ms, write_timeout_ms;
    int64_t events_heartbeat_ms, shutdown_grace_ms;
    int64_t handshake_timeout_ms, connections_per_address;
    double address_rate, address_burst, wrong_tokens_per_minute;
    /* what models may be, and must prove */
    const char *model_types, *protected_aliases, *gate_require_types, *gate_max_severity,
        *dataset_dirs;
    const char *severity_policy, *secrets_file, *exec_dirs, *model_dirs;
    int64_t validation_workers, validation_claim_ms, validation_queue_max, run_retention_days;
    int64_t gate_max_age_seconds;
    double slo_latency_p95_ms, slo_latency_p99_ms, slo_error_rate_ratio,
        slo_min_inferences_per_minute;
    /* telling */
    const char *log_level, *log_file, *metrics_detail;
    bool access_log;
};

enum config_source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_FLAG };

struct loaded_config {
    struct config config;
    struct arena *arena;       /* owns the texts */
    unsigned char source[192]; /* enum config_source by row of the table */
    bool print;                /* --print-config was given */
    bool help;                 /* --help was given */
    bool works;                /* in: these are for `paddock work`; set before config_load() */
};

/* Load from argv (what follows `serve` or `work`) and `environ`-style `env`. On failure `e` names
 * the setting. */
bool config_load(struct loaded_config *out, int argc, char **argv, char **env, struct err *e)
    MUST_CHECK;
void config_release(struct loaded_config *c);

/* Help text of every setting, one paragraph each. */
void config_help(const struct loaded_config *c, struct bytes *out);
/* `name = value   # source` lines, as --print-config shows them; secrets are masked. */
void config_print(const struct loaded_config *c, struct bytes *out);
/* {"settings":{"listen":{"value":...,"source":"flag"},...}} for GET ~/config; secrets are masked.
 */
void config_json(const struct loaded_config *c, struct bytes *out);

/* A comma-separated setting as a NULL-terminated array in the arena. */
const char *const *config_list(struct loaded_config *c, const char *text);

#endif
