/* catalog: the plugins that this server knows, and why others are out.
 * Room: extend. Threads: [any] but where said.
 *
 * The server never loads a plugin. A file is taken when only its owner (root, or who runs the
 * server) may change it and the directory it lies in; it is read once, copied to
 * DATA-DIR/plugins/<sha256>.so, and described by `paddock-worker --describe`. Workers load the
 * copy, so that what was described, what is recorded with a result and what runs are the same
 * bytes.
 *
 * A file that cannot be used is kept in the list with the reason, and stops nobody.
 *
 * What is known is one immutable set, which readers hold as long as they like; reloading replaces
 * it. */
#ifndef PADDOCK_EXTEND_CATALOG_H
#define PADDOCK_EXTEND_CATALOG_H

#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "extend/worker_process.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CATALOG_FILES_MAX   1000                 /* of all directories together */
#define CATALOG_FILE_BYTES  (256u << 20)         /* of one file */
#define CATALOG_DESCRIPTION (1u << 20)           /* of one description */
#define CATALOG_LOAD_NS     INT64_C(30000000000) /* a reload leaves out what it did not get to */

/* As in the plugin header. */
enum plugin_kind { PLUGIN_UNKNOWN, PLUGIN_TEST, PLUGIN_STRATEGY, PLUGIN_RUNTIME };

struct paddock_field;
struct plugin_uses;

/* One file. What is not known of one that is out is NULL (0). */
struct plugin {
    enum plugin_kind kind;
    unsigned flags; /* PADDOCK_ALONE, PADDOCK_NEEDS_BASELINE, ... */
    const char *id; /* "smoke", "org.example.max-latency": unique in its kind among the loaded */
    const char *version;
    const char *summary;
    const char *schema; /* JSON Schema of its configuration */
    const char *file;   /* where it was found */
    const char *sha256; /* of its bytes, 64 hexadecimal digits */
    const char *copy;   /* absolute path of what workers load; NULL if it is out */
    const char *why;    /* it is out, in a sentence; NULL: it is loaded */
    bool bundled;       /* it came with Paddock */
    const struct paddock_field *config;
    struct plugin_uses *uses;
};

/* What is known at a time: ordered by kind, id and file; those without a kind last. */
struct plugin_set {
    const struct plugin *const *plugins;
    size_t n, n_loaded;
    int64_t loaded_at_ms;
};

struct catalog;

/* Texts are borrowed for the life of the catalog. */
struct catalog_config {
    const char *data_dir;    /* copies go to its folder `plugins` */
    const char *bundled_dir; /* of the plugins that come with Paddock, read first; NULL: none */
    const char *const *dirs; /* further ones, in order; ended by NULL. NULL: none */
    const struct worker_settings *worker;
    const struct clock *clock;
};

/* Make the folder of copies, read all directories once (it waits, at most CATALOG_LOAD_NS and ten
 * seconds) and remove the copies that are of no use any more: no worker may run. NULL only if the
 * folder cannot be made or listed. */
struct catalog *catalog_open(const struct catalog_config *config, struct err *e) MUST_CHECK;
/* After all sets were given back. NULL is allowed. */
void catalog_close(struct catalog *c);

/* Look at the directories anew. It waits as catalog_open() does, so not on a loop; several callers
 * wait for one another. What is unchanged is not described again. */
void catalog_reload(struct catalog *c);

/* The newest set, to be given back. Never waits. */
const struct plugin_set *catalog_take(struct catalog *c);
void catalog_give(struct catalog *c, const struct plugin_set *set);

/* The loaded plugin of this kind and id, NULL if there is none. Lives as long as the set. */
const struct plugin *plugin_find(const struct plugin_set *set, enum plugin_kind kind,
                                 const char *id);

/* "test", "strategy", "runtime"; NULL for PLUGIN_UNKNOWN. */
const char *plugin_kind_name(enum plugin_kind kind);

/* Check a configuration as a client gives it (NULL: {}) and return it with all presets filled in, a
 * new reference; NULL if faults below `pointer` were added. */
json_t *plugin_check_config(const struct plugin *p, const json_t *config, const char *pointer,
                            struct faults *f) MUST_CHECK;

/* All of that at once, for who keeps neither set nor result: is there such a plugin, and does the
 * configuration fit it? A plugin that is missing is a fault at `id_pointer`. */
bool catalog_check_config(struct catalog *c, enum plugin_kind kind, const char *id,
                          const char *id_pointer, const json_t *config, const char *config_pointer,
                          struct faults *f) MUST_CHECK;

/* One use by a run, a route or a model is over: count it. Counts outlive reloads as long as a
 * plugin of the kind and id stays loaded. */
void plugin_used(const struct plugin *p, bool failed);
void plugin_uses(const struct plugin *p, uint64_t *calls, uint64_t *failures);

#endif
