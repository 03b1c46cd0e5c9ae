/* The document at /openapi.json: whole, consistent with the problems, and the same as
 * docs/openapi.json. */
#include "support/unit.h"

#include "api/openapi.h"

#include "api/api.h"
#include "api/problems.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *document;
static char *text;
static size_t text_len;

static int setup(void **state)
{
    (void)state;
    json_error_t why;
    text = openapi_render(&text_len);
    document = json_loadb(text, text_len, JSON_REJECT_DUPLICATES, &why);
    return document ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(document);
    free(text);
    return 0;
}

/* "#/components/schemas/Model" */
static const json_t *resolve(const char *reference)
{
    char copy[256];
    const json_t *at = document;
    assert_int_equal(strncmp(reference, "#/", 2), 0);
    snprintf(copy, sizeof copy, "%s", reference + 2);
    for (char *p = copy; at && p;) {
        char *slash = strchr(p, '/');
        if (slash)
            *slash = '\0';
        at = json_object_get(at, p);
        p = slash ? slash + 1 : NULL;
    }
    return at;
}

static void check_references(const json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;
    if (json_is_array(value))
        json_array_foreach(value, i, member)
            check_references(member);
    if (!json_is_object(value))
        return;
    json_object_foreach((json_t *)value, key, member) {
        if (strcmp(key, "$ref") == 0 && !resolve(json_string_value(member)))
            fail_msg("%s leads nowhere", json_string_value(member));
        check_references(member);
    }
}

static void references_lead_somewhere(void **state)
{
    (void)state;
    check_references(document);
}

static void every_route_is_there(void **state)
{
    (void)state;
    for (const struct route *r = ROUTES; r->path; r++) {
        char method[16] = "";
        for (size_t i = 0; method_name(r->method)[i] && i < sizeof method - 1; i++)
            method[i] = (char)tolower((unsigned char)method_name(r->method)[i]);
        char path[256]; /* OpenAPI knows no {rest+} */
        snprintf(path, sizeof path, "%s", r->path);
        char *rest = strstr(path, "+}");
        if (rest)
            memcpy(rest, "}", 2);
        const json_t *operation =
            json_object_get(json_object_get(json_object_get(document, "paths"), path), method);
        assert_non_null(operation);
        assert_string_equal(json_string_value(json_object_get(operation, "operationId")),
                            r->operation);
        const json_t *action = json_object_get(operation, "x-paddock-action");
        assert_true(r->action ? strcmp(json_string_value(action), r->action) == 0
                              : json_is_null(action));
        assert_int_equal(r->action == NULL, (r->flags & ROUTE_PUBLIC) != 0);
    }
}

/* Each code of each response is a known problem of that status. */
static void check_codes(const json_t *responses)
{
    const char *status;
    json_t *response, *code;
    size_t i;
    json_object_foreach((json_t *)responses, status, response)
        json_array_foreach(json_object_get(response, "x-paddock-codes"), i, code) {
            const struct err_kind *kind = problem_find(json_string_value(code));
            if (!kind)
                fail_msg("%s is no problem", json_string_value(code));
            assert_int_equal(kind->status, strtol(status, NULL, 10));
        }
}

static void codes_are_known(void **state)
{
    (void)state;
    const char *path, *method;
    json_t *item, *operation;
    json_object_foreach(json_object_get(document, "paths"), path, item)
        json_object_foreach(item, method, operation)
            check_codes(json_object_get(operation, "responses"));
}

/* A body is a named schema, so that generated clients have a type for it. */
static void bodies_have_names(void **state)
{
    (void)state;
    const char *path, *method;
    json_t *item, *operation;
    json_object_foreach(json_object_get(document, "paths"), path, item)
        json_object_foreach(item, method, operation) {
            const json_t *body = json_object_get(operation, "requestBody");
            const json_t *content =
                json_object_get(json_object_get(body, "content"), "application/json");
            const json_t *schema = json_object_get(content, "schema");
            if (content && !json_object_get(schema, "$ref") && !json_object_get(schema, "oneOf"))
                fail_msg("the body of %s %s is not in BODY_NAMES", method, path);
        }
}

static void tags_are_described(void **state)
{
    (void)state;
    for (const struct route *r = ROUTES; r->path; r++) {
        bool described = false;
        size_t i;
        json_t *tag;
        json_array_foreach(json_object_get(document, "tags"), i, tag)
            described |= strcmp(json_string_value(json_object_get(tag, "name")), r->tag) == 0;
        if (!described)
            fail_msg("the tag %s is not in TAG_DOCS", r->tag);
    }
}

static void problems_are_distinct(void **state)
{
    (void)state;
    const struct err_kind *kind;
    size_t n = 0;
    for (; (kind = problem_at(n)); n++) {
        char slug[64];
        problem_slug(kind->code, slug, sizeof slug);
        assert_ptr_equal(problem_find(slug), kind);
        assert_ptr_equal(problem_find(kind->code), kind);
        assert_true(kind->status >= 400 && kind->status < 600);
        assert_true(strlen(kind->doc) > 20);
    }
    assert_true(n > 30);
    assert_null(problem_find("config-invalid")); /* ends a start, answers nobody */
    assert_null(problem_find(""));
}

/* The copy for people who read the source; `paddock openapi > docs/openapi.json` renews it. */
static void the_copy_in_docs_is_the_same(void **state)
{
    (void)state;
    const char *source = getenv("PADDOCK_SOURCE");
    char path[4096];
    if (!source)
        skip();
    snprintf(path, sizeof path, "%s/docs/openapi.json", source);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    char *copy = malloc(text_len + 2);
    assert_non_null(copy);
    size_t n = fread(copy, 1, text_len + 1, f);
    fclose(f);
    bool same = n == text_len && memcmp(copy, text, n) == 0;
    free(copy);
    if (!same)
        fail_msg("docs/openapi.json is stale: paddock openapi > docs/openapi.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_lead_somewhere),
        cmocka_unit_test(every_route_is_there),
        cmocka_unit_test(codes_are_known),
        cmocka_unit_test(bodies_have_names),
        cmocka_unit_test(tags_are_described),
        cmocka_unit_test(problems_are_distinct),
        cmocka_unit_test(the_copy_in_docs_is_the_same),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
