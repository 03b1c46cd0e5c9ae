/* A worker is a node without requests: the store, a view that follows the journal, the plugins of
 * this machine, and the validation that carries out what the queue holds. It writes nothing but
 * into the queue; whoever owns a run compares it, stores it and tells of it. */
#include "work.h"

#include "base/log.h"
#include "base/mem.h"
#include "extend/nursery.h"
#include "privileges.h"
#include "process.h"
#include "server_parts.h"
#include "store/nodes.h"

#include <signal.h>
#include <unistd.h>

#define LOOK_NS 50000000 /* how often it is looked whether all is over */

static bool start_engine(struct server *s, struct err *e)
{
    const struct engine_config config = {.store = s->store,
                                         .clock = &CLOCK_SYSTEM,
                                         .rules = &s->rules,
                                         .gate = validation_gate(s->validation)};
    s->engine = engine_start(&config, e);
    if (s->engine)
        engine_follow(s->engine);
    return s->engine != NULL;
}

static bool start(struct server *s, struct err *e)
{
    const struct config *c = &s->settings.config;
    char name[64];
    if (!*c->redis_url)
        return fail(e, &ERR_CONFIG, "--redis URL names the Redis whose nodes it works for");
    if (c->validation_workers == 0)
        return fail(e, &ERR_CONFIG, "--validation-workers 0: a worker carries out something");
    if (!server_check_redis(c, e) || !process_open_log(c, e) ||
        !privileges_drop(c->user, c->data_dir, e))
        return false;
    privileges_lock(c->core_dumps);
    server_make_rules(s);
    if (!server_open_store(s, e) || !server_open_plugins(s, e) || !server_open_validation(s, e) ||
        !start_engine(s, e) || !validation_start(s->validation, s->engine, e))
        return false;
    privileges_check_modes(c->data_dir, NULL);
    store_node_name(s->store, name);
    log_event(LOG_INFO, "working", "\"worker\":\"%s\",\"pid\":%ld,\"version\":\"%s\"", name,
              (long)getpid(), PADDOCK_VERSION);
    return true;
}

/* In reverse; each part may be missing when the start failed half-way. */
static void stop(struct server *s)
{
    if (s->validation)
        validation_stop(s->validation);
    if (s->engine)
        engine_stop(s->engine);
    validation_close(s->validation);
    nursery_free(s->nursery);
    nursery_free(s->nursery_http);
    catalog_close(s->plugins);
    if (s->store)
        s->store->ops->close(s->store);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    config_release(&s->settings);
    log_close();
}

/* What is under way may finish, for as long as was given; a second signal ends that, too. What is
 * not over then goes back to the others. */
static void drain(struct server *s, const sigset_t *signals)
{
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    const int64_t end =
        clock_mono_ns(&CLOCK_SYSTEM) + s->settings.config.shutdown_grace_ms * INT64_C(1000000);
    while (!validation_drained(s->validation) && clock_mono_ns(&CLOCK_SYSTEM) < end) {
        int number = sigtimedwait(signals, NULL, &pause);
        if (number == SIGTERM || number == SIGINT)
            return;
        if (number == SIGHUP)
            process_reopen_log();
    }
}

static void run(struct server *s, const sigset_t *signals)
{
    int number = SIGHUP;
    while ((number = sigwaitinfo(signals, NULL)) == SIGHUP || number < 0)
        if (number == SIGHUP)
            process_reopen_log();
    log_event(LOG_INFO, "stopping", "\"signal\":%d", number);
    drain(s, signals);
}

int work_main(int argc, char **argv, char **env)
{
    static const struct process WORK = {"work", start, run, stop};
    struct server *s = mem_zero(1, sizeof *s);
    s->settings.works = true;
    return process_main(&WORK, s, argc, argv, env);
}
