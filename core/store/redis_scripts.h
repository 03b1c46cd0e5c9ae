/* redis_scripts: what is carried out inside Redis, atomically. Room: store (its own use).
 * Threads: constants.
 *
 * Each script's first argument is who this node is, "DIRECTORY/START": what writes is refused
 * (error NODE) unless the lease "node:DIRECTORY" is this start's. The others are told at each
 * script. */
#ifndef PADDOCK_STORE_REDIS_SCRIPTS_H
#define PADDOCK_STORE_REDIS_SCRIPTS_H

/* All of the control plane lies in the slot of this tag. */
#define REDIS_CONTROL "paddock:{c}:"

/* The key that each script names, and that never exists: a Cluster carries out no script in a slot
 * that is on its way to another master (redis_cluster.c). That of series has their own tag. */
#define REDIS_GATE REDIS_CONTROL "gate"

enum redis_script {
    SCRIPT_NODE,
    SCRIPT_LEAVE,
    SCRIPT_COMMIT,
    SCRIPT_KEY,
    SCRIPT_LEASE,
    SCRIPT_QUEUE,
    SCRIPT_APPEND,
    SCRIPT_APPEND_BEGIN,
    SCRIPT_APPEND_PART,
    SCRIPT_APPEND_END,
    SCRIPT_READ,
    SCRIPT_JOURNAL,
    SCRIPT_TAIL,
    SCRIPT_SHIP,
    SCRIPT_TIDY,
    SCRIPT_DELTAS,
    SCRIPT_FACTS,
    SCRIPTS,
    PLAIN = SCRIPTS, /* no script: a command of Redis */
};

extern const char *const REDIS_SCRIPTS[SCRIPTS];

#endif
