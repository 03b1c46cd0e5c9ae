/* strategy_process: one process of a strategy's plugin, asked and answering. Room: extend.
 * Threads: one owner; it waits, at most as long as it is told. The owner's thread must outlive the
 * process, which ends with it. */
#ifndef PADDOCK_EXTEND_STRATEGY_PROCESS_H
#define PADDOCK_EXTEND_STRATEGY_PROCESS_H

#include "base/err.h"
#include "extend/strategy_protocol.h"
#include "extend/worker_process.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct strategy_process;

struct strategy_program {
    const char *file, *sha256; /* of the plugin; sha256 NULL: not checked */
    uint64_t memory_bytes;     /* 0: STRATEGY_MEMORY */
    const struct worker_settings *worker;
};

/* Start it and have it load the plugin. NULL with a sentence why not. */
struct strategy_process *strategy_process_start(const struct strategy_program *p, struct err *e)
    MUST_CHECK;
/* Kill it and what it left, and free. NULL is allowed. */
void strategy_process_stop(struct strategy_process *p);

/* Ask: a line of JSON, without its end. The "answer" object with "ok" true, a new reference; else
 * NULL, and `e` says why. After strategy_process_broken() it can only be stopped: it crashed, hung,
 * was killed, or spoke nonsense; otherwise it only refused this question. */
json_t *strategy_process_ask(struct strategy_process *p, const char *question, size_t len,
                             int limit_ms, struct err *e) MUST_CHECK;
bool strategy_process_broken(const struct strategy_process *p);
pid_t strategy_process_pid(const struct strategy_process *p);

#endif
