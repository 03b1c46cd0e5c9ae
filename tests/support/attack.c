#include "support/attack.h"

#include "base/clock.h"
#include "base/mem.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static char *read_script(const char *path, size_t *len)
{
    char *text = mem_zero(1, SALT_MAX * 1024);
    FILE *file = fopen(path, "r");
    if (!file)
        abort();
    *len = fread(text, 1, SALT_MAX * 1024 - 1, file);
    fclose(file);
    return text;
}

static void read_expectation(const char *text, struct attack_end *end)
{
    const char *at = strstr(text, "expect: ");
    if (!at || sscanf(at, "expect: %15[a-z]", end->expected) != 1)
        snprintf(end->expected, sizeof end->expected, "none given");
}

static const char *word(bool good, const struct err *e)
{
    return good ? "ok" : strstr(e->detail, "used up its") ? "limit" : "error";
}

/* The attack's own policy answers with its `decide`, so what is asked afterwards is whether its
 * state still does what states do: it is made to decide with a context it cannot fail on. */
static bool still_usable(void)
{
    static const char GOOD[] = "return { summary = 's', decide = function(flag, ctx, env)\n"
                               "  return ctx.country == 'ch' and ('ON'):lower() or 'off', 'SPLIT'\n"
                               "end }";
    static const char *const VARIANTS[] = {"off", "on"};
    struct err e = {0};
    struct policy *p = policy_load(POLICY_ROLLOUT, "good", GOOD, sizeof GOOD - 1, &e);
    if (!p)
        return false;
    const struct flag_facts facts = {
        .key = "f", .salt = "f", .variants = VARIANTS, .variant_count = 2};
    struct policy_flag *flag = policy_flag_add(p, &facts);
    json_t *context = json_pack("{s:s}", "country", "ch");
    const struct policy_env env = {0};
    struct policy_decision out;
    bool good = policy_decide(p, flag, context, &env, &out, &e) && out.variant == 1;
    json_decref(context);
    policy_free(p);
    return good;
}

static void call_attack(struct policy *p, struct attack_end *end)
{
    static const char *const VARIANTS[] = {"off", "on"};
    json_t *params = json_pack("{s:i}", "percent", 1);
    const struct flag_facts facts = {
        .key = "f", .salt = "f", .variants = VARIANTS, .variant_count = 2, .params = params};
    struct policy_flag *flag = policy_flag_add(p, &facts);
    json_t *context = json_pack("{s:s,s:s,s:{s:{s:i}}}", "targetingKey", "u1", "country", "ch",
                                "nested", "deep", "value", 0);
    const struct policy_env env = {.now_ms = 1};
    struct policy_decision out;
    struct err e = {0};
    double before = cpu_ms();
    bool good = policy_decide(p, flag, context, &env, &out, &e);
    double took = cpu_ms() - before;
    end->cpu_ms = took > end->cpu_ms ? took : end->cpu_ms;
    snprintf(end->happened, sizeof end->happened, "%s", word(good, &e));
    snprintf(end->detail, sizeof end->detail, "%s", e.detail);
    end->steps = policy_steps(p);
    size_t peak = policy_memory_peak(p);
    /* once more, in whatever state it left: the same must come of it */
    struct err again = {0};
    bool same = policy_decide(p, flag, context, &env, &out, &again) == good &&
                strcmp(word(good, &again), end->happened) == 0;
    end->memory_peak = peak > policy_memory_peak(p) ? peak : policy_memory_peak(p);
    end->usable = same && still_usable();
    json_decref(params);
    json_decref(context);
}

void attack_run(const char *path, struct attack_end *end)
{
    size_t len;
    struct err e = {0};
    *end = (struct attack_end){.cpu_ms = 0};
    char *text = read_script(path, &len);
    read_expectation(text, end);
    double before = cpu_ms();
    struct policy *p = policy_load(POLICY_ROLLOUT, "attack", text, len, &e);
    end->cpu_ms = cpu_ms() - before;
    if (p) {
        call_attack(p, end);
    } else {
        snprintf(end->happened, sizeof end->happened, "broken");
        snprintf(end->detail, sizeof end->detail, "%s", e.detail);
        end->usable = still_usable();
    }
    policy_free(p);
    free(text);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **attack_list(const char *dir)
{
    size_t n = 0;
    char **paths = mem_zero(512, sizeof *paths);
    DIR *d = opendir(dir);
    const struct dirent *file;
    while (d && n < 511 && (file = readdir(d))) {
        char path[4096];
        if (!strstr(file->d_name, ".lua"))
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, file->d_name);
        paths[n++] = mem_text(path);
    }
    if (d)
        closedir(d);
    qsort(paths, n, sizeof *paths, by_text);
    return paths;
}
