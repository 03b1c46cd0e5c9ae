/* redis_cluster: a real Redis Cluster of three masters for tests, each as redis.h makes them. */
#ifndef PADDOCK_TESTS_SUPPORT_REDIS_CLUSTER_H
#define PADDOCK_TESTS_SUPPORT_REDIS_CLUSTER_H

#include "support/redis.h"

#include <stdbool.h>
#include <stddef.h>

#define TEST_CLUSTER_MASTERS 3

struct test_cluster {
    struct test_redis nodes[TEST_CLUSTER_MASTERS];
    char ports[TEST_CLUSTER_MASTERS][16]; /* of their bus */
    const char *args[TEST_CLUSTER_MASTERS][10];
};

/* Start all, give each a third of the slots, wait until it works as one. End it in any case. */
bool test_cluster_start(struct test_cluster *c);
/* Empty it. */
bool test_cluster_flush(const struct test_cluster *c);
/* redis+cluster:// of all nodes; it has no replicas that could confirm anything. */
void test_cluster_url(const struct test_cluster *c, char *out, size_t size);
/* Begin to move a slot, which has no keys; and end it. */
bool test_cluster_move_begin(const struct test_cluster *c, unsigned slot, unsigned from,
                             unsigned to);
bool test_cluster_move_end(const struct test_cluster *c, unsigned slot, unsigned from, unsigned to);
void test_cluster_release(struct test_cluster *c);

#endif
