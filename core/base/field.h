/* field: a table that maps a C struct to a JSON object, both ways.
 * Room: base. Threads: pure, [any].
 *
 * One table per entity or request body feeds decoding with JSON-Pointer faults, encoding, query
 * parameters, the OpenAPI schema and a test. Tables end with a field without a name. */
#ifndef PADDOCK_BASE_FIELD_H
#define PADDOCK_BASE_FIELD_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/fault.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum field_type {
    FIELD_STRING,  /* const char *; min..max characters (max 0: up to 64 KiB); `check` sees it */
    FIELD_ENUM,    /* const char * that is one of `choices` (the pointer of the table is stored) */
    FIELD_INT,     /* int64_t in min..max */
    FIELD_NUMBER,  /* double in min..max, finite */
    FIELD_BOOL,    /* bool */
    FIELD_TIME,    /* int64_t ms since 1970; 0 is null; RFC 3339 or epoch milliseconds accepted */
    FIELD_OBJECT,  /* const char *: compact JSON text of an object, up to max bytes (0: 64 KiB);
                      `check_json` may refuse it; NULL encodes as {} (null if nullable) */
    FIELD_STRINGS, /* const char *: compact JSON text of an array of min..max (0: 1000) strings
                      of up to 1024 characters, 64 KiB in all; `check` sees each; NULL gives [] */
    FIELD_ANY,     /* const char *: compact JSON text of any value, up to max bytes (0: 64 KiB) */
    FIELD_NESTED,  /* struct at `offset`, described by `sub`; never null */
};

enum field_flag {
    FIELD_REQUIRED = 1 << 0, /* must be given (on create) */
    FIELD_NULLABLE = 1 << 1, /* null is allowed: NULL text, 0 time, NAN number, INT64_MIN integer */
    FIELD_SERVER = 1 << 2, /* only the server sets it (times, counters, states); ignored on write */
    FIELD_FIXED = 1 << 3,  /* identifies the object: in a patch, another value than `out` holds is
                                READ_ONLY_FIELD (if that is all zero the value is stored) */
    FIELD_FROZEN = 1 << 4, /* may not change once a model has left development */
    FIELD_SECRET = 1 << 5, /* accepted, never shown: encoded only with hidden=true, for the store */
    FIELD_HIDDEN = 1 << 6, /* kept in the store, not part of the API: encoded only with
                                hidden=true, decoded only in DECODE_STORED */
    FIELD_REPEATED = 1 << 7, /* a query parameter that may be given more than once */
    FIELD_FILLED = 1 << 8,   /* null on write asks for a default, so answers never have null */
};

struct field {
    const char *name;
    enum field_type type;
    unsigned flags;
    size_t offset;
    /* Range, or length. Both 0: the type's own; only max 0: no upper bound but the type's own. */
    double min, max;
    const char *const *choices;             /* FIELD_ENUM: NULL-terminated */
    const struct field *sub;                /* FIELD_NESTED */
    const char *(*check)(const char *text); /* NULL if good, else what is wrong */
    /* Add faults below `pointer`; the value has the right JSON type already. */
    void (*check_json)(const json_t *value, const char *pointer, struct faults *f);
    const char *doc; /* one line for people */
};

/* What decoding saw, by index in the table (tables have at most 64 fields). */
struct field_seen {
    uint64_t given; /* the key was there (null included) */
};

enum decode_mode {
    DECODE_CREATE, /* REQUIRED is demanded, SERVER fields are skipped */
    DECODE_PATCH,  /* nothing is demanded, SERVER fields are skipped */
    DECODE_STORED, /* our own text: everything is read; unknown fields are ignored, so are ranges
                      and checks (they may have become stricter since) and nulls of fields that
                      are not nullable; types are not */
};

/* Decode `object` into `out` (whose defaults the caller has set). Every fault found is added to `f`
 * below `pointer`. Texts go to `a`. Returns true if no fault was added. `seen` may be NULL.
 * Unknown fields are ERR_UNKNOWN_FIELD except in DECODE_STORED. */
bool fields_decode(const struct field *table, const json_t *object, const char *pointer,
                   enum decode_mode mode, void *out, struct arena *a, struct field_seen *seen,
                   struct faults *f) MUST_CHECK;

/* DECODE_STORED of an object, and of its text. What is wrong with it is damage: false and
 * ERR_CORRUPT, which says where in the stored `what` (a noun without its article). */
bool fields_decode_stored(const struct field *table, const json_t *object, const char *what,
                          void *out, struct arena *a, struct err *e) MUST_CHECK;
bool fields_read_stored(const struct field *table, const char *text, size_t len, const char *what,
                        void *out, struct arena *a, struct err *e) MUST_CHECK;

/* Append `"name":value,...` for every field (no braces, no trailing comma), HIDDEN ones only if
 * `hidden`. */
void fields_encode(const struct field *table, const void *in, bool hidden, struct bytes *out);
/* The same as an object: with braces. */
void fields_encode_object(const struct field *table, const void *in, bool hidden,
                          struct bytes *out);

/* The same for one value of a query parameter given as text: numbers in decimal, true or false,
 * strings separated by commas, JSON for OBJECT and ANY. False and a fault at pointer `name`. */
bool field_decode_text(const struct field *field, const char *text, void *out, struct arena *a,
                       struct faults *f) MUST_CHECK;

enum schema_form {
    SCHEMA_ANSWER, /* what fields_encode() writes without hidden fields: all of them, always */
    SCHEMA_CREATE, /* a body that creates; SERVER fields are readOnly: taken, but ignored */
    SCHEMA_PATCH,  /* a merge patch: nothing required, null takes back what may be left out */
};

/* Append the JSON Schema (draft 2020-12) object of a table, for OpenAPI. */
void fields_schema(const struct field *table, enum schema_form form, struct bytes *out);

#endif
