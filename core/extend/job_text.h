/* job_text: a test job as the JSON text that paddock-worker reads from its standard input.
 * Room: extend. Threads: pure, [any]. core/worker/job.h reads it. */
#ifndef PADDOCK_EXTEND_JOB_TEXT_H
#define PADDOCK_EXTEND_JOB_TEXT_H

#include "base/bytes.h"
#include "extend/worker_process.h"

#define JOB_TEXT_MAX (16u << 20)

/* Append the job. ERR_INVALID if a text of it is no JSON where it must be, or it is too large. */
bool job_text_write(const struct worker_settings *settings, const struct test_job *job,
                    const char *nonce, struct bytes *out, struct err *e) MUST_CHECK;

#endif
