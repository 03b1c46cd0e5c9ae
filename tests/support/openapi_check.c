#include "support/openapi_check.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Refusals of the HTTP layer that may meet any request and stand at no operation. */
static const char *const OF_HTTP[] = {
    "MALFORMED_REQUEST", "NOT_FOUND",           "METHOD_NOT_ALLOWED", "REQUEST_TIMEOUT",
    "URI_TOO_LONG",      "HEADERS_TOO_LARGE",   "EXPECTATION_FAILED", "HTTP_VERSION_NOT_SUPPORTED",
    "NOT_IMPLEMENTED",   "MISDIRECTED_REQUEST", "FORBIDDEN",
};

json_t *openapi_read(void)
{
    char path[4096];
    const char *source = getenv("PADDOCK_SOURCE");
    snprintf(path, sizeof path, "%s/docs/openapi.json", source ? source : ".");
    return json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
}

/* Does the path of `target` fit a template such as /problems/{slug}? */
static bool fits(const char *template, const char *target)
{
    while (*template && *target && *target != '?') {
        if (*template == '{') {
            template += strcspn(template, "}") + 1;
            target += strcspn(target, "/?");
        } else if (*template ++ != *target++) {
            return false;
        }
    }
    return *template == '\0' && (*target == '\0' || *target == '?');
}

static const json_t *operation(const json_t *document, const char *method, const char *target)
{
    char name[16] = "get";
    const char *path;
    json_t *item;
    for (size_t i = 0; strcmp(method, "HEAD") != 0 && i < sizeof name - 1 && i <= strlen(method);
         i++)
        name[i] = (char)tolower((unsigned char)method[i]);
    json_object_foreach(json_object_get(document, "paths"), path, item)
        if (fits(path, target) && json_object_get(item, name))
            return json_object_get(item, name);
    return NULL;
}

static bool listed(const json_t *codes, const char *code)
{
    for (size_t i = 0; i < json_array_size(codes); i++)
        if (strcmp(json_string_value(json_array_get(codes, i)), code) == 0)
            return true;
    return false;
}

bool openapi_announces(const json_t *document, const char *method, const char *target, int status,
                       const char *code)
{
    char number[12];
    for (size_t i = 0; code && i < sizeof OF_HTTP / sizeof *OF_HTTP; i++)
        if (strcmp(code, OF_HTTP[i]) == 0)
            return true;
    const json_t *op = operation(document, method, target);
    if (!op)
        return true;
    snprintf(number, sizeof number, "%d", status);
    const json_t *response = json_object_get(json_object_get(op, "responses"), number);
    return response && (!code || listed(json_object_get(response, "x-paddock-codes"), code));
}
