#include "validation/validation.h"

#include "store/nodes.h"
#include "base/log.h"
#include "base/mem.h"
#include "validation/gate.h"
#include "validation/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* What a test case's type and configuration are held against. [engine] */
static void check_type(void *self, const char *type, const json_t *config, struct faults *f)
{
    struct validation *v = self;
    bool ok =
        catalog_check_config(v->config.catalog, PLUGIN_TEST, type, "/type", config, "/config", f);
    (void)ok; /* the faults are counted by who asks */
}

static void check_name(void *self, const char *type, const char *pointer, struct faults *f)
{
    struct validation *v = self;
    struct bytes there = BYTES_INIT(512); /* what has no room is left out */
    const struct plugin_set *set = catalog_take(v->config.catalog);
    if (!plugin_find(set, PLUGIN_TEST, type)) {
        for (size_t i = 0; i < set->n; i++)
            if (!set->plugins[i]->why && set->plugins[i]->kind == PLUGIN_TEST)
                bytes_printf(&there, "%s%s", there.len ? ", " : "", set->plugins[i]->id);
        fault_add(f, &ERR_INVALID, pointer, "no test plugin has the id '%.64s'; there are: %s",
                  type, there.len ? there.data : "none");
    }
    catalog_give(v->config.catalog, set);
    bytes_release(&there);
}

static unsigned processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
}

static void name_node(struct validation *v)
{
    char host[65] = "";
    gethostname(host, sizeof host - 1);
    snprintf(v->node, sizeof v->node, "%s", *host ? host : "node");
    snprintf(v->claimant, sizeof v->claimant, "%s:%ld:%lld", v->node, (long)getpid(),
             (long long)clock_wall_ms(v->config.clock));
    if (v->config.only_work)
        store_node_name(v->config.store, v->node);
    store_space(v->config.store, v->space);
    snprintf(v->queues[FROM_BACK], sizeof v->queues[0], QUEUE_BACK "%s", v->space);
    snprintf(v->queues[FROM_NIGHT_BACK], sizeof v->queues[0], QUEUE_NIGHT_BACK);
    snprintf(v->queues[FROM_RUNS], sizeof v->queues[0], QUEUE_RUNS);
    snprintf(v->queues[FROM_NIGHT], sizeof v->queues[0], QUEUE_NIGHT);
}

struct validation *validation_open(const struct validation_config *config, struct err *e)
{
    struct validation *v = mem_zero(1, sizeof *v);
    (void)e;
    v->config = *config;
    v->workers_max = config->workers < 0 ? processors() : (unsigned)config->workers;
    v->config.claim_ms = config->claim_ms ? config->claim_ms : CLAIM_MS;
    v->shared = store_shared(config->store);
    v->gate = (struct gate_source){gate_judge_runs, v};
    v->types = (struct test_types){check_type, check_name, v};
    v->runs = map_new();
    v->pending = map_new();
    v->hour_seen = -1;
    pthread_mutex_init(&v->lock, NULL);
    name_node(v);
    return v;
}

const struct gate_source *validation_gate(struct validation *v)
{
    return &v->gate;
}

const struct test_types *validation_test_types(struct validation *v)
{
    return &v->types;
}

bool validation_start(struct validation *v, struct engine *engine, struct err *e)
{
    v->engine = engine;
    v->reader = engine_join(engine);
    v->judge_reader = engine_join(engine);
    if (!v->reader || !v->judge_reader)
        return fail(e, &ERR_INTERNAL, "too many threads read views");
    v->policies = v->config.policies ? policy_set_new(v->config.policies) : NULL;
    v->verdicts = pool_start("verdicts", 1, 100000, e);
    return v->verdicts && supervisor_start(v, e);
}

bool validation_drained(struct validation *v)
{
    pthread_mutex_lock(&v->lock);
    v->draining = true;
    bool idle = v->n_active == 0;
    pthread_mutex_unlock(&v->lock);
    return idle;
}

void validation_stop(struct validation *v)
{
    pthread_mutex_lock(&v->lock);
    v->stopped = true;
    pthread_mutex_unlock(&v->lock);
    supervisor_stop(v);
    pool_stop(v->verdicts);
    v->verdicts = NULL;
    if (v->reader)
        engine_part(v->reader);
    if (v->judge_reader)
        engine_part(v->judge_reader);
    v->reader = v->judge_reader = NULL;
    policy_set_free(v->policies);
    v->policies = NULL;
}

static void free_live(struct validation *v)
{
    const void *key;
    size_t at = 0, len;
    void *value;
    while (map_next(v->runs, &at, &key, &len, &value))
        live_free(value);
}

void validation_close(struct validation *v)
{
    if (!v)
        return;
    free_live(v);
    map_free(v->runs);
    map_free(v->pending);
    nights_free(v);
    mailbox_free(v->mailbox);
    pthread_mutex_destroy(&v->lock);
    free(v);
}
