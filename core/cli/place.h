/* place: where a store is, for the subcommands that work on one: a data directory, and perhaps a
 * Redis. Room: cli. Threads: [main]. */
#ifndef PADDOCK_CLI_PLACE_H
#define PADDOCK_CLI_PLACE_H

#include "store/store.h"

#include <stdbool.h>

struct place_args {
    const char *data_dir;  /* paddock-data unless given */
    const char *redis_url; /* "": the embedded store */
    bool accept_loss;
};

/* The settings from the environment, or as nobody has given them. */
void place_defaults(struct place_args *p);
/* Is argv[*i] one of --data-dir, --redis-url, --redis-accept-loss? Then it is read, and *i stands
 * at its last word. */
bool place_option(struct place_args *p, int argc, char **argv, int *i);

/* Take the lock of the directory: the descriptor, or -1 and `e`. */
int place_lock(const struct place_args *p, struct err *e) MUST_CHECK;
/* Open the store that is there; the directory is locked. */
struct store *place_open(const struct place_args *p, struct err *e) MUST_CHECK;
/* Begin an import into it; the directory is locked. */
struct store *place_begin(const struct place_args *p, struct err *e) MUST_CHECK;
/* The import is over: close the store; what is not whole goes again. */
bool place_end(const struct place_args *p, struct store *s, bool whole, struct err *e) MUST_CHECK;
/* Open it to look at only, beside a server. */
struct store *place_look(const struct place_args *p, struct err *e) MUST_CHECK;

#endif
