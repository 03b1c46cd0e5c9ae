/* Figures of the Lua sandbox.
 *
 *   policy attacks DIR   each attack script: processor time, steps, memory, how it ended
 *   policy calls         nanoseconds of a decision
 *   policy bulk          microseconds of asking 100 flags with one context
 */
#include "extend/policy.h"
#include "support/attack.h"
#include "support/flags.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CALLS    20000 /* of a round: short ones find the machine at rest */
#define ROUNDS   100
#define CONTEXTS 100 /* few enough for the cache, as a context just read from a body is */

static int attacks(const char *dir)
{
    char **paths = attack_list(dir);
    double worst_ms = 0;
    size_t worst_bytes = 0, wrong = 0, n = 0;
    printf("%-28s %-7s %9s %9s %9s  %s\n", "attack", "ended", "cpu ms", "steps", "KiB", "said");
    for (; paths[n]; n++) {
        struct attack_end end;
        attack_run(paths[n], &end);
        const char *name = strrchr(paths[n], '/') + 1;
        bool right = strcmp(end.expected, end.happened) == 0 && end.usable;
        printf("%-28s %-7s %9.3f %9" PRId64 " %9zu  %.90s%s\n", name, end.happened, end.cpu_ms,
               end.steps, end.memory_peak / 1024, end.detail, right ? "" : "  WRONG");
        worst_ms = end.cpu_ms > worst_ms ? end.cpu_ms : worst_ms;
        worst_bytes = end.memory_peak > worst_bytes ? end.memory_peak : worst_bytes;
        wrong += !right;
        free(paths[n]);
    }
    free(paths);
    printf("%zu attacks, %zu ended otherwise than expected; worst %.2f ms of processor, %zu KiB\n",
           n, wrong, worst_ms, worst_bytes / 1024);
    return wrong || n == 0 || worst_ms > 10;
}

/* Processor time, so that whoever else uses the machine does not count. */
static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static const char RULE[] =
    "return { summary = 'six fields', params = { percent = { type = 'number', default = 20 } },\n"
    "  decide = function(flag, ctx, env)\n"
    "    if ctx.country == 'ch' and ctx.plan == 'pro' and ctx.beta and ctx.platform == 'ios'\n"
    "       and ctx.age < 65 and env.bucket(ctx.targetingKey) < flag.params.percent then\n"
    "      return 'on', 'SPLIT'\n"
    "    end\n"
    "    return 'off', 'DEFAULT'\n"
    "  end }";

static json_t *context_of(int i)
{
    char unit[32], plan[8];
    snprintf(unit, sizeof unit, "user-%d", i);
    snprintf(plan, sizeof plan, "%s", i % 3 ? "pro" : "free");
    return json_pack("{s:s,s:s,s:s,s:b,s:s,s:i}", "targetingKey", unit, "country",
                     i % 5 ? "ch" : "at", "plan", plan, "beta", i % 7 != 0, "platform",
                     i % 2 ? "ios" : "web", "age", 18 + i % 60);
}

static double best_ns(struct policy *p, struct policy_flag *flag, json_t **contexts, size_t n)
{
    double best = 1e9;
    const struct policy_env env = {.now_ms = 1};
    for (int round = 0; round < ROUNDS; round++) {
        double start = cpu_ns();
        for (int i = 0; i < CALLS; i++) {
            struct policy_decision out;
            struct err e;
            if (!policy_decide(p, flag, contexts[(size_t)i % n], &env, &out, &e)) {
                fprintf(stderr, "%s\n", e.detail);
                exit(1);
            }
        }
        double ns = (cpu_ns() - start) / CALLS;
        best = ns < best ? ns : best;
    }
    return best;
}

