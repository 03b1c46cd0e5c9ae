#include "support/access_page.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE  "/api/models/enterprise"
#define CELLS 12

static void bad(const char *what, const char *line)
{
    fprintf(stderr, "docs/access.md: %s: %s\n", what, line);
    exit(1);
}

/* Split a row at its bars, without backticks and outer spaces. */
static size_t cells_of(char *line, char *cells[CELLS])
{
    size_t n = 0;
    char *to = line, *from = line + 1;
    while (*from && n < CELLS) {
        cells[n++] = to;
        from += strspn(from, " ");
        while (*from && *from != '|' && *from != '\n') {
            if (*from != '`')
                *to++ = *from;
            from++;
        }
        while (to > cells[n - 1] && to[-1] == ' ')
            to--;
        from += *from == '|';
        *to++ = '\0';
        if (*from == '\n')
            break;
    }
    return n;
}

static uint32_t actions_of(const struct access_page *p, const char *text, const char *separators)
{
    char copy[256];
    uint32_t bits = 0;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *save = NULL, *word = strtok_r(copy, separators, &save); word;
         word = strtok_r(NULL, separators, &save)) {
        size_t i = 0;
        while (i < p->n_actions && strcmp(p->actions[i], word) != 0)
            i++;
        if (i == p->n_actions)
            bad("no such action", word);
        bits |= UINT32_C(1) << i;
    }
    return bits;
}

static void add_role_row(struct access_page *p, char *cells[CELLS])
{
    size_t i = p->n_actions++;
    snprintf(p->actions[i], sizeof p->actions[i], "%s", cells[0]);
    if (strcmp(cells[0], "admin") == 0)
        p->admin = UINT32_C(1) << i;
    for (size_t r = 0; r < p->n_roles; r++)
        if (strcmp(cells[1 + r], "yes") == 0)
            p->roles[r].actions |= UINT32_C(1) << i;
}

static void add_roles(struct access_page *p, char *cells[CELLS], size_t n)
{
    for (size_t i = 1; i + 1 < n; i++)
        snprintf(p->roles[p->n_roles++].name, sizeof p->roles[0].name, "%s", cells[i]);
}

static void add_operation(struct access_page *p, char *cells[CELLS])
{
    static const char *const ABOUTS[] = {"public", "server", "namespace", "name"};
    struct access_operation *op = &p->operations[p->n_operations++];
    size_t about = 0, method = strcspn(cells[0], " ");
    const char *path = cells[0] + method + (cells[0][method] == ' ');
    while (about < 4 && strcmp(ABOUTS[about], cells[3]) != 0)
        about++;
    if (about == 4)
        bad("what is it about?", cells[1]);
    snprintf(op->method, sizeof op->method, "%.*s", (int)method, cells[0]);
    snprintf(op->path, sizeof op->path, "%s%s", *path == '~' ? BASE : "", path + (*path == '~'));
    snprintf(op->operation, sizeof op->operation, "%s", cells[1]);
    op->about = (enum access_about)about;
    op->actions = strcmp(cells[2], "-") == 0 ? 0 : actions_of(p, cells[2], "; ");
}

void access_page_read(struct access_page *p)
{
    char path[4096], line[1024], *cells[CELLS];
    const char *source = getenv("PADDOCK_SOURCE");
    enum { NONE, ROLES, OPERATIONS } table = NONE;
    snprintf(path, sizeof path, "%s/docs/access.md", source ? source : ".");
    FILE *f = fopen(path, "re");
    if (!f)
        bad("cannot be read", path);
    memset(p, 0, sizeof *p);
    while (fgets(line, sizeof line, f)) {
        bool row = line[0] == '|';
        size_t n = row ? cells_of(line, cells) : 0;
        if (!row)
            table = NONE;
        else if (n >= 3 && strcmp(cells[0], "action") == 0)
            add_roles(p, cells, n), table = ROLES;
        else if (n >= 4 && strcmp(cells[1], "operation") == 0)
            table = OPERATIONS;
        else if (table == ROLES && cells[0][0] != '-')
            add_role_row(p, cells);
        else if (table == OPERATIONS && cells[0][0] != '-')
            add_operation(p, cells);
    }
    fclose(f);
    if (!p->n_roles || !p->n_actions || !p->n_operations || !p->admin)
        bad("a table is missing", path);
}

uint32_t access_implied(const struct access_page *p, uint32_t actions)
{
    return actions & p->admin ? (UINT32_C(1) << p->n_actions) - 1 : actions;
}

/* --- against the description --- */

static const struct access_operation *find(const struct access_page *p, const char *operation)
{
    for (size_t i = 0; i < p->n_operations; i++)
        if (strcmp(p->operations[i].operation, operation) == 0)
            return &p->operations[i];
    return NULL;
}

/* "`a`; `b`" of "a|b". */
static void show_actions(const char *actions, char out[256])
{
    size_t n = (size_t)snprintf(out, 256, "`");
    for (; *actions && n < 250; actions++)
        n += (size_t)snprintf(out + n, 256 - n, *actions == '|' ? "`; `" : "%c", *actions);
    snprintf(out + n, 256 - n, "`");
}

static bool compare_one(const struct access_page *p, const char *method, const char *path,
                        const json_t *operation)
{
    const char *name = json_string_value(json_object_get(operation, "operationId"));
    const char *actions = json_string_value(json_object_get(operation, "x-paddock-action"));
    const struct access_operation *op = find(p, name);
    size_t base = strncmp(path, BASE, strlen(BASE)) == 0 ? strlen(BASE) : 0;
    if (op && strcasecmp(op->method, method) == 0 && strcmp(op->path, path) == 0 &&
        op->actions == (actions ? actions_of(p, actions, "|") : 0) &&
        (op->about == ABOUT_PUBLIC) == !actions &&
        (op->about == ABOUT_NAME) == (actions && strchr(path, '{')))
        return true;
    char upper[8] = "", shown[256] = "-";
    for (size_t i = 0; method[i] && i < sizeof upper - 1; i++)
        upper[i] = (char)toupper((unsigned char)method[i]);
    if (actions)
        show_actions(actions, shown);
    fprintf(stderr, "docs/access.md must have this row:\n| `%s %s%s` | `%s` | %s | %s |\n", upper,
            base ? "~" : "", path + base, name, shown,
            !actions            ? "public"
            : strchr(path, '{') ? "name"
                                : "namespace");
    return false;
}

size_t access_page_compare(const struct access_page *p, const json_t *openapi)
{
    const char *path, *method;
    json_t *item, *operation;
    size_t wrong = 0, found = 0;
    json_object_foreach(json_object_get(openapi, "paths"), path, item)
        json_object_foreach(item, method, operation) {
            wrong += !compare_one(p, method, path, operation);
            found++;
        }
    if (p->n_operations > found && !wrong)
        fprintf(stderr, "docs/access.md has %zu operations, the server %zu\n", p->n_operations,
                found);
    return wrong + (p->n_operations > found);
}
