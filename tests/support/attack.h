/* attack: run one script of tests/lua/attacks against a rollout policy's sandbox. */
#ifndef PADDOCK_TESTS_ATTACK_H
#define PADDOCK_TESTS_ATTACK_H

#include "extend/policy.h"

#include <stdbool.h>

struct attack_end {
    char expected[16];  /* of its line "-- expect: ...": ok, error, limit, broken */
    char happened[16];  /* the same words */
    bool usable;        /* the policy answered a harmless call after it as it should */
    double cpu_ms;      /* load and call, the slower of the two, of this thread */
    size_t memory_peak; /* bytes of its state */
    int64_t steps;      /* of its call, as the sandbox counted them; 0: it was not loaded */
    char detail[512];   /* what the sandbox said */
};

/* Load the file and call it once. */
void attack_run(const char *path, struct attack_end *end);
/* Paths of all scripts in `dir`, sorted; the caller frees each and the array (NULL-terminated). */
char **attack_list(const char *dir);

#endif
