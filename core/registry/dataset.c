#include "registry/dataset.h"

#include "base/bytes.h"
#include "base/json.h"
#include "registry/directories.h"
#include "registry/errors.h"
#include "registry/model_fields.h"
#include "registry/test_case.h"

#include <string.h>

static const char *const FORMATS[] = {"csv", "jsonl", "npy", NULL};

static const char *sha256_fault(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64
               ? NULL
               : "must be 64 lower-case hexadecimal digits";
}

const char *dataset_path(const char *uri)
{
    static const char SCHEME[] = "file://";
    const char *path = uri + sizeof SCHEME - 1;
    if (strncmp(uri, SCHEME, sizeof SCHEME - 1) != 0 || *path != '/')
        return NULL;
    for (const char *p = path; *p; p++)
        if (*p == '%' || (unsigned char)*p < 0x20 || strncmp(p, "//", 2) == 0 ||
            (strncmp(p, "/..", 3) == 0 && (p[3] == '/' || p[3] == '\0')))
            return NULL;
    return path;
}

static const char *uri_fault(const char *text)
{
    return dataset_path(text) ? NULL
                              : "must be file:// and an absolute path without '..', '//', '%' or "
                                "control characters";
}

#define REF(member) offsetof(struct dataset, member)

const struct field DATASET_FIELDS[] = {
    DOCUMENT_NAMESPACE,
    DOCUMENT_ID("dataset_id", identifier_fault, "Unique in the namespace."),
    {.name = "uri",
     .type = FIELD_STRING,
     .flags = FIELD_REQUIRED,
     .offset = REF(uri),
     .min = 1,
     .max = 4096,
     .check = uri_fault,
     .doc = "file:// and an absolute path, below a directory that the configuration names."},
    {.name = "sha256",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = REF(sha256),
     .check = sha256_fault,
     .doc = "What the file must hash to: a test on other bytes fails, saying so."},
    {.name = "format",
     .type = FIELD_ENUM,
     .flags = FIELD_REQUIRED,
     .offset = REF(format),
     .choices = FORMATS,
     .doc = "csv with a header line, one JSON object a line, or a numpy array."},
    {.name = "label_column",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = REF(label_column),
     .min = 1,
     .max = 256,
     .doc = "The column with the right answers."},
    {.name = "rows",
     .type = FIELD_INT,
     .flags = FIELD_NULLABLE,
     .offset = REF(rows),
     .max = 9007199254740992.0,
     .doc = "How many there are, for people."},
    DOCUMENT_DESCRIPTION(REF(description)),
    DOCUMENT_STAMPS,
    {0},
};

static void init(void *fields, const struct rules *rules)
{
    struct dataset *d = fields;
    (void)rules;
    d->rows = INT64_MIN;
    d->description = "";
}

static bool check(struct document_write *w, struct err *e)
{
    const struct dataset *d = w->want;
    (void)e;
    if (!path_is_below(dataset_path(d->uri), w->h->rules->dataset_dirs))
        fault_add(&w->faults, &ERR_INVALID, "/uri",
                  "must lie below a directory of the setting dataset-dirs");
    return true;
}

static bool is_user(const struct document *d, const char *quoted)
{
    return strstr(test_case_of(d)->datasets, quoted) != NULL;
}

static bool remove_unused(struct document_write *w, struct err *e)
{
    const char *id = w->before->entity.id, *list;
    const char *quoted = arena_printf(w->c->arena, "\"%s\"", id); /* as in a test case's list */
    size_t n = document_users(w, ENTITY_TEST_CASE, is_user, quoted, &list);
    if (!n)
        return true;
    fail(e, &DATASET_IN_USE, "%zu test cases use '%.200s'", n, id);
    if (e)
        e->members = list;
    return false;
}

const struct document_type DATASET_TYPE = {
    .kind = ENTITY_DATASET,
    .noun = "dataset",
    .id_name = "dataset_id",
    .path = "/api/models/enterprise/datasets/",
    .fields = DATASET_FIELDS,
    .size = sizeof(struct dataset),
    .not_found = &DATASET_NOT_FOUND,
    .exists = &DATASET_EXISTS,
    .created = "dataset.created",
    .updated = "dataset.updated",
    .deleted = "dataset.deleted",
    .init = init,
    .check = check,
    .remove = remove_unused,
};
