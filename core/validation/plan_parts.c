#include "validation/plan_parts.h"

#include "base/json.h"
#include "base/mem.h"
#include "extend/plugin_traits.h"
#include "registry/dataset.h"
#include "registry/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRETS_MAX (1 << 20)

const char *plan_json(struct arena *a, const json_t *value)
{
    struct bytes b = BYTES_INIT(RUN_TEXT_MAX);
    const char *text = NULL;
    if (value)
        json_put_value(&b, value);
    if (value && !b.full)
        text = arena_copy(a, b.data, b.len);
    bytes_release(&b);
    return text;
}

const char *plan_runtime_text(struct arena *a, const struct model *m)
{
    static const char *const NAMES[] = {"runtime"};
    struct slice runtime;
    bool ok = scan_pick((struct slice){m->entity.json, m->entity.json_len}, NAMES, 1, &runtime);
    return ok && runtime.at && runtime.at[0] == '{' ? arena_copy(a, runtime.at, runtime.len) : NULL;
}

static const char *label_of(struct arena *a, struct slice labels, const char *key)
{
    json_t *all = labels.at ? json_read(labels.at, labels.len, NULL) : NULL;
    const char *value = arena_text(a, json_string_value(json_object_get(all, key)));
    json_decref(all);
    return value;
}

const char *plan_policy(struct execution *x, const struct model *m,
                        const struct registered_model *r)
{
    static const char *const NAMES[] = {"labels"};
    struct slice labels = {0};
    const char *own = label_of(x->arena, model_labels(m), "severity_policy");
    if (own)
        return own;
    if (r && scan_pick((struct slice){r->entity.json, r->entity.json_len}, NAMES, 1, &labels))
        own = label_of(x->arena, labels, "severity_policy");
    return own ? own : x->v->config.severity_policy;
}

/* --- what is wrong --- */

static void cannot(struct execution *x, struct planned_test *t, const char *status,
                   const char *message)
{
    if (t->over)
        return;
    t->over = true;
    t->result.status = status;
    t->result.message = arena_text(x->arena, message);
}

static void error(struct execution *x, struct planned_test *t, const char *message)
{
    cannot(x, t, RESULT_STATUSES[2], message);
}

/* What is missing here may be there elsewhere. */
static void missing(struct execution *x, struct planned_test *t, const char *message)
{
    if (x->may_decline && !x->declined)
        x->declined = arena_text(x->arena, message);
    error(x, t, message);
}

/* Whoever ordered the run had a plugin of this digest: with another the figures are not his. */
static bool is_same_plugin(struct execution *x, const struct plugin *p, enum plugin_kind kind,
                           const char *id)
{
    const json_t *of_kind = json_object_get(x->plugins_parsed, plugin_kind_name(kind));
    const char *wanted = json_string_value(json_object_get(of_kind, id));
    if (!x->may_decline || x->declined || (!p && !wanted))
        return true;
    if (p && wanted && strcmp(p->sha256, wanted) == 0)
        return true;
    x->declined =
        p ? arena_printf(x->arena, "the plugin '%.64s' here is %.12s, the run wants %.12s", id,
                         p->sha256, wanted ? wanted : "none")
          : arena_printf(x->arena, "the plugin '%.64s' (%.12s) is not here", id, wanted);
    return false;
}

/* Is the file, links followed, below one of the directories? */
static bool is_allowed(const char *real, const char *const *dirs)
{
    char dir[PATH_MAX];
    for (; dirs && *dirs; dirs++) {
        if (!realpath(*dirs, dir))
            continue;
        size_t len = strlen(dir);
        if (strncmp(real, dir, len) == 0 && (real[len] == '/' || dir[len - 1] == '/'))
            return true;
    }
    return false;
}

/* --- runtimes --- */

/* The runtimes that reach for files are told where they may, and look themselves. */
static const char *add_directories(struct execution *x, json_t *runtime, const char *kind)
{
    const char *const *dirs = NULL;
    if (kind && strcmp(kind, "exec") == 0)
        dirs = x->v->config.exec_dirs;
    if (kind && strcmp(kind, "xgboost") == 0)
        dirs = x->v->config.model_dirs;
    if (!dirs)
        return plan_json(x->arena, runtime);
    json_t *list = json_array();
    char real[PATH_MAX];
    for (; *dirs; dirs++)
        if (realpath(*dirs, real))
            json_array_append_new(list, json_string(real));
    json_object_set_new(runtime, "directories", list);
    return plan_json(x->arena, runtime);
}

/* Programs are only run from where the configuration says. */
static bool may_exec(struct execution *x, const json_t *runtime, const char **why)
{
    char real[PATH_MAX];
    const char *program = json_string_value(json_array_get(json_object_get(runtime, "command"), 0));
    if (program && realpath(program, real) && is_allowed(real, x->v->config.exec_dirs))
        return true;
    *why = arena_printf(x->arena,
                        "the program '%.512s' lies outside the directories that the "
                        "configuration names for programs",
                        program ? program : "");
    return false;
}