static int calls(void)
{
    static const char *const VARIANTS[] = {"off", "on"};
    struct err e = {0};
    json_t *contexts[CONTEXTS];
    struct policy *p = policy_load(POLICY_ROLLOUT, "rule", RULE, sizeof RULE - 1, &e);
    if (!p) {
        fprintf(stderr, "%s\n", e.detail);
        return 1;
    }
    json_t *params = json_pack("{s:i}", "percent", 20);
    const struct flag_facts facts = {
        .key = "f", .salt = "f", .variants = VARIANTS, .variant_count = 2, .params = params};
    struct policy_flag *flag = policy_flag_add(p, &facts);
    for (int i = 0; i < CONTEXTS; i++)
        contexts[i] = context_of(i);
    double varying = best_ns(p, flag, contexts, CONTEXTS), same = best_ns(p, flag, contexts, 1);
    printf("a rule with six context fields: %.0f ns, other context each time (bound 500: %s)\n",
           varying, varying <= 500 ? "pass" : "FAIL");
    printf("the same context again:         %.0f ns\n", same);
    printf("the state holds %zu bytes\n", policy_memory(p));
    double start = cpu_ns();
    for (int i = 0; i < 1000; i++)
        policy_free(policy_load(POLICY_ROLLOUT, "rule", RULE, sizeof RULE - 1, &e));
    printf("load and free:                  %.1f us\n", (cpu_ns() - start) / 1e6);
    for (int i = 0; i < CONTEXTS; i++)
        json_decref(contexts[i]);
    json_decref(params);
    policy_free(p);
    return varying > 500;
}

#define FLAGS       100
#define BULK_ROUNDS 100

/* Microseconds of asking all flags with each of some contexts, one after the other, per context: to
 * ask for the processor time costs more than a few of them. */
static double bulk_us(const struct flags_fixture *x, const struct document **flags,
                      json_t *const *contexts)
{
    double start = cpu_ns();
    for (int c = 0; c < CONTEXTS; c++) {
        uint64_t id = flag_set_context_id(x->set);
        for (int i = 0; i < FLAGS; i++) {
            struct flag_answer a;
            const struct flag_question q = {.view = x->view,
                                            .ns = "default",
                                            .context = contexts[c],
                                            .context_id = id,
                                            .at_ms = 1};
            flag_set_ask(x->set, flags[i], &q, &a);
            if (a.error) {
                fprintf(stderr, "%s\n", a.error);
                exit(1);
            }
        }
    }
    return (cpu_ns() - start) / 1e3 / CONTEXTS;
}

/* A hundred flags of the shipped policies, as a bulk evaluation asks them: other units, one after
 * the other. */
static int bulk(void)
{
    struct flags_fixture x;
    const struct document *flags[FLAGS];
    json_t *contexts[CONTEXTS];
    double best = 1e9;
    flags_open(&x, NULL);
    for (int i = 0; i < FLAGS; i++) {
        char key[16];
        snprintf(key, sizeof key, "flag-%d", i);
        flags_put(&x, ENTITY_FLAG, key, 1, 0,
                  i % 2 ? "\"variants\":{\"off\":0,\"on\":1},\"default_variant\":\"off\","
                          "\"policy\":\"percentage\",\"params\":{\"weights\":{\"on\":50,"
                          "\"off\":50}},\"allocation\":[{\"from\":0,\"to\":50000,\"variant\":"
                          "\"off\"},{\"from\":50000,\"to\":100000,\"variant\":\"on\"}]"
                        : "\"variants\":{\"off\":0,\"on\":1},\"default_variant\":\"off\","
                          "\"policy\":\"sticky_canary\",\"params\":{\"percent\":20,"
                          "\"variant\":\"on\"}");
    }
    for (int i = 0; i < FLAGS; i++) {
        char key[16];
        snprintf(key, sizeof key, "flag-%d", i);
        flags[i] = view_document(x.view, &FLAG_TYPE, "default", key);
    }
    for (int i = 0; i < CONTEXTS; i++)
        contexts[i] = context_of(i);
    for (int round = 0; round < BULK_ROUNDS; round++) {
        double us = bulk_us(&x, flags, contexts);
        best = us < best ? us : best;
    }
    for (int i = 0; i < CONTEXTS; i++)
        json_decref(contexts[i]);
    printf("100 flags with one context: %.1f us (bound 30: %s)\n", best,
           best <= 30 ? "pass" : "FAIL");
    flags_close(&x);
    return best > 30;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "attacks") == 0)
        return attacks(argv[2]);
    if (argc == 2 && strcmp(argv[1], "calls") == 0)
        return calls();
    if (argc == 2 && strcmp(argv[1], "bulk") == 0)
        return bulk();
    fputs("usage: policy attacks DIR | policy calls | policy bulk\n", stderr);
    return 2;
}
