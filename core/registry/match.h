/* match: does an entity satisfy the filters of a list? Room: registry. Threads: one query. */
#ifndef PADDOCK_REGISTRY_MATCH_H
#define PADDOCK_REGISTRY_MATCH_H

#include "base/arena.h"
#include "registry/index.h"
#include "registry/query.h"
#include "registry/scan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A filter by a shared text: the numbers of texts compared so far, so that a comparison of texts
 * happens once for each text and not for each model. */
#define TEXTS_REMEMBERED 64
struct text_filter {
    const char *want; /* NULL: any */
    uint32_t yes, no[TEXTS_REMEMBERED];
};

/* Names that were asked about: the grants are looked at once for each, not for each version. */
struct name_filter {
    uint32_t yes[TEXTS_REMEMBERED], no[TEXTS_REMEMBERED];
};

/* A label as it stands in a text: both literals with their quotes. */
struct label_literal {
    struct slice key, value;
};

/* The filters of a query, prepared. */
struct match {
    const struct model_query *query;
    struct text_filter type, sport, target, name;
    struct name_filter seen;
    const char *alias;                  /* literal with its quotes, or NULL */
    const struct label_literal *labels; /* n_labels of the query */
    size_t n_labels;
    uint64_t label_bits;                     /* of all of them */
    uint32_t source_digest, training_run_id; /* marks */
    bool visit;                              /* the row alone cannot say yes */
    const char *q;                           /* in lower case, or NULL */
    size_t q_len;
    const char *q_name; /* the last name searched, and what came of it */
    bool q_name_found;
    struct arena *arena; /* the query's; for descriptions with escapes */
};

void match_init(struct match *m, const struct model_query *q, struct arena *a);
/* Which of the places [from, to) of a chunk with rows match? Writes them in ascending order and
 * returns how many they are. Models are visited only where their rows cannot say no. */
size_t match_chunk(struct match *m, const struct chunk *c, size_t from, size_t to,
                   uint8_t places[CHUNK_MAX]);
/* Ask for the memory that match_chunk() will read first of a chunk to come. */
void match_prefetch(const struct match *m, const struct chunk *c);

/* Parts that lists of registered models use too. */
const struct label_literal *label_literals(const struct label_filter *labels, size_t n,
                                           struct arena *a);
bool labels_match(struct slice object, const struct label_literal *want, size_t n);
/* `needle` in lower case ASCII; other bytes compare as they are. */
bool text_contains(const char *text, size_t len, const char *needle, size_t needle_len);
/* The same for a string literal of a JSON text. */
bool literal_contains(struct slice literal, const char *needle, size_t needle_len);
const char *lower_text(const char *text, struct arena *a);

#endif
