/* child: a program that is asked in lines over its standard input and answers in lines on its
 * standard output. Its standard error is ours. Plugin code, shared by compiling it in.
 * Threads: one owner. */
#ifndef PADDOCK_PLUGINS_CHILD_H
#define PADDOCK_PLUGINS_CHILD_H

#include "text.h"

#include <sys/types.h>

/* Zeroed: no program runs. */
struct child {
    pid_t pid; /* 0: none */
    int in, out;
    struct text held; /* read, but not asked for yet; set `max`: the longest line */
};

enum child_end {
    CHILD_LINE,    /* here it is */
    CHILD_TIMEOUT, /* none in time */
    CHILD_ENDED,   /* the program ended, or closed its output */
    CHILD_TOO_LONG /* more than held.max bytes without an end of line */
};

/* Start `argv` (argv[0] is a path) in `directory`, with a small environment: PATH, LANG, and HOME
 * and TMPDIR, which are `directory`. False, with errno set, if it cannot be executed. */
bool child_start(struct child *ch, char *const argv[], const char *directory);

/* Write a whole line (with its end) and read lines until one comes; `*line` is ended by NUL in
 * place of its newline, and stays until the next call. Waits no longer than `timeout_ns`. */
enum child_end child_ask(struct child *ch, const struct text *line, uint64_t timeout_ns,
                         char **answer, size_t *len);

/* End it: its input is closed and it has `grace_ms` to go by itself, then it is killed. Describes
 * how it ended: "exit status 3", "killed by SIGSEGV (Segmentation fault)". Returns `how`. */
const char *child_stop(struct child *ch, unsigned grace_ms, char *how, size_t size);

#endif
