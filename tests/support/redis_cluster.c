#include "support/redis_cluster.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define SLOTS   16384
#define MASTERS TEST_CLUSTER_MASTERS

static bool start_node(struct test_cluster *c, unsigned i)
{
    for (int attempt = 0; attempt < 20; attempt++) {
        unsigned bus = test_redis_free_port();
        snprintf(c->ports[i], sizeof c->ports[i], "%u", bus);
        const char *const args[] = {"--cluster-enabled",
                                    "yes",
                                    "--cluster-port",
                                    c->ports[i],
                                    "--cluster-config-file",
                                    "nodes.conf",
                                    "--cluster-node-timeout",
                                    "15000",
                                    NULL};
        memcpy(c->args[i], args, sizeof args);
        c->nodes[i].args = c->args[i];
        if (bus && test_redis_start(&c->nodes[i]))
            return true;
        c->nodes[i].port = 0;
    }
    return false;
}

static bool introduce(struct test_cluster *c, unsigned i)
{
    char slots[96], epoch[64], meet[96];
    snprintf(slots, sizeof slots, "CLUSTER ADDSLOTSRANGE %u %u", i * SLOTS / MASTERS,
             (i + 1) * SLOTS / MASTERS - 1);
    snprintf(epoch, sizeof epoch, "CLUSTER SET-CONFIG-EPOCH %u", i + 1);
    snprintf(meet, sizeof meet, "CLUSTER MEET 127.0.0.1 %u %s", c->nodes[0].port, c->ports[0]);
    return test_redis_say(&c->nodes[i], epoch, "+OK") &&
           test_redis_say(&c->nodes[i], slots, "+OK") &&
           (i == 0 || test_redis_say(&c->nodes[i], meet, "+OK"));
}

/* Does this one know of all slots, so that it takes requests? */
static bool works(const struct test_redis *node)
{
    char text[2048];
    return test_redis_ask(node, "CLUSTER INFO", text, sizeof text) &&
           strstr(text, "cluster_state:ok") && strstr(text, "cluster_slots_ok:16384");
}

bool test_cluster_start(struct test_cluster *c)
{
    memset(c, 0, sizeof *c);
    for (unsigned i = 0; i < MASTERS; i++)
        test_redis_init(&c->nodes[i]);
    for (unsigned i = 0; i < MASTERS; i++)
        if (!start_node(c, i) || !introduce(c, i))
            return false;
    for (int i = 0; i < 3000; i++) {
        unsigned n = 0;
        while (n < MASTERS && works(&c->nodes[n]))
            n++;
        if (n == MASTERS)
            return true;
        nanosleep(&(const struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return false;
}

bool test_cluster_flush(const struct test_cluster *c)
{
    bool ok = true;
    for (unsigned i = 0; i < MASTERS; i++)
        ok = test_redis_say(&c->nodes[i], "FLUSHALL", "+OK") && ok;
    return ok;
}

void test_cluster_url(const struct test_cluster *c, char *out, size_t size)
{
    snprintf(out, size, "redis+cluster://127.0.0.1:%u,127.0.0.1:%u,127.0.0.1:%u/?wait=0",
             c->nodes[0].port, c->nodes[1].port, c->nodes[2].port);
}

static bool set_slot(const struct test_redis *node, unsigned slot, const char *what,
                     const struct test_redis *about)
{
    char id[128], line[256];
    if (!test_redis_ask(about, "CLUSTER MYID", id, sizeof id) || strlen(id) < 45)
        return false;
    snprintf(line, sizeof line, "CLUSTER SETSLOT %u %s %.40s", slot, what, id + 5);
    return test_redis_say(node, line, "+OK");
}

bool test_cluster_move_begin(const struct test_cluster *c, unsigned slot, unsigned from,
                             unsigned to)
{
    return set_slot(&c->nodes[to], slot, "IMPORTING", &c->nodes[from]) &&
           set_slot(&c->nodes[from], slot, "MIGRATING", &c->nodes[to]);
}

bool test_cluster_move_end(const struct test_cluster *c, unsigned slot, unsigned from, unsigned to)
{
    return set_slot(&c->nodes[to], slot, "NODE", &c->nodes[to]) &&
           set_slot(&c->nodes[from], slot, "NODE", &c->nodes[to]);
}

void test_cluster_release(struct test_cluster *c)
{
    for (unsigned i = 0; i < MASTERS; i++)
        test_redis_release(&c->nodes[i]);
}
