/* job_text: a test job as the text that paddock-worker reads from its standard input, a file: two
 * lines of JSON. The first is for the first stage, the terms: nonce, limits, user, directory. The
 * second, with all that may be secret, only the second stage reads.
 * Room: extend. Threads: pure, [any]. core/worker/job.h reads it. */
#ifndef PADDOCK_EXTEND_JOB_TEXT_H
#define PADDOCK_EXTEND_JOB_TEXT_H

#include "base/bytes.h"
#include "extend/worker_process.h"

#define JOB_TEXT_MAX  (16u << 20)
#define JOB_TERMS_MAX 16384u /* bytes of the first line */

/* Append the job. ERR_INVALID if a text of it is no JSON where it must be, or it is too large. */
bool job_text_write(const struct worker_settings *settings, const struct test_job *job,
                    const char *nonce, struct bytes *out, struct err *e) MUST_CHECK;

#endif
