#include "api/text_format.h"

#include "base/json.h"

#include <math.h>
#include <string.h>

void metric_family(struct text_format *t, const char *name, enum metric_type type, const char *help)
{
    static const char *const NAMES[] = {"gauge", "counter", "histogram"};
    const char *suffix = type == METRIC_COUNTER && !t->openmetrics ? "_total" : "";
    bytes_printf(t->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help, name, suffix,
                 NAMES[type]);
}

void sample_begin(struct text_format *t, const char *name, const char *suffix)
{
    bytes_text(t->out, name);
    bytes_text(t->out, suffix);
    t->labelled = false;
}

static void label_open(struct text_format *t, const char *label)
{
    bytes_char(t->out, t->labelled ? ',' : '{');
    bytes_text(t->out, label);
    bytes_text(t->out, "=\"");
    t->labelled = true;
}

/* In label values a backslash, a double quote and a line feed are escaped, nothing else. */
void sample_label(struct text_format *t, const char *label, const char *value)
{
    label_open(t, label);
    for (;;) {
        size_t plain = strcspn(value, "\\\"\n");
        bytes_add(t->out, value, plain);
        value += plain;
        if (!*value)
            break;
        bytes_char(t->out, '\\');
        bytes_char(t->out, *value == '\n' ? 'n' : *value);
        value++;
    }
    bytes_char(t->out, '"');
}

static void put_number(struct text_format *t, double value, bool canonical)
{
    if (isnan(value) || isinf(value)) {
        bytes_text(t->out, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
        return;
    }
    size_t at = t->out->len;
    json_put_number(t->out, value);
    if (canonical && t->out->len > at && !strpbrk(t->out->data + at, ".eE"))
        bytes_text(t->out, ".0");
}

void sample_le(struct text_format *t, double bound)
{
    label_open(t, "le");
    put_number(t, bound, true);
    bytes_char(t->out, '"');
}

static void value_open(struct text_format *t)
{
    bytes_text(t->out, t->labelled ? "} " : " ");
}

void sample_uint(struct text_format *t, uint64_t value)
{
    value_open(t);
    bytes_uint(t->out, value);
    bytes_char(t->out, '\n');
}

void sample_number(struct text_format *t, double value)
{
    value_open(t);
    put_number(t, value, false);
    bytes_char(t->out, '\n');
}

static void metric_one(struct text_format *t, const char *name, enum metric_type type,
                       const char *help, double value)
{
    metric_family(t, name, type, help);
    sample_begin(t, name, type == METRIC_COUNTER ? "_total" : "");
    sample_number(t, value);
}

void metric_gauge(struct text_format *t, const char *name, const char *help, double value)
{
    metric_one(t, name, METRIC_GAUGE, help, value);
}

void metric_counter(struct text_format *t, const char *name, const char *help, double value)
{
    metric_one(t, name, METRIC_COUNTER, help, value);
}

void metrics_end(struct text_format *t)
{
    if (t->openmetrics)
        bytes_text(t->out, "# EOF\n");
}
