/* access_page: the tables of docs/access.md, for tests that hold the server to them. */
#ifndef PADDOCK_TESTS_SUPPORT_ACCESS_PAGE_H
#define PADDOCK_TESTS_SUPPORT_ACCESS_PAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum access_about { ABOUT_PUBLIC, ABOUT_SERVER, ABOUT_NAMESPACE, ABOUT_NAME };

struct access_operation {
    char method[8], path[160], operation[64];
    uint32_t actions; /* bits by the order of the page; several: the body decides */
    enum access_about about;
};

struct access_page {
    char actions[32][32];
    size_t n_actions;
    struct {
        char name[32];
        uint32_t actions;
    } roles[8];
    size_t n_roles;
    struct access_operation operations[256];
    size_t n_operations;
    uint32_t admin; /* the bit of `admin`, which includes all others */
};

/* Read the page below PADDOCK_SOURCE; ends the test when it is not as it must be. */
void access_page_read(struct access_page *out);
/* The actions that these include. */
uint32_t access_implied(const struct access_page *p, uint32_t actions);
/* Hold the operations against an OpenAPI document; tells each row that is missing, too much or
 * different, as it must be, and returns how many they are. */
size_t access_page_compare(const struct access_page *p, const json_t *openapi);

#endif