/* A saved model that is not on this machine may be on another. */
static bool has_saved_model(struct execution *x, const json_t *runtime, const char **why)
{
    char real[PATH_MAX];
    const char *path = json_string_value(json_object_get(runtime, "path"));
    if (!x->may_decline || !path || realpath(path, real))
        return true;
    *why =
        arena_printf(x->arena, "the saved model '%.512s' is not here: %s", path, strerror(errno));
    return false;
}

static json_t *read_secrets(const char *path, const char **why)
{
    char *text = NULL;
    struct stat st;
    json_t *secrets = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        *why = "the secrets file cannot be read";
    } else if (st.st_mode & 077) {
        *why = "the secrets file may be read by others than its owner; chmod 600 it";
    } else if (!S_ISREG(st.st_mode) || st.st_size > SECRETS_MAX) {
        *why = "the secrets file is too large";
    } else {
        text = mem_alloc((size_t)st.st_size + 1);
        ssize_t n = read(fd, text, (size_t)st.st_size);
        secrets = n > 0 ? json_read(text, (size_t)n, NULL) : NULL;
        if (!json_is_object(secrets))
            *why = "the secrets file is not a JSON object";
    }
    if (fd >= 0)
        close(fd);
    free(text);
    return secrets;
}

/* The runtime with the secret in the place of its name; NULL and why. */
static const char *with_secret(struct execution *x, const char *runtime, const char **kind,
                               const char **why)
{
    json_t *object = json_read(runtime, strlen(runtime), NULL);
    const char *name = json_string_value(json_object_get(object, "secret"));
    const char *text = NULL;
    *kind = arena_text(x->arena, json_string_value(json_object_get(object, "kind")));
    const bool able =
        !*kind || ((strcmp(*kind, "exec") != 0 || may_exec(x, object, why)) &&
                   (strcmp(*kind, "xgboost") != 0 || has_saved_model(x, object, why)));
    if (able)
        text = add_directories(x, object, *kind);
    if (text && name) {
        const char *file = x->v->config.secrets_file;
        json_t *secrets = file ? read_secrets(file, why) : NULL;
        json_t *value = json_object_get(secrets, name);
        if (json_is_string(value)) {
            json_object_set(object, "secret", value);
            text = plan_json(x->arena, object);
        } else {
            text = NULL;
            if (!*why)
                *why = arena_printf(x->arena, "the configuration has no secret '%.128s'", name);
        }
        json_decref(secrets);
    }
    json_decref(object);
    return text;
}

/* False, and why, if the model has a runtime that cannot be used. */
static bool plan_runtime(struct execution *x, struct job_model *m, const char **why)
{
    const char *kind;
    if (!m->runtime)
        return true;
    m->runtime = with_secret(x, m->runtime, &kind, why);
    const struct plugin *p =
        m->runtime && kind ? plugin_find(x->plugins, PLUGIN_RUNTIME, kind) : NULL;
    if (m->runtime && kind && !is_same_plugin(x, p, PLUGIN_RUNTIME, kind))
        return m->runtime = NULL, false;
    if (m->runtime && !p)
        *why = arena_printf(x->arena, "no runtime '%.64s' is loaded; see GET .../plugins",
                            kind ? kind : "");
    if (!m->runtime || !p) {
        m->runtime = NULL;
        return false;
    }
    m->runtime_file = p->copy;
    return true;
}

void plan_runtimes(struct execution *x, struct job_model *subject, struct job_model *base)
{
    const char *why = NULL, *ignored = NULL;
    if (!plan_runtime(x, subject, &why))
        for (size_t i = 0; i < x->n; i++)
            missing(x, &x->tests[i], why ? why : x->declined);
    bool itself = base->model_id && strcmp(base->model_id, subject->model_id) == 0;
    if (itself || !plan_runtime(x, base, &ignored)) {
        base->runtime = base->runtime_file = NULL;
        if (x->may_decline && !x->declined && ignored)
            x->declined = ignored; /* with which nothing could be compared */
    }
}

/* --- data --- */

static void add_dataset(struct execution *x, struct planned_test *t, struct job_dataset *slot,
                        const struct view *v, const char *id)
{
    const struct document *d = view_document(v, &DATASET_TYPE, x->ns, id);
    *slot = (struct job_dataset){.name = arena_text(x->arena, id)};
    if (!d) {
        error(x, t, arena_printf(x->arena, "the dataset '%.128s' does not exist any more", id));
        return;
    }
    const struct dataset *set = d->fields;
    slot->path = arena_text(x->arena, dataset_path(set->uri));
    slot->sha256 = arena_text(x->arena, set->sha256);
    slot->format = arena_text(x->arena, set->format);
    slot->label = arena_text(x->arena, set->label_column);
}

