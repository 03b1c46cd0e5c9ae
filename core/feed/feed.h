/* feed: readers of the journal that follow it live. Room: feed.
 *
 * The feed keeps the newest entries in memory; a follower that is further behind reads the store
 * first. Threads: feed_published [engine]; follow/unfollow [loop]; a follower is called on its own
 * loop. */
#ifndef PADDOCK_FEED_FEED_H
#define PADDOCK_FEED_FEED_H

#include "base/err.h"
#include "engine/engine.h"
#include "http/loop.h"
#include "registry/journal.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct feed;
struct follower;

/* Texts of entries in memory, at most (but for the newest entry, which always stays). */
#define FEED_BYTES_MAX ((size_t)32 << 20)

/* `kept`: entries in memory [4096]. `followers_max`: all loops together [10000]. */
struct feed *feed_new(struct store *store, size_t kept, size_t followers_max)
    __attribute__((returns_nonnull));
/* All followers must be gone. */
void feed_free(struct feed *f);
/* The journal's last sequence at the start, before anybody follows. */
void feed_begin(struct feed *f, uint64_t seq);
/* The listener to register with the engine. */
struct publish_listener feed_listener(struct feed *f);

struct follow {
    const char *ns;              /* "*": all */
    const char *types;           /* comma list of actions, each may end in '*'; NULL: all */
    const struct grants *grants; /* only what these may read; NULL: all; copied */
    uint64_t after_seq;          /* go on after this one; UINT64_MAX: from now */
    /* [loop] One entry; `json` as the API shows it, valid during the call. False ends the
     * following. */
    bool (*entry)(void *ctx, uint64_t seq, const char *action, const char *json, size_t len);
    /* [loop] It ended by itself (the store could not be read, or it fell too far behind). `fw` is
     * gone. */
    void (*ended)(void *ctx, const struct err *why);
    void *ctx;
};
/* Follow from `after_seq` without a gap or repeat. [loop] ERR_BUSY when too many follow. */
struct follower *feed_follow(struct feed *f, struct loop *l, const struct follow *what,
                             struct err *e) MUST_CHECK;
/* Stop; `entry` and `ended` are not called any more. [loop] */
void feed_unfollow(struct follower *fw);
size_t feed_followers(struct feed *f);
/* Entries in memory, and the bytes of their texts. [any] */
void feed_usage(struct feed *f, size_t *entries, size_t *bytes);

#endif
