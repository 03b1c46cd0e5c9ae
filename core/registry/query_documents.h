/* query_documents: filtered, sorted pages of one kind of document. Room: registry. Threads: pure,
 * [any] inside an epoch. Cost: one pass over the kind; a sort where the order is by time. */
#ifndef PADDOCK_REGISTRY_QUERY_DOCUMENTS_H
#define PADDOCK_REGISTRY_QUERY_DOCUMENTS_H

#include "registry/document.h"
#include "registry/query.h"

/* A field that must have one of some values. */
struct document_filter {
    const struct field *field; /* a string, enum, bool or whole number of the kind's table */
    const char *values;        /* as text, parted by commas for an enum */
};

enum document_sort { DOCUMENTS_BY_ID, DOCUMENTS_BY_CREATED, DOCUMENTS_BY_UPDATED };

struct document_query {
    const struct document_type *type;
    const char *ns; /* "*": all */
    const struct document_filter *filters;
    size_t n_filters;
    const struct label_filter *labels; /* on the table's field "labels" */
    size_t n_labels;
    /* Whether the caller may see it; NULL: all. */
    bool (*may_see)(const struct document *d, void *ctx);
    void *ctx;
    enum document_sort sort;
    bool descending;
    size_t limit;
    const char *after; /* as `next` gave it; NULL: from the start */
};

struct document_page {
    const struct document **items; /* in the arena */
    size_t n;
    uint64_t total;
    const char *next;
};

/* False and ERR_INVALID for an `after` that is not one of ours. */
bool query_documents(const struct view *v, const struct document_query *q, struct arena *a,
                     struct document_page *out, struct err *e) MUST_CHECK;

#endif
