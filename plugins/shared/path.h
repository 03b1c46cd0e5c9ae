/* path: may a file be used? Plugin code, shared by compiling it in. Threads: [any]. */
#ifndef PADDOCK_PLUGINS_PATH_H
#define PADDOCK_PLUGINS_PATH_H

#include <paddock/plugin.h>

/* The one row of an array of directories. */
extern const paddock_field DIRECTORY_FIELD[];

/* Is `path`, its links followed, below one of the directories (an array of texts)? False if there
 * is no such file. */
bool path_below(const paddock_host *h, const paddock_value *directories, const char *path);

#endif
