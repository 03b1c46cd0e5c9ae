/* redis_scripts_impl: what scripts have in common, and those of the other files. Room: store,
 * private. Threads: constants.
 *
 * Numbers of 64 bits stay texts, since Lua's numbers here are doubles. Arguments are taken one
 * after the other: how many follow stands before them. */
#ifndef PADDOCK_STORE_REDIS_SCRIPTS_IMPL_H
#define PADDOCK_STORE_REDIS_SCRIPTS_IMPL_H

#include "store/redis_scripts.h"

#define PREFIX "local P = '" REDIS_CONTROL "'\n"
#define FENCE                                                                             \
    PREFIX                                                                                \
    "if redis.call('get', P..'node:'..string.match(ARGV[1], '^[^/]*')) ~= ARGV[1] then\n" \
    "  return redis.error_reply('NODE this node does not hold its lease') end\n"
#define TAKE         \
    "local at = 1\n" \
    "local function take() at = at + 1 return ARGV[at] end\n"

/* redis_scripts_series.c */
extern const char REDIS_APPEND[], REDIS_APPEND_BEGIN[], REDIS_APPEND_PART[], REDIS_APPEND_END[],
    REDIS_READ[];
/* redis_scripts_streams.c */
extern const char REDIS_SHIP[], REDIS_TIDY[], REDIS_FACTS[], REDIS_DELTAS[];

/* redis_rights.c: not among REDIS_SCRIPTS, for it is asked once */
extern const char REDIS_RIGHTS[];

#endif
