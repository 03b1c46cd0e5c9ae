/* The table of functions that a plugin gets. */
#include "worker/host_parts.h"
#include "worker/run.h"
#include "worker/report.h"
#include "worker/tensor.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

uint64_t run_now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void run_fault(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    report_vtext("fault", fmt, args);
    va_end(args);
}

PRINTF_LIKE(2, 0)
static void host_log(const paddock_host *h, const char *format, va_list args)
{
    char line[4096];
    (void)h;
    int n = vsnprintf(line, sizeof line - 1, format, args);
    if (n < 0)
        return;
    size_t len = (size_t)n < sizeof line - 1 ? (size_t)n : sizeof line - 2;
    if (len == 0 || line[len - 1] != '\n')
        line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        return; /* the plugin has closed it: its own loss */
}

static uint64_t host_now_ns(const paddock_host *h)
{
    (void)h;
    return run_now_ns();
}

static uint64_t host_left_ns(const paddock_host *h)
{
    (void)h;
    uint64_t now = run_now_ns();
    return now < RUN.deadline_ns ? RUN.deadline_ns - now : 0;
}

static bool host_stop(const paddock_host *h)
{
    uint64_t near = (RUN.deadline_ns - RUN.start_ns) / 10;
    return host_left_ns(h) <= (near < 1000000000u ? near : 1000000000u);
}

static const void *host_extension(const paddock_host *h, const char *id)
{
    (void)h, (void)id;
    return NULL;
}

/* Strategies have a process of another kind. */
static void host_part(paddock_strategy *s, size_t index, const char *name, double value)
{
    (void)s, (void)index, (void)name, (void)value;
}

static bool host_save(paddock_strategy *s, const void *data, size_t len)
{
    (void)s, (void)data, (void)len;
    return false;
}

const paddock_host HOST = {
    .abi_major = PADDOCK_ABI_MAJOR,
    .abi_minor = PADDOCK_ABI_MINOR,
    .value_type = host_value_type,
    .value_count = host_value_count,
    .value_get = host_value_get,
    .value_at = host_value_at,
    .value_key = host_value_key,
    .value_number = host_value_number,
    .value_integer = host_value_integer,
    .value_text = host_value_text,
    .value_json = host_value_json,
    .log = host_log,
    .now_ns = host_now_ns,
    .left_ns = host_left_ns,
    .stop = host_stop,
    .element = tensor_element,
    .extension = host_extension,
    .check = host_check,
    .measure = host_measure,
    .sample = host_sample,
    .quantile = host_quantile,
    .summary = host_summary,
    .skip_test = host_skip,
    .error = host_error,
    .dataset = host_dataset,
    .rows = host_rows,
    .ready = host_ready,
    .metadata = host_metadata,
    .infer = host_infer,
    .model_message = host_model_message,
    .part = host_part,
    .save = host_save,
    .add_output = host_add_output,
    .set_bytes = host_set_bytes,
    .fail_call = host_fail,
};
