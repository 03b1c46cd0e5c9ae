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

enum redis_script {
    SCRIPT_NODE,
    SCRIPT_LEAVE,
    SCRIPT_COMMIT,
    SCRIPT_KEY,
    SCRIPT_LEASE,
    SCRIPT_QUEUE,
    SCRIPT_APPEND,
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
