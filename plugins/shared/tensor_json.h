/* tensor_json: requests and answers of the Open Inference Protocol, version 2, as JSON.
 * Plugin code of the runtimes, shared by compiling it in; needs jansson. Threads: [any].
 *
 * Whatever comes from outside is checked whole before an output is made: names, datatypes, shapes,
 * the number of elements and each of them. Faults go to paddock_fail() with a sentence that says
 * which output and which element. */
#ifndef PADDOCK_PLUGINS_TENSOR_JSON_H
#define PADDOCK_PLUGINS_TENSOR_JSON_H

#include "text.h"

#include <jansson.h>

#define TENSORS_MAX  64         /* inputs or outputs of one call */
#define ELEMENTS_MAX (1u << 27) /* of one tensor */

/* Append `"inputs":[...]` and, where outputs are chosen, `,"outputs":[...]`. False after
 * paddock_fail() with PADDOCK_E_INPUT: a NAN, an infinity or bytes that are no text, none of which
 * JSON can carry; or more than `out->max` bytes. */
bool request_write(struct text *out, paddock_call *c, const paddock_request *rq);

/* Parse an answer. `who` begins the message: "the server". NULL after paddock_fail() with
 * PADDOCK_E_PROTOCOL that says what it is instead of JSON: empty, HTML, cut off, NaN. */
json_t *answer_parse(paddock_call *c, const char *who, const char *data, size_t len);

/* Make the outputs of the answer `{"outputs":[{"name","datatype","shape","data"}]}`. False after
 * paddock_fail(); then outputs made before count for nothing. */
bool answer_take(paddock_call *c, const char *who, const json_t *root, const paddock_request *rq);

/* What a model says of itself, kept. Zero it at first. */
struct metadata {
    paddock_metadata said;
    json_t *root; /* holds the texts */
};

/* Read `{"name","versions","platform","inputs","outputs"}`, taking over `root`. `version`: the one
 * asked for, or NULL for the last of the list. False after paddock_fail(), with `m` released. */
bool metadata_read(struct metadata *m, paddock_call *c, const char *who, json_t *root,
                   const char *version);
void metadata_release(struct metadata *m);

#endif