void plan_datasets(struct execution *x, struct planned_test *t, const struct view *v,
                   const char *ids)
{
    json_t *list = json_read(ids, strlen(ids), NULL);
    size_t n = json_array_size(list);
    n = n > RESULT_DATASETS_MAX ? RESULT_DATASETS_MAX : n;
    struct job_dataset *sets = arena_zero(x->arena, (n + 1) * sizeof *sets);
    for (size_t i = 0; i < n; i++)
        add_dataset(x, t, &sets[i], v, json_string_value(json_array_get(list, i)));
    t->job.datasets = sets;
    t->job.n_datasets = n;
    json_decref(list);
}

static const char *digest_file(struct arena *a, const char *path, const char **why)
{
    struct stat st;
    char hex[SHA256_HEX_SIZE];
    const char *digest = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) != 0) {
        *why = arena_printf(a, "'%s' cannot be read: %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        *why = arena_printf(a, "'%s' is no regular file", path);
    } else if (st.st_size == 0) {
        sha256_hex("", 0, hex);
        digest = arena_text(a, hex);
    } else {
        void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (at == MAP_FAILED) {
            *why = arena_printf(a, "'%s' cannot be read: %s", path, strerror(errno));
        } else {
            sha256_hex(at, (size_t)st.st_size, hex);
            munmap(at, (size_t)st.st_size);
            digest = arena_text(a, hex);
        }
    }
    if (fd >= 0)
        close(fd);
    return digest;
}

/* The real path and the digest; a digest that was given is checked by the worker, which reads the
 * file itself. */
static bool open_dataset(struct execution *x, struct job_dataset *set, const char **why)
{
    char real[PATH_MAX];
    if (!realpath(set->path, real)) {
        *why = arena_printf(x->arena, "the file of dataset '%.128s' cannot be opened: %s",
                            set->name, strerror(errno));
        return false;
    }
    if (!is_allowed(real, x->v->config.dataset_dirs)) {
        *why = arena_printf(x->arena,
                            "the file of dataset '%.128s' lies outside the directories that the "
                            "configuration names for data",
                            set->name);
        return false;
    }
    set->path = arena_text(x->arena, real);
    if (!set->sha256)
        set->sha256 = digest_file(x->arena, real, why);
    return set->sha256 != NULL;
}

static void open_datasets(struct execution *x, struct planned_test *t)
{
    struct job_dataset *sets = (struct job_dataset *)(uintptr_t)t->job.datasets;
    size_t n = t->job.n_datasets;
    struct result_dataset *out = arena_zero(x->arena, (n + 1) * sizeof *out);
    const char *why = NULL;
    for (size_t i = 0; i < n && !t->over; i++) {
        if (!open_dataset(x, &sets[i], &why))
            missing(x, t, why);
        out[i] = (struct result_dataset){sets[i].name, sets[i].sha256 ? sets[i].sha256 : ""};
        t->result.datasets_len = i + 1;
    }
    t->result.datasets = out;
}

/* --- the test --- */

static void plan_config(struct execution *x, struct planned_test *t)
{
    struct faults faults;
    char hex[SHA256_HEX_SIZE];
    faults_init(&faults, x->arena);
    json_t *given = json_read(t->job.config, strlen(t->job.config), NULL);
    json_t *full = plugin_check_config(t->plugin, given, "/config", &faults);
    if (full) {
        t->job.config = plan_json(x->arena, full);
    } else {
        error(x, t,
              arena_printf(x->arena, "%s of the configuration %s",
                           faults.listed ? faults.list[0].pointer : "something",
                           faults.listed ? faults.list[0].detail : "does not fit the plugin"));
    }
    sha256_hex(t->job.config, strlen(t->job.config), hex);
    t->result.config_sha256 = arena_text(x->arena, hex);
    json_decref(full);
    json_decref(given);
}

void plan_test(struct execution *x, struct planned_test *t, const struct job_model *subject,
               const struct job_model *base)
{
    const struct plugin *p = plugin_find(x->plugins, PLUGIN_TEST, t->result.type);
    t->plugin = p;
    t->job.subject = *subject;
    t->job.baseline = base;
    if (!is_same_plugin(x, p, PLUGIN_TEST, t->result.type))
        return;
    if (!p) {
        error(x, t,
              arena_printf(x->arena, "no plugin for tests of type '%.128s' is loaded",
                           t->result.type));
        return;
    }
    t->result.plugin = (struct result_plugin){p->id, p->version, p->sha256};
    t->job.plugin_file = p->copy;
    t->job.plugin_sha256 = p->sha256;
    t->alone = plugin_is_alone(p);
    plan_config(x, t);
    if (plugin_needs_dataset(p) && t->job.n_datasets == 0)
        error(x, t, "tests of this type need a dataset, and the test case names none");
    open_datasets(x, t);
    if (plugin_needs_baseline(p) && !base)
        cannot(x, t, RESULT_STATUSES[5],
               "tests of this type compare with a baseline, and there is none that can be called");
}
