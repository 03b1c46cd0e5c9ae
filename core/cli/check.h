/* check: the rules that `paddock plugin check` holds a plugin to. Room: cli. Threads: [main].
 *
 * Each rule looks at what paddock-worker found when it inspected the file, or has paddock-worker
 * run the plugin in a process of its own in one situation. A plugin that breaks one rule is told of
 * that one: rules that it makes pointless are skipped. */
#ifndef PADDOCK_CLI_CHECK_H
#define PADDOCK_CLI_CHECK_H

#include "cli/plugin.h"

#include <jansson.h>

enum rule_status { RULE_OK, RULE_FAILED, RULE_WARNING, RULE_SKIPPED };

struct rule_outcome {
    enum rule_status status;
    char detail[600]; /* "" if it is ok */
};

/* One file under check. */
struct subject {
    const struct plugin_options *o;
    const struct worker_settings *worker;
    const char *file, *made; /* `made`: a directory of our own */
    json_t *facts;           /* of worker/inspect.h; NULL: it could not be loaded */
    struct err unloaded;     /* then why */
    const char *kind, *id, *version;
    bool broken;           /* a rule failed that makes running it pointless */
    bool needs_config;     /* fields are required and no --config was given */
    bool asked;            /* in its first run it asked the model */
    struct worker *first;  /* that run; NULL: there is none that went well */
    const char *unrunable; /* why there is none; NULL: not tried yet */
};

/* Kinds that a rule is for. */
enum { FOR_TEST = 1, FOR_STRATEGY = 2, FOR_RUNTIME = 4, FOR_ALL = 7 };

struct rule {
    const char *name;
    unsigned kinds;
    const char *doc;
    bool fatal;           /* broken: the rules after it are skipped */
    const char *scenario; /* of worker/try.h, instead of a function */
    void (*check)(struct subject *s, struct rule_outcome *out);
};

/* In the order in which they are checked; ends with a row without a name. */
extern const struct rule RULES[];

/* Inspect the file. */
void check_begin(struct subject *s);
void check_end(struct subject *s);
/* Check one rule, whether its kind is known or not. */
void check_rule(struct subject *s, const struct rule *rule, struct rule_outcome *out);

void outcome_set(struct rule_outcome *out, enum rule_status status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* check_test.c: a test, run in one situation each. */
void check_returns(struct subject *s, struct rule_outcome *out);
void check_checks(struct subject *s, struct rule_outcome *out);
void check_host_use(struct subject *s, struct rule_outcome *out);
void check_descriptor(struct subject *s, struct rule_outcome *out);
void check_processes(struct subject *s, struct rule_outcome *out);
void check_failing_model(struct subject *s, struct rule_outcome *out);
void check_strange_answers(struct subject *s, struct rule_outcome *out);
void check_empty_data(struct subject *s, struct rule_outcome *out);
void check_baseline(struct subject *s, struct rule_outcome *out);
void check_stop(struct subject *s, struct rule_outcome *out);
void check_seed(struct subject *s, struct rule_outcome *out);

#endif
