#include "cli/place.h"

#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void place_defaults(struct place_args *p)
{
    const char *url = getenv("MODEL_REGISTRY_REDIS_URL");
    struct err e = {0};
    if (!log_open(NULL, LOG_WARN, &e)) /* what went well is no news here */
        fprintf(stderr, "paddock: %s\n", e.detail);
    *p = (struct place_args){.data_dir = "paddock-data", .redis_url = url ? url : ""};
}

/* "--name=value" or "--name value" */
static bool valued(const char *name, int argc, char **argv, int *i, const char **out)
{
    size_t len = strlen(name);
    if (strncmp(argv[*i], name, len) != 0)
        return false;
    if (argv[*i][len] == '=')
        *out = argv[*i] + len + 1;
    else if (argv[*i][len] == '\0' && *i + 1 < argc)
        *out = argv[++*i];
    else
        return false;
    return true;
}

bool place_option(struct place_args *p, int argc, char **argv, int *i)
{
    if (strcmp(argv[*i], "--redis-accept-loss") == 0)
        return p->accept_loss = true;
    return valued("--data-dir", argc, argv, i, &p->data_dir) ||
           valued("--redis-url", argc, argv, i, &p->redis_url);
}

/* Opening makes what is missing, so a mistyped directory must be found first. */
static bool has(const char *dir, const char *file)
{
    char path[PATH_MAX];
    return snprintf(path, sizeof path, "%s/%s", dir, file) < (int)sizeof path &&
           access(path, R_OK) == 0;
}

int place_lock(const struct place_args *p, struct err *e)
{
    if (mkdir(p->data_dir, 0700) == 0 || errno == EEXIST)
        return data_dir_lock(p->data_dir, e);
    fail_errno(e, &ERR_CONFIG, "--data-dir %s", p->data_dir);
    return -1;
}

static struct store *open_redis(const struct place_args *p, bool importing, struct err *e)
{
    char node[ULID_SIZE];
    if (!data_dir_node(p->data_dir, node, e))
        return NULL;
    const struct redis_settings settings = {.url = p->redis_url,
                                            .node = node,
                                            .accept_loss = p->accept_loss,
                                            .alone = true,
                                            .importing = importing};
    return store_redis_open(&settings, &CLOCK_SYSTEM, e);
}

struct store *place_open(const struct place_args *p, struct err *e)
{
    bool redis = *p->redis_url != '\0';
    if (!data_dir_whole(p->data_dir, e))
        return NULL;
    if (!has(p->data_dir, redis ? "node" : "control.db")) {
        fail(e, &ERR_CONFIG,
             redis ? "'%s' is no node's data directory" : "there is no store in '%s'", p->data_dir);
        return NULL;
    }
    return redis ? open_redis(p, false, e) : store_sqlite_open(p->data_dir, &CLOCK_SYSTEM, e);
}

struct store *place_begin(const struct place_args *p, struct err *e)
{
    if (!data_dir_begin(p->data_dir, *p->redis_url != '\0', e))
        return NULL;
    struct err why = {0};
    struct store *s =
        *p->redis_url ? open_redis(p, true, e) : store_sqlite_open(p->data_dir, &CLOCK_SYSTEM, e);
    /* What stands in the way is told; that the directory keeps its mark as well does no harm. */
    if (!s && !data_dir_end(p->data_dir, false, &why))
        fprintf(stderr, "paddock: %s\n", why.detail);
    return s;
}

bool place_end(const struct place_args *p, struct store *s, bool whole, struct err *e)
{
    bool ok = !*p->redis_url || store_redis_imported(s, whole, e);
    s->ops->close(s);
    return ok && data_dir_end(p->data_dir, whole, e);
}

struct store *place_look(const struct place_args *p, struct err *e)
{
    if (*p->redis_url) {
        const struct redis_settings settings = {.url = p->redis_url, .read_only = true};
        return store_redis_open(&settings, &CLOCK_SYSTEM, e);
    }
    if (!data_dir_whole(p->data_dir, e))
        return NULL;
    if (has(p->data_dir, "control.db"))
        return store_sqlite_open(p->data_dir, &CLOCK_SYSTEM, e);
    fail(e, &ERR_CONFIG, "there is no store in '%s'", p->data_dir);
    return NULL;
}
