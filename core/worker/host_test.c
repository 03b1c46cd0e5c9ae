/* What a test reports. */
#include "base/json.h"
#include "base/utf8.h"
#include "extend/worker_protocol.h"
#include "worker/host_parts.h"
#include "worker/report.h"
#include "worker/run.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static bool name_fits(const char *what, const char *name)
{
    size_t len = name ? strnlen(name, 64) : 0;
    if (len >= 1 && len <= 63 && name[0] >= 'a' && name[0] <= 'z' &&
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.") == len)
        return true;
    run_fault("the name of a %s must be [a-z][a-z0-9_.]{0,62}, got '%.64s'", what,
              name ? name : "(null)");
    return false;
}

void host_check(paddock_test *t, uint32_t level, bool ok, const char *name, const char *format,
                va_list args)
{
    (void)t;
    if (!name_fits("check", name))
        return;
    struct bytes line = BYTES_INIT(16 * REPORT_TEXT);
    json_kv_string(&line, "name", name);
    json_kv_bool(&line, "ok", ok);
    json_kv_string(&line, "level", level == PADDOCK_WARN ? "warn" : "fail");
    report_member(&line, "detail", format, args);
    atomic_fetch_add(&RUN.checks, 1);
    report_line("check", &line);
    bytes_release(&line);
}

/* ---- measurements ---- */

/* How many raw samples are kept of n: at most PADDOCK_MAX_VALUES, evenly spread, and no more than
 * is left for the whole run. */
static size_t budget(size_t n)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static size_t used;
    if (n > PADDOCK_MAX_VALUES)
        n = PADDOCK_MAX_VALUES;
    pthread_mutex_lock(&lock);
    if (n > REPORT_VALUES - used)
        n = REPORT_VALUES - used;
    used += n;
    pthread_mutex_unlock(&lock);
    return n;
}

static bool put_values(struct bytes *line, const char *key, const double *values, size_t n,
                       size_t kept)
{
    json_key(line, key);
    bytes_char(line, '[');
    for (size_t i = 0; i < kept; i++) {
        double value = values[kept == n ? i : (size_t)((double)i * (double)n / (double)kept)];
        if (!isfinite(value))
            return false;
        if (i)
            bytes_char(line, ',');
        json_put_number(line, value);
    }
    return bytes_char(line, ']');
}

static bool put_samples(struct bytes *line, const paddock_measurement *m)
{
    if (!m->values || m->n_values == 0)
        return true;
    size_t kept = budget(m->baseline_values ? 2 * m->n_values : m->n_values);
    if (m->baseline_values)
        kept /= 2;
    if (kept > m->n_values)
        kept = m->n_values;
    return put_values(line, "values", m->values, m->n_values, kept) &&
           (!m->baseline_values ||
            put_values(line, "baseline_values", m->baseline_values, m->n_values, kept));
}

static bool measurement_fits(const paddock_measurement *m)
{
    if (!name_fits("measurement", m->name))
        return false;
    if (m->better > PADDOCK_TARGET)
        run_fault("%s: the direction %u is unknown", m->name, m->better);
    else if (!isfinite(m->value) || !isfinite(m->target))
        run_fault("%s: the value %g is not finite", m->name, m->value);
    else if (m->variance < 0 || !(m->margin_ratio >= 0) || !isfinite(m->margin_ratio))
        run_fault("%s: a variance or margin is negative", m->name);
    else
        return true;
    return false;
}

void host_measure(paddock_test *t, const paddock_measurement *m)
{
    (void)t;
    if (!m || !measurement_fits(m))
        return;
    struct bytes line = BYTES_INIT(REPORT_LINE - 256);
    json_kv_string(&line, "name", m->name);
    json_kv_number(&line, "value", m->value);
    if (m->unit)
        json_kv_string(&line, "unit", m->unit);
    json_kv_int(&line, "better", m->better);
    json_kv_bool(&line, "critical", m->critical != 0);
    json_kv_number(&line, "target", m->target);
    json_kv_number(&line, "margin_ratio", m->margin_ratio);
    json_kv_int(&line, "samples", (int64_t)m->samples);
    bool known = m->samples >= 2 ? isfinite(m->variance) : m->variance > 0;
    json_kv_number(&line, "variance", known ? m->variance : (double)NAN);
    if (!put_samples(&line, m))
        run_fault("%s: a sample is not finite", m->name);
    else if (line.full || (m->unit && !utf8_valid(m->unit, strlen(m->unit))))
        run_fault("%s: the measurement is too large or its unit no UTF-8", m->name);
    else
        report_line("measure", &line);
    bytes_release(&line);
}

/* ---- the rest ---- */

void host_skip(paddock_test *t, const char *format, va_list args)
{
    (void)t;
    report_vtext("skip", format, args);
}

void host_error(paddock_test *t, const char *format, va_list args)
{
    (void)t;
    report_vtext("error", format, args);
}

const paddock_dataset *host_dataset(paddock_test *t, const char *name)
{
    for (size_t i = 0; i < t->n_datasets; i++)
        if (!name || strcmp(t->datasets[i]->name, name) == 0)
            return t->datasets[i];
    return NULL;
}
