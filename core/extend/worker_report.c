#include "extend/worker_report.h"

#include "base/grow.h"
#include "base/json.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void worker_report_init(struct worker_report *r, const char *nonce, struct arena *arena)
{
    *r = (struct worker_report){.arena = arena, .line = BYTES_INIT(REPORT_LINE)};
    snprintf(r->nonce, sizeof r->nonce, "%s", nonce);
}

void worker_report_release(struct worker_report *r)
{
    bytes_release(&r->line);
    free(r->checks);
    free(r->measurements);
    r->checks = NULL;
    r->measurements = NULL;
}

/* ---- members of a line ---- */

/* Memory that may run out, since a plugin decides how much is wanted. Some is kept back for the
 * verdict. */
static void *take(struct worker_report *r, size_t size)
{
    void *memory = NULL;
    if (arena_left(r->arena) > size + (64 << 10))
        memory = arena_alloc(r->arena, size);
    if (!memory)
        r->overrun = true;
    return memory;
}

/* A text member, cut to REPORT_TEXT; NULL if there is none. */
static const char *text_of(struct worker_report *r, const json_t *body, const char *key)
{
    const json_t *value = json_object_get(body, key);
    if (!json_is_string(value))
        return NULL;
    size_t len = utf8_cut(json_string_value(value), json_string_length(value), REPORT_TEXT);
    char *copy = take(r, len + 1);
    if (!copy)
        return "";
    memcpy(copy, json_string_value(value), len);
    copy[len] = '\0';
    return copy;
}

static const char *must_text(struct worker_report *r, const json_t *body, const char *key)
{
    const char *text = text_of(r, body, key);
    return text ? text : "";
}

static double number_of(const json_t *body, const char *key, double otherwise)
{
    const json_t *value = json_object_get(body, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

static uint64_t count_of(const json_t *body, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(body, key));
    return n > 0 ? (uint64_t)n : 0;
}

/* An array of exactly n finite numbers; NULL if it is none. */
static const double *values_of(struct worker_report *r, const json_t *body, const char *key,
                               size_t n)
{
    const json_t *array = json_object_get(body, key);
    if (n == 0 || json_array_size(array) != n || r->n_values + n > REPORT_VALUES)
        return NULL;
    double *values = take(r, n * sizeof *values);
    if (!values)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(array, i);
        if (!json_is_number(item))
            return NULL;
        values[i] = json_number_value(item);
    }
    r->n_values += n;
    return values;
}

/* ---- kinds ---- */

static void take_loaded(struct worker_report *r, const json_t *body)
{
    if (r->plugin_id)
        return;
    r->plugin_id = must_text(r, body, "id");
    r->plugin_version = must_text(r, body, "version");
}

static void take_run(struct worker_report *r, const json_t *body)
{
    (void)body;
    r->running = true;
}

/* "name: detail" */
static const char *sentence(struct worker_report *r, const char *name, const char *detail)
{
    size_t size = strlen(name) + strlen(detail) + 3;
    char *text = take(r, size);
    if (!text)
        return detail;
    snprintf(text, size, "%s: %s", name, detail);
    return text;
}

static void take_check(struct worker_report *r, const json_t *body)
{
    struct worker_check check = {.ok = json_is_true(json_object_get(body, "ok"))};
    const char *level = json_string_value(json_object_get(body, "level"));
    check.warn = level && strcmp(level, "warn") == 0;
    r->checks_total++;
    bool listed = r->n_checks < REPORT_CHECKS;
    bool decides = !check.ok && !check.warn && !r->failed;
    if (!listed && !decides)
        return;
    check.name = must_text(r, body, "name");
    check.detail = must_text(r, body, "detail");
    if (decides)
        r->failed = sentence(r, check.name, check.detail);
    if (!listed) /* what decides is always in the list */
        r->n_checks--;
    GROW(r->checks, r->n_checks, r->room_checks);
    r->checks[r->n_checks++] = check;
}

