/* crash: a line about where a signal came from, before it ends the process. Room: worker.
 * Threads: installed before any is started; the handler runs in the thread that crashed. */
#ifndef PADDOCK_WORKER_CRASH_H
#define PADDOCK_WORKER_CRASH_H

#include "worker/load.h"

/* Watch SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT, on a stack of its own (so that an overflown
 * one is told, too). `plugin` is kept. */
void crash_watch(const struct loaded *plugin);

#endif
