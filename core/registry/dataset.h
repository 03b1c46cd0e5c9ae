/* dataset: rows that tests run models on, by reference; the data stay where they are.
 * Room: registry. Threads: immutable, [any]. */
#ifndef PADDOCK_REGISTRY_DATASET_H
#define PADDOCK_REGISTRY_DATASET_H

#include "registry/documents.h"

struct dataset {
    struct document_head head; /* id is the dataset_id */
    const char *uri;           /* "file:///absolute/path" below one of rules->dataset_dirs */
    const char *sha256;        /* 64 lower-case hex digits that the file must have, or NULL */
    const char *format;        /* "csv" | "jsonl" | "npy" */
    const char *label_column;  /* name of the column with the right answers, or NULL */
    int64_t rows;              /* how many there are, for people; INT64_MIN: not said */
    const char *description;
};

extern const struct field DATASET_FIELDS[];

/* The path in a file: URI (a part of it); NULL if it is none, or not absolute and plain. */
const char *dataset_path(const char *uri);

#endif
