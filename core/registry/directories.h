/* directories: does a path lie where the configuration allows files of a kind? Room: registry.
 * Threads: pure, [any].
 *
 * By its text alone: links are followed only when the file is opened, and checked then. */
#ifndef PADDOCK_REGISTRY_DIRECTORIES_H
#define PADDOCK_REGISTRY_DIRECTORIES_H

#include <stdbool.h>

/* Is `path` absolute, without a "..", and below one of `dirs` (NULL-terminated; NULL: none)? */
bool path_is_below(const char *path, const char *const *dirs);

#endif
