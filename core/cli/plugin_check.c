/* `paddock plugin check`: hold plugins to the contract. */
#include "cli/check.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const STATUS_NAMES[] = {[RULE_OK] = "ok",
                                           [RULE_FAILED] = "failed",
                                           [RULE_WARNING] = "warning",
                                           [RULE_SKIPPED] = "skipped"};

struct report {
    const struct subject *subject;
    struct bytes json;
    unsigned count[RULE_SKIPPED + 1];
};

static void show_rule(struct report *r, const struct rule *rule, const struct rule_outcome *out)
{
    r->count[out->status]++;
    if (!r->subject->o->json) {
        bool loud = out->status == RULE_FAILED;
        printf("  %-8s %-16s %s\n", loud ? "FAILED" : STATUS_NAMES[out->status], rule->name,
               out->status == RULE_OK ? rule->doc : out->detail);
        return;
    }
    bytes_text(&r->json, r->json.data[r->json.len - 1] == '[' ? "{" : ",{");
    json_kv_string(&r->json, "rule", rule->name);
    json_kv_string(&r->json, "status", STATUS_NAMES[out->status]);
    json_kv_string(&r->json, "detail", out->detail);
    bytes_char(&r->json, '}');
}

static void show_head(struct report *r)
{
    const struct subject *s = r->subject;
    if (!s->o->json) {
        printf("%s: %s %s %s\n", s->file, s->kind ? s->kind : "of no known kind",
               s->id ? s->id : "", s->version ? s->version : "");
        return;
    }
    bytes_char(&r->json, '{');
    json_kv_string(&r->json, "file", s->file);
    json_kv_string(&r->json, "kind", s->kind);
    json_kv_string(&r->json, "id", s->id);
    json_kv_string(&r->json, "version", s->version);
    json_kv_int(&r->json, "seed", (int64_t)s->o->seed);
    json_key(&r->json, "rules");
    bytes_char(&r->json, '[');
}

static void show_end(struct report *r)
{
    if (!r->subject->o->json) {
        printf("%s: %u ok, %u failed, %u warnings, %u skipped; seed %llu\n",
               r->count[RULE_FAILED] ? "FAILED" : "good", r->count[RULE_OK], r->count[RULE_FAILED],
               r->count[RULE_WARNING], r->count[RULE_SKIPPED],
               (unsigned long long)r->subject->o->seed);
        return;
    }
    bytes_char(&r->json, ']');
    json_kv_bool(&r->json, "good", r->count[RULE_FAILED] == 0);
    bytes_char(&r->json, '}');
    puts(r->json.data);
}

/* Rules that are not for its kind are not worth a line. */
static bool shown(const struct subject *s, const struct rule *rule)
{
    return !s->o->only || strcmp(s->o->only, rule->name) == 0 || rule->kinds == FOR_ALL;
}

static bool check_file(const struct plugin_options *o, const struct worker_settings *worker,
                       const char *file, const char *made)
{
    struct subject s = {.o = o, .worker = worker, .file = file, .made = made};
    struct report r = {.subject = &s, .json = BYTES_INIT(4u << 20)};
    check_begin(&s);
    show_head(&r);
    for (const struct rule *rule = RULES; rule->name; rule++) {
        struct rule_outcome out;
        if (!shown(&s, rule) && strcmp(rule->name, "returns") != 0)
            continue;
        check_rule(&s, rule, &out);
        bool other = out.status == RULE_SKIPPED && strcmp(out.detail, "for other kinds") == 0;
        bool asked_for = !o->only || strcmp(o->only, rule->name) == 0;
        if (!other && asked_for)
            show_rule(&r, rule, &out);
    }
    show_end(&r);
    check_end(&s);
    bytes_release(&r.json);
    return r.count[RULE_FAILED] == 0;
}

static int list_rules(void)
{
    for (const struct rule *rule = RULES; rule->name; rule++)
        printf("%-16s %s\n", rule->name, rule->doc);
    return 0;
}

static bool known(const char *name)
{
    const struct rule *rule = RULES;
    while (rule->name && strcmp(rule->name, name) != 0)
        rule++;
    return rule->name != NULL;
}

static int check_all(const struct plugin_options *o, struct err *e)
{
    const struct worker_settings worker = {.program = plugin_worker_program(o->arena, e)};
    char made[] = "/tmp/paddock-check-XXXXXX";
    if (!worker.program)
        return 2;
    if (o->only && !known(o->only))
        return fail(e, &ERR_INVALID, "there is no rule '%s'; see --list", o->only) + 2;
    if (!mkdtemp(made))
        return fail_errno(e, &ERR_INTERNAL, "/tmp") + 1;
    bool good = true;
    for (size_t i = 0; i < o->n_files; i++) {
        const char *file = o->files[i];
        if (!strchr(file, '/'))
            file = arena_printf(o->arena, "./%s", file);
        good = check_file(o, &worker, file, made) && good;
    }
    unlink(arena_printf(o->arena, "%s/practice.csv", made));
    rmdir(made);
    return good ? 0 : 1;
}

int plugin_check(int argc, char **argv)
{
    struct plugin_options o;
    struct err e = {0};
    int status = 2;
    if (plugin_options_read(&o, "check", argc, argv))
        status = o.list ? list_rules() : check_all(&o, &e);
    if (e.kind)
        fprintf(stderr, "paddock plugin check: %s\n", e.detail);
    arena_free(o.arena);
    return status;
}
