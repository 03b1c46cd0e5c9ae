/* token_args: the arguments of `paddock token`. Room: cli. Threads: [main]. */
#ifndef PADDOCK_CLI_TOKEN_ARGS_H
#define PADDOCK_CLI_TOKEN_ARGS_H

#include "base/arena.h"
#include "base/err.h"
#include "engine/token_make.h"

#include <stdbool.h>

struct token_args {
    const char *verb; /* "create", "list", "revoke" */
    struct token_wish wish;
    const char *data_dir;
    const char *url;    /* NULL: the data directory */
    const char *secret; /* of the one who asks, with `url`; or NULL */
    const char *ca_file;
    bool insecure, json;
};

extern const char TOKEN_USAGE[];

/* Read them; texts go to `a`. False and `e` with what is wrong. */
bool token_args_read(int argc, char **argv, struct arena *a, struct token_args *out, struct err *e)
    MUST_CHECK;

#endif
