#include "cli/check.h"

#include "base/beside.h"
#include "base/json.h"
#include "extend/worker_ask.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FACTS_MAX (1u << 20)

void outcome_set(struct rule_outcome *out, enum rule_status status, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    out->status = status;
    vsnprintf(out->detail, sizeof out->detail, fmt, args);
    va_end(args);
}

static const char *fact(const struct subject *s, const char *name)
{
    return json_string_value(json_object_get(s->facts, name));
}

static int64_t number(const struct subject *s, const char *name)
{
    return json_integer_value(json_object_get(s->facts, name));
}

/* The names of a list as one text, for people. */
static size_t list_names(const struct subject *s, const char *name, char *out, size_t size)
{
    const json_t *list = json_object_get(s->facts, name), *item;
    size_t at, used = 0;
    out[0] = '\0';
    json_array_foreach(list, at, item) {
        int n = snprintf(out + used, size - used, "%s%s", at ? ", " : "", json_string_value(item));
        if (n < 0 || used + (size_t)n >= size)
            break;
        used += (size_t)n;
    }
    return json_array_size(list);
}

/* ---- loading ---- */

static void check_load(struct subject *s, struct rule_outcome *out)
{
    const char *why = s->unloaded.detail;
    if (!s->facts)
        outcome_set(out, RULE_FAILED, "%.450s%s", why,
                    strstr(why, "undefined symbol") ? "; link what defines it (-lm for <math.h>)"
                                                    : "");
}

static void check_needs(struct subject *s, struct rule_outcome *out)
{
    char names[400];
    if (list_names(s, "accidental", names, sizeof names))
        outcome_set(out, RULE_FAILED,
                    "found only because the host happens to have them; link what defines them: %s",
                    names);
}

static void check_constructors(struct subject *s, struct rule_outcome *out)
{
    char names[400];
    if (number(s, "threads") > 0)
        outcome_set(out, RULE_FAILED, "loading it leaves a thread running");
    else if (number(s, "descriptors") > 0)
        outcome_set(out, RULE_FAILED, "loading it leaves a descriptor open");
    else if (list_names(s, "handlers", names, sizeof names))
        outcome_set(out, RULE_FAILED, "loading it changes what these signals do: %s", names);
}

static void check_entry(struct subject *s, struct rule_outcome *out)
{
    if (!json_is_true(json_object_get(s->facts, "entry")))
        outcome_set(out, RULE_FAILED,
                    "it does not export paddock_plugin_entry: end the file with PADDOCK_TEST(...), "
                    "PADDOCK_STRATEGY(...) or PADDOCK_PLUGIN(...)");
}

static void check_exports(struct subject *s, struct rule_outcome *out)
{
    char names[400];
    if (list_names(s, "exports", names, sizeof names))
        outcome_set(out, RULE_WARNING,
                    "it exports more than its entry (make them static, or build with "
                    "-fvisibility=hidden): %s",
                    names);
}

/* ---- the description ---- */

static void check_abi(struct subject *s, struct rule_outcome *out)
{
    const json_t *abi = json_object_get(s->facts, "abi");
    if (!json_object_get(s->facts, "kind"))
        outcome_set(out, RULE_FAILED,
                    "it was built for version %lld.%lld of paddock/plugin.h, which this host does "
                    "not load: same major, minor not newer",
                    (long long)json_integer_value(json_array_get(abi, 0)),
                    (long long)json_integer_value(json_array_get(abi, 1)));
}

static void check_kind(struct subject *s, struct rule_outcome *out)
{
    if (!s->kind)
        outcome_set(out, RULE_FAILED, "its kind is the unknown number %lld",
                    (long long)number(s, "kind"));
}

static bool came_with_paddock(const char *file)
{
    static const char *const PLACES[] = {"../lib/paddock/plugins", "../plugins", NULL};
    char folder[PATH_MAX];
    char *real = realpath(file, NULL);
    bool found = real && beside_find(PLACES, folder, sizeof folder);
    size_t len = found ? strlen(folder) : 0;
    found = found && strncmp(real, folder, len) == 0 && real[len] == '/';
    free(real);
    return found;
}

static void check_id(struct subject *s, struct rule_outcome *out)
{
    size_t len = s->id ? strlen(s->id) : 0;
    if (len < 1 || len > 64 || !islower((unsigned char)s->id[0]) ||
        strspn(s->id, "abcdefghijklmnopqrstuvwxyz0123456789._-") != len)
        outcome_set(out, RULE_FAILED, "its id must be [a-z][a-z0-9._-]{0,63}");
    else if (!strchr(s->id, '.') && !came_with_paddock(s->file))
        outcome_set(out, RULE_WARNING,
                    "ids without a dot are for plugins that come with Paddock, others are refused "
                    "by a server: begin with a domain, org.example.%s",
                    s->id);
}