static void take_measure(struct worker_report *r, const json_t *body)
{
    size_t n = json_array_size(json_object_get(body, "values"));
    double value = number_of(body, "value", NAN);
    if (r->n_measurements == REPORT_CHECKS || !isfinite(value))
        return;
    GROW(r->measurements, r->n_measurements, r->room_measurements);
    struct worker_measurement *m = &r->measurements[r->n_measurements++];
    *m = (struct worker_measurement){
        .name = must_text(r, body, "name"),
        .unit = text_of(r, body, "unit"),
        .value = value,
        .better = (unsigned)count_of(body, "better"),
        .critical = json_is_true(json_object_get(body, "critical")),
        .target = number_of(body, "target", 0),
        .margin_ratio = number_of(body, "margin_ratio", 0),
        .samples = count_of(body, "samples"),
        .variance = number_of(body, "variance", NAN),
        .values = values_of(r, body, "values", n),
    };
    m->n_values = m->values ? n : 0;
    m->baseline_values = values_of(r, body, "baseline_values", m->n_values);
}

static void take_first(struct worker_report *r, const json_t *body, const char **where)
{
    if (!*where)
        *where = must_text(r, body, "message");
}

static void take_skip(struct worker_report *r, const json_t *body)
{
    take_first(r, body, &r->skip);
}

static void take_error(struct worker_report *r, const json_t *body)
{
    take_first(r, body, &r->error);
}

static void take_fault(struct worker_report *r, const json_t *body)
{
    take_first(r, body, &r->fault);
}

static void take_crash(struct worker_report *r, const json_t *body)
{
    if (!r->crash)
        r->crash = must_text(r, body, "where");
}

static void take_end(struct worker_report *r, const json_t *body)
{
    r->ended = true;
    r->checks_claimed = count_of(body, "checks");
    r->duration_ms = number_of(body, "duration_ns", 0) / 1e6;
}

static void take_stage(struct worker_report *r, const json_t *body)
{
    struct stage_end *s = &r->stage;
    const char *end = json_string_value(json_object_get(body, "end"));
    if (s->told || !end)
        return;
    s->told = true;
    snprintf(s->end, sizeof s->end, "%s", end);
    s->code = (int)count_of(body, "code");
    s->signal = (int)count_of(body, "signal");
    s->foreign = count_of(body, "foreign");
    s->left_behind = (unsigned)count_of(body, "left_behind");
    s->cpu_ns = count_of(body, "cpu_ns");
    s->max_rss = count_of(body, "max_rss");
    s->detail = must_text(r, body, "detail");
    if (r->running && !r->ended)
        r->duration_ms = number_of(body, "run_ns", 0) / 1e6;
}

static const struct {
    const char *kind;
    void (*take)(struct worker_report *r, const json_t *body);
} KINDS[] = {
    {"loaded", take_loaded},   {"run", take_run},     {"check", take_check},
    {"measure", take_measure}, {"skip", take_skip},   {"error", take_error},
    {"fault", take_fault},     {"crash", take_crash}, {"end", take_end},
    {"stage", take_stage},
};

/* ---- lines ---- */

static void take_line(struct worker_report *r, const char *line, size_t len)
{
    json_t *object = NULL;
    if (len < KIND_AT || memcmp(line, NONCE_HEAD, NONCE_AT) != 0 ||
        memcmp(line + NONCE_AT, r->nonce, NONCE_LEN) != 0)
        goto foreign;
    object = json_read(line, len, NULL);
    if (!json_is_object(object) || json_object_size(object) != 2)
        goto foreign;
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        const json_t *body = json_object_get(object, KINDS[i].kind);
        if (!json_is_object(body))
            continue;
        KINDS[i].take(r, body);
        json_decref(object);
        return;
    }
foreign:
    r->foreign++;
    json_decref(object);
}

static void add_to_line(struct worker_report *r, const char *data, size_t len)
{
    if (!r->skipping && !bytes_add(&r->line, data, len)) {
        r->skipping = true; /* too long: none of ours */
        bytes_clear(&r->line);
    }
}

void worker_report_feed(struct worker_report *r, const char *data, size_t len)
{
    if (r->total + len > REPORT_TOTAL) {
        r->overrun = true;
        return;
    }
    r->total += len;
    while (len) {
        const char *newline = memchr(data, '\n', len);
        size_t part = newline ? (size_t)(newline - data) : len;
        add_to_line(r, data, part);
        if (!newline)
            return;
        if (r->skipping)
            r->foreign++;
        else
            take_line(r, r->line.data ? r->line.data : "", r->line.len);
        r->skipping = false;
        bytes_clear(&r->line);
        data += part + 1;
        len -= part + 1;
    }
}
