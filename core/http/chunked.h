/* chunked: the chunked transfer coding, taken off. Room: http. Threads: one owner, pure.
 *
 * Stricter than libhttp-parser, which takes control bytes in extensions (a way to smuggle): sizes
 * are hexadecimal digits and nothing else, every line ends in CR LF, and all that is not data
 * (sizes past their digits, extensions, trailers) has one bound for the whole body. */
#ifndef PADDOCK_HTTP_CHUNKED_H
#define PADDOCK_HTTP_CHUNKED_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNKED_EXTRA_MAX 8192 /* bytes of extensions and trailers together */

struct chunked {
    unsigned state;
    unsigned digits;
    uint64_t left; /* of the current chunk */
    size_t extra;  /* bytes of extensions and trailers so far */
};

enum chunked_result { CHUNKED_MORE, CHUNKED_DATA, CHUNKED_DONE, CHUNKED_BAD };

void chunked_init(struct chunked *c);
/* Look at `len` bytes and say how many are used up. CHUNKED_DATA: `*data` of `*data_len` bytes
 * (within what was used) belong to the body; call again with the rest. MORE: all were used. */
enum chunked_result chunked_feed(struct chunked *c, const char *in, size_t len, size_t *used,
                                 const char **data, size_t *data_len, struct err *e) MUST_CHECK;

/* Bytes still to come that are certainly data of the current chunk. */
uint64_t chunked_data_left(const struct chunked *c);

#endif