/* Digits, a dot, digits, a dot, digits; then anything after - or +. */
static bool is_semantic(const char *text)
{
    for (int part = 0; part < 3; part++) {
        size_t n = strspn(text, "0123456789");
        if (n == 0 || (n > 1 && *text == '0') || (part < 2 && text[n] != '.'))
            return false;
        text += n + (part < 2);
    }
    return *text == '\0' || ((*text == '-' || *text == '+') && text[1]);
}

static void check_version(struct subject *s, struct rule_outcome *out)
{
    if (!s->version || strlen(s->version) > 64 || !is_semantic(s->version))
        outcome_set(out, RULE_FAILED, "its version must be like 1.0.0, of at most 64 bytes");
}

static void check_summary(struct subject *s, struct rule_outcome *out)
{
    const char *summary = fact(s, "summary");
    if (!summary || !*summary || strlen(summary) > 200 || strpbrk(summary, "\r\n"))
        outcome_set(out, RULE_FAILED, "its summary must be one line of 1 to 200 bytes");
}

static void check_flags(struct subject *s, struct rule_outcome *out)
{
    if (number(s, "unknown_flags"))
        outcome_set(out, RULE_FAILED, "the flags 0x%llx mean nothing",
                    (unsigned long long)number(s, "unknown_flags"));
}

static void check_operations(struct subject *s, struct rule_outcome *out)
{
    if (fact(s, "operations"))
        outcome_set(out, RULE_FAILED, "%.400s", fact(s, "operations"));
}

static void check_config(struct subject *s, struct rule_outcome *out)
{
    if (fact(s, "config"))
        outcome_set(out, RULE_FAILED, "its table of fields: %.400s", fact(s, "config"));
}

/* ---- scenarios of strategies and runtimes ---- */

static bool try_scenario(struct subject *s, const char *scenario, struct bytes *answer,
                         struct err *e)
{
    char seed[32];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)s->o->seed);
    const char *argv[] = {s->worker->program, "--try", scenario, s->file, seed, NULL};
    const struct worker_question q = {.argv = argv,
                                      .input = s->o->config ? s->o->config : "{}",
                                      .limit_ms = (int)s->o->timeout_ms,
                                      .answer_max = FACTS_MAX};
    return worker_ask(&q, answer, e);
}

/* Without a configuration that it needs it cannot be tried; a wrong one is its giver's fault, who
 * must not take it for a good end that nothing was tried. */
static bool is_skipped(const struct subject *s, const json_t *answer)
{
    return json_is_true(json_object_get(answer, "skipped")) &&
           !(s->o->config && json_is_false(json_object_get(answer, "configured")));
}

static void check_scenario(struct subject *s, const char *scenario, struct rule_outcome *out)
{
    struct bytes answer;
    struct err e = {0};
    bool told = try_scenario(s, scenario, &answer, &e);
    json_t *json = told ? json_read(answer.data, answer.len, &e) : NULL;
    if (!json)
        outcome_set(out, RULE_FAILED, "%.500s", e.detail);
    else if (!json_is_true(json_object_get(json, "ok")))
        outcome_set(out, is_skipped(s, json) ? RULE_SKIPPED : RULE_FAILED, "%.500s",
                    json_string_value(json_object_get(json, "detail")));
    json_decref(json);
    bytes_release(&answer);
}

/* ---- the table ---- */

#define INSPECT(name_, kinds_, fatal_, doc_)                                                  \
    {                                                                                         \
        .name = #name_, .kinds = kinds_, .fatal = fatal_, .doc = doc_, .check = check_##name_ \
    }
#define TEST(name_, doc_)                                                      \
    {                                                                          \
        .name = #name_, .kinds = FOR_TEST, .doc = doc_, .check = check_##name_ \
    }
/* Each turn of a strategy would break it again. */
#define TRY_FIRST(name_, kinds_, doc_)                                                  \
    {                                                                                   \
        .name = #name_, .kinds = kinds_, .fatal = true, .doc = doc_, .scenario = #name_ \
    }
#define TRY(name_, kinds_, doc_)                                         \
    {                                                                    \
        .name = #name_, .kinds = kinds_, .doc = doc_, .scenario = #name_ \
    }

