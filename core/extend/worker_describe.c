/* Asking paddock-worker what a file is. */
#include "extend/worker_ask.h"
#include "extend/worker_process.h"

#define LIMIT_MS    10000
#define DESCRIPTION (1u << 20)

const char *worker_describe(const struct worker_settings *settings, const char *file,
                            struct arena *arena, struct err *e)
{
    const char *argv[] = {settings->program, "--describe-to-3", file, settings->user, NULL};
    const struct worker_question q = {
        .argv = argv, .limit_ms = LIMIT_MS, .answer_max = DESCRIPTION};
    struct bytes text;
    struct err why = {0};
    const char *out = NULL;
    if (worker_ask(&q, &text, &why))
        out = arena_copy(arena, text.data, text.len);
    else
        fail(e, why.kind, "%s: %.400s", file, why.detail);
    bytes_release(&text);
    return out;
}
