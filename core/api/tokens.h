/* tokens: what the API adds to the text of a token. Room: api. */
#ifndef PADDOCK_API_TOKENS_H
#define PADDOCK_API_TOKENS_H

#include "api/api.h"
#include "registry/document.h"

#include <stddef.h>

/* The token's text with the time of its last use, into the arena. [any] */
const char *token_shown(struct api *api, struct arena *a, const struct document *d, size_t *len);

#endif
