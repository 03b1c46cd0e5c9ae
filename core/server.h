/* server: `paddock serve`: builds the parts in order, runs until told to stop, stops them in
 * reverse. Room: top. Threads: [main]. */
#ifndef PADDOCK_SERVER_H
#define PADDOCK_SERVER_H

/* `argv` is what follows `serve`. Returns the exit status: 0 stopped as told, 1 failed, 2 unusable
 * settings. */
int server_main(int argc, char **argv, char **env);

#endif
