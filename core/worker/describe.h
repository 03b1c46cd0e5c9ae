/* describe: what a plugin says of itself, as JSON. Room: worker. */
#ifndef PADDOCK_WORKER_DESCRIBE_H
#define PADDOCK_WORKER_DESCRIBE_H

#include "base/bytes.h"
#include "base/err.h"

/* Load the file (after giving up rights, as `user` or a number of our own) and append its
 * description; see worker_describe() in extend/worker_process.h. */
bool describe_plugin(const char *file, const char *user, struct bytes *out, struct err *e)
    MUST_CHECK;

#endif
