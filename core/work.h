/* work: `paddock work`: carries out validation runs for the nodes on a Redis, and serves nobody.
 * Room: top. Threads: [main]. */
#ifndef PADDOCK_WORK_H
#define PADDOCK_WORK_H

/* `argv` is what follows `work`. Returns the exit status: 0 stopped as told, 1 failed, 2 unusable
 * settings. */
int work_main(int argc, char **argv, char **env);

#endif
