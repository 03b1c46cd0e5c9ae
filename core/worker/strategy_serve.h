/* strategy_serve: the long-lived process of a strategy; extend/strategy_protocol.h says what is
 * spoken. Room: worker. Threads: [main], one.
 *
 * It gives up its rights before it loads the plugin, like the second stage of a test, and may start
 * neither threads nor processes (where the system can count them). It ends with its input, and with
 * the thread that started it. */
#ifndef PADDOCK_WORKER_STRATEGY_SERVE_H
#define PADDOCK_WORKER_STRATEGY_SERVE_H

/* Serve the plugin in `file` from standard input to descriptor 3. `user`: whom to become when we
 * are root; NULL: a number of its own. The exit status. */
int strategy_serve(const char *file, const char *user);

#endif
