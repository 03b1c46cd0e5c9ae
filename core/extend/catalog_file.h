/* catalog_file: one file that may be a plugin: is it safe to take, and its copy.
 * Room: extend. Threads: [any], no shared state.
 *
 * Safe means: nobody but root and who runs the server can have decided what its bytes are. The file
 * and the directory that names it must belong to one of the two and be writable by nobody else.
 * Who owns a directory further up could put another directory in its place, but only one with files
 * that were safe in themselves. */
#ifndef PADDOCK_EXTEND_CATALOG_FILE_H
#define PADDOCK_EXTEND_CATALOG_FILE_H

#include "base/err.h"
#include "base/hash.h"

#include <stddef.h>

/* Open a directory of plugins. -1 and the reason if it cannot be, or is not safe. */
int plugin_dir_open(const char *path, struct err *e) MUST_CHECK;

/* Read the file `name` of the open directory, tell its SHA-256, and see to it that the open
 * directory `copies` has those bytes as <sha256>.so. `hex` is "" until it is known. */
bool plugin_file_copy(int dir, const char *name, int copies, char hex[SHA256_HEX_SIZE],
                      struct err *e) MUST_CHECK;

#endif