const struct rule RULES[] = {
    INSPECT(load, FOR_ALL, true, "it is a shared object of this machine and loads in time"),
    INSPECT(needs, FOR_ALL, false,
            "it links what it uses; nothing is found in the host by accident"),
    INSPECT(constructors, FOR_ALL, false, "loading leaves no thread, descriptor or handler behind"),
    INSPECT(entry, FOR_ALL, true, "it exports paddock_plugin_entry"),
    INSPECT(exports, FOR_ALL, false, "it exports nothing else"),
    INSPECT(abi, FOR_ALL, true, "it was built for a version of the header that this host loads"),
    INSPECT(kind, FOR_ALL, true, "its kind is known"),
    INSPECT(id, FOR_ALL, true, "its id is well-formed and in a domain of its author"),
    INSPECT(version, FOR_ALL, true, "its version is a semantic one"),
    INSPECT(summary, FOR_ALL, true, "its summary is one line"),
    INSPECT(flags, FOR_ALL, false, "it sets no unknown flags"),
    INSPECT(operations, FOR_ALL, true, "it has the functions that its kind must have"),
    INSPECT(config, FOR_ALL, true, "its table of fields is sound, presets included"),

    TEST(returns, "run() comes back: no signal, no exit, no hang"),
    TEST(host_use, "it gives the host no impossible values"),
    TEST(descriptor, "it leaves descriptor 3 alone"),
    TEST(checks, "it makes a check, or says why it does not"),
    TEST(processes, "it leaves no process behind"),
    TEST(failing_model, "a model that fails at every call does not pass"),
    TEST(strange_answers, "NaN, infinity, missing, renamed and short outputs are survived"),
    TEST(empty_data, "a dataset without rows, and none, are survived"),
    TEST(baseline, "a baseline, and none, are survived"),
    TEST(stop, "it winds up when the host says so"),
    TEST(seed, "the same seed gives the same checks"),

    TRY_FIRST(weights, FOR_STRATEGY, "weights of ordinary candidates are finite and not negative"),
    TRY(none, FOR_STRATEGY, "a route without candidates is survived: all but weigh() goes on"),
    TRY(unknown, FOR_STRATEGY, "candidates of which nothing is known are survived"),
    TRY(unhealthy, FOR_STRATEGY, "candidates none of which should serve are survived"),
    TRY(one, FOR_STRATEGY, "a single candidate is served"),
    TRY(thousand, FOR_STRATEGY, "so are a thousand, in time"),
    TRY(changes, FOR_STRATEGY, "candidates come, go, and change places and memory"),
    TRY(outcomes, FOR_STRATEGY, "outcomes of unknown models and extreme values are survived"),
    TRY(deterministic, FOR_STRATEGY, "the same seed and history give the same weights"),
    TRY(state, FOR_STRATEGY, "after load() of what save() wrote all goes on as without"),
    TRY(foreign_state, FOR_STRATEGY, "load() of other bytes is survived"),

    TRY(opens, FOR_RUNTIME, "open() succeeds or says why not"),
    TRY(describes, FOR_RUNTIME, "ready() and metadata() answer, or say why not"),
    TRY(refuses, FOR_RUNTIME, "impossible questions are refused with a reason"),
    TRY(answers, FOR_RUNTIME, "questions as its metadata describe them are survived"),
    TRY(parallel, FOR_RUNTIME, "if it says so, it answers several threads at once"),

    TRY(leak, FOR_STRATEGY | FOR_RUNTIME, "its life, many times over, leaves nothing behind"),
    {.name = NULL},
};

static unsigned kind_bit(const char *kind)
{
    return !kind                           ? 0
           : strcmp(kind, "test") == 0     ? FOR_TEST
           : strcmp(kind, "strategy") == 0 ? FOR_STRATEGY
                                           : FOR_RUNTIME;
}

void check_rule(struct subject *s, const struct rule *rule, struct rule_outcome *out)
{
    *out = (struct rule_outcome){.status = RULE_OK};
    bool general = rule->kinds == FOR_ALL;
    if (s->broken || (!general && !s->facts))
        outcome_set(out, RULE_SKIPPED, "a rule before it is broken");
    else if (!general && !(rule->kinds & kind_bit(s->kind)))
        outcome_set(out, RULE_SKIPPED, "for other kinds");
    else if (!general && s->needs_config)
        outcome_set(out, RULE_SKIPPED, "it cannot run without a configuration: --config");
    else if (rule->scenario)
        check_scenario(s, rule->scenario, out);
    else
        rule->check(s, out);
    if (out->status == RULE_FAILED && rule->fatal)
        s->broken = true;
}

static bool requires_config(const struct subject *s)
{
    struct err e;
    struct arena *a = arena_new(4u << 20);
    const char *text = s->o->config ? NULL : worker_describe(s->worker, s->file, a, &e);
    json_t *d = text ? json_read(text, strlen(text), &e) : NULL;
    const json_t *required = json_object_get(json_object_get(d, "schema"), "required");
    bool needs = json_array_size(required) > 0;
    json_decref(d);
    arena_free(a);
    return needs;
}

void check_begin(struct subject *s)
{
    const char *argv[] = {s->worker->program, "--inspect", s->file, NULL};
    const struct worker_question q = {
        .argv = argv, .limit_ms = (int)s->o->timeout_ms, .answer_max = FACTS_MAX};
    struct bytes answer;
    if (worker_ask(&q, &answer, &s->unloaded))
        s->facts = json_read(answer.data, answer.len, &s->unloaded);
    bytes_release(&answer);
    s->kind = fact(s, "kind_name");
    s->id = fact(s, "id");
    s->version = fact(s, "version");
    s->needs_config = s->kind && requires_config(s);
}

void check_end(struct subject *s)
{
    worker_free(s->first);
    json_decref(s->facts);
}
