#include "api/errors.h"

#include <stddef.h>

const struct err_kind NODE_BEHIND = {
    "NODE_BEHIND",
    503,
    "Node behind",
    "The change named by min_seq has not reached this node within two seconds. Ask again, ask "
    "another "
    "node, or leave min_seq out to read what this node has.",
};

const struct err_kind *const API_ERRORS[] = {&NODE_BEHIND, NULL};
