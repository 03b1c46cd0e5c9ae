/* text_format: metric families in OpenMetrics 1.0 or in Prometheus' text format 0.0.4. Room: api.
 * Threads: one owner.
 *
 * The two differ where a reader would notice: a counter's family carries `_total` in its name in
 * the old one, and only the new one ends with `# EOF`. */
#ifndef PADDOCK_API_TEXT_FORMAT_H
#define PADDOCK_API_TEXT_FORMAT_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM };

struct text_format {
    struct bytes *out;
    bool openmetrics;
    bool labelled; /* the line being written has a label */
};

/* Announce a family; its samples follow at once. `name` without `_total`. */
void metric_family(struct text_format *t, const char *name, enum metric_type type,
                   const char *help);
/* One sample: begin, labels, value. `suffix`: "", "_total", "_bucket", "_count", "_sum". */
void sample_begin(struct text_format *t, const char *name, const char *suffix);
void sample_label(struct text_format *t, const char *label, const char *value);
/* The label `le`: a bound as a canonical float; INFINITY is +Inf. */
void sample_le(struct text_format *t, double bound);
void sample_uint(struct text_format *t, uint64_t value);
void sample_number(struct text_format *t, double value);
/* A family of one sample without labels. */
void metric_gauge(struct text_format *t, const char *name, const char *help, double value);
void metric_counter(struct text_format *t, const char *name, const char *help, double value);
void metrics_end(struct text_format *t);

#endif
