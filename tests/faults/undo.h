/* undo: the log that shim_undo.so writes and crash.c rolls back. One record for each change of a
 * file below SHIM_DIR, appended before the change itself, so that the file can be put back to what
 * a disk holds that lost everything not yet synced.
 *
 * Environment of the shim: SHIM_DIR (files below it are watched), SHIM_UNDO (the log), SHIM_LIE=1
 * (fsync and fdatasync promise nothing: a server that relies on them must then be seen to lose
 * data). */
#ifndef PADDOCK_TESTS_FAULTS_UNDO_H
#define PADDOCK_TESTS_FAULTS_UNDO_H

#include <stdint.h>

#define UNDO_MAGIC    0x4f444e55u
#define UNDO_PATH_MAX 256

enum undo_type {
    UNDO_CREATE = 1, /* path did not exist */
    UNDO_WRITE,      /* `len` bytes at `offset` were as follows, the size was `size` */
    UNDO_UNLINK,     /* path was removed; `other` is a hard link to what it was */
    UNDO_RENAME,     /* path became `other`; `backup`: hard link to what `other` was, or "" */
    UNDO_SYNC,       /* all records of path before byte `offset` of the log are on disk */
    UNDO_SYNC_DIR,   /* all names in the directory path, likewise */
};

struct undo_record {
    uint32_t magic, type;
    int64_t offset, len, size;
    char path[UNDO_PATH_MAX], other[UNDO_PATH_MAX], backup[UNDO_PATH_MAX];
    /* `len` bytes of old contents follow an UNDO_WRITE */
};

#endif
