/* host_parts: the functions of the host's table, by topic. Room: worker. What each does is said in
 * sdk/include/paddock/plugin.h at the function that calls it. Threads: [any]. */
#ifndef PADDOCK_WORKER_HOST_PARTS_H
#define PADDOCK_WORKER_HOST_PARTS_H

#include "base/err.h"

#include <paddock/plugin.h>

/* host_value.c */
uint32_t host_value_type(const paddock_value *v);
size_t host_value_count(const paddock_value *v);
const paddock_value *host_value_get(const paddock_value *v, const char *key);
const paddock_value *host_value_at(const paddock_value *v, size_t index);
const char *host_value_key(const paddock_value *v, size_t index);
double host_value_number(const paddock_value *v);
int64_t host_value_integer(const paddock_value *v);
const char *host_value_text(const paddock_value *v);
const char *host_value_json(const paddock_host *h, const paddock_value *v);

/* host_test.c */
void host_check(paddock_test *t, uint32_t level, bool ok, const char *name, const char *format,
                va_list args) PRINTF_LIKE(5, 0);
void host_measure(paddock_test *t, const paddock_measurement *m);
void host_skip(paddock_test *t, const char *format, va_list args) PRINTF_LIKE(2, 0);
void host_error(paddock_test *t, const char *format, va_list args) PRINTF_LIKE(2, 0);
const paddock_dataset *host_dataset(paddock_test *t, const char *name);

/* host_series.c */
void host_sample(paddock_test *t, const char *series, double value);
double host_quantile(paddock_test *t, const char *series, double q);
bool host_summary(paddock_test *t, const char *series, paddock_summary *out);

/* model_ask.c, model_rows.c */
uint32_t host_ready(paddock_model *pub, uint64_t timeout_ms);
const paddock_metadata *host_metadata(paddock_model *pub, uint64_t timeout_ms);
const paddock_answer *host_infer(paddock_model *pub, const paddock_request *rq);
const char *host_model_message(paddock_model *pub);
size_t host_rows(paddock_model *pub, const paddock_dataset *d, size_t first, size_t n,
                 const paddock_tensor **inputs);

/* model_call.c */
void *host_add_output(paddock_call *c, const char *name, uint32_t datatype, const int64_t *shape,
                      uint32_t rank);
bool host_set_bytes(paddock_call *c, void *output, size_t index, const char *data, size_t len);
void host_fail(paddock_call *c, uint32_t error, const char *format, va_list args) PRINTF_LIKE(3, 0);

#endif
