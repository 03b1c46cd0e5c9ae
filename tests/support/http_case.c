#include "support/http_case.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BASE "/api/models/enterprise"

bool case_variable_set(struct case_variables *v, const char *name, const char *value)
{
    if (v->n == CASE_VARIABLES_MAX || strlen(name) >= sizeof v->list->name ||
        strlen(value) >= sizeof v->list->value)
        return false;
    snprintf(v->list[v->n].name, sizeof v->list->name, "%s", name);
    snprintf(v->list[v->n++].value, sizeof v->list->value, "%s", value);
    return true;
}

char *case_line(char **at)
{
    char *line = *at;
    if (!line || !*line)
        return NULL;
    char *end = strchr(line, '\n');
    *at = end ? end + 1 : NULL;
    if (end)
        *end = '\0';
    return line;
}

/* --- ${...} --- */

static void put_repeated(struct bytes *out, const char *text, size_t len, unsigned long times)
{
    for (unsigned long i = 0; i < times && !out->full; i++)
        bytes_add(out, text, len);
}

/* ${now}, ${now-60000}: epoch milliseconds; ${time...}: the same as RFC 3339. */
static bool put_time(struct bytes *out, const char *name)
{
    bool text = strncmp(name, "time", 4) == 0;
    const char *offset = name + (text ? 4 : 3);
    if ((!text && strncmp(name, "now", 3) != 0) || (*offset && !strchr("+-", *offset)))
        return false;
    int64_t ms = clock_wall_ms(&CLOCK_SYSTEM) + strtoll(offset, NULL, 10);
    char time[TIME_TEXT_SIZE];
    time_format(ms, time);
    text ? bytes_text(out, time) : bytes_int(out, ms);
    return true;
}

static bool put_variable(struct bytes *out, const struct case_variables *v, const char *name)
{
    const char *star = strrchr(name, '*');
    for (size_t i = v->n; i-- > 0;)
        if (strcmp(v->list[i].name, name) == 0)
            return bytes_text(out, v->list[i].value);
    if (star && star > name && star[1] >= '0' && star[1] <= '9') {
        put_repeated(out, name, (size_t)(star - name), strtoul(star + 1, NULL, 10));
        return true;
    }
    return put_time(out, name);
}

/* Replace ${name} and a leading or space- or quote-preceded `~/`. */
static bool substitute(const char *in, const struct case_variables *v, struct bytes *out, char *why,
                       size_t size)
{
    for (const char *p = in; *p;) {
        const char *end = p[0] == '$' && p[1] == '{' ? strchr(p, '}') : NULL;
        if (end) {
            char name[128];
            snprintf(name, sizeof name, "%.*s", (int)(end - p - 2), p + 2);
            if (!put_variable(out, v, name)) {
                snprintf(why, size, "there is no ${%s}", name);
                return false;
            }
            p = end + 1;
        } else if (p[0] == '~' && p[1] == '/' && (p == in || strchr(" \"'\n", p[-1]))) {
            bytes_text(out, BASE);
            p++;
        } else {
            bytes_char(out, *p++);
        }
    }
    return !out->full;
}

/* --- the request --- */

/* `\r`, `\n`, `\t`, `\\` and `\xHH` of a raw request. */
static void put_escaped(struct bytes *out, const char *text)
{
    static const char LETTERS[] = "rnt\\", MEANT[] = "\r\n\t\\";
    for (; *text; text++) {
        const char *at = text[0] == '\\' && text[1] ? strchr(LETTERS, text[1]) : NULL;
        if (at) {
            bytes_char(out, MEANT[at - LETTERS]);
            text++;
        } else if (text[0] == '\\' && text[1] == 'x' && text[2] && text[3]) {
            char digits[3] = {text[2], text[3], '\0'};
            bytes_char(out, (char)strtoul(digits, NULL, 16));
            text += 3;
        } else {
            bytes_char(out, *text);
        }
    }
}

/* A line of the body, or `@repeat N TEXT`, which ends each time in a line feed if TEXT ends in \n.
 */
static void put_body_line(struct bytes *out, const char *line)
{
    unsigned long times;
    int used = 0;
    if (sscanf(line, "@repeat %lu %n", &times, &used) == 1 && used) {
        struct bytes piece = BYTES_INIT(CASE_TEXT_MAX);
        put_escaped(&piece, line + used);
        put_repeated(out, piece.data, piece.len, times);
        bytes_release(&piece);
        return;
    }
    bytes_text(out, line);
    bytes_char(out, '\n');
}

static void read_target(struct http_case *c, char *line)
{
    line[strcspn(line, "\r")] = '\0';
    size_t len = strcspn(line, " ");
    c->method = line;
    c->target = line + len + (line[len] == ' ');
    line[len] = '\0';
    if (strcmp(c->method, "@raw") == 0)
        put_escaped(&c->body, c->target);
}

static void read_request(struct http_case *c, char **at)
{
    char *line;
    bool in_body = false;
    read_target(c, case_line(at));
    while ((line = case_line(at))) {
        if (strncmp(line, "=> ", 3) == 0) {
            c->status = (int)strtol(line + 3, NULL, 10);
            const char *within = strstr(line, " within ");
            c->within_s = within ? (int)strtol(within + 8, NULL, 10) : 0;
            break;
        }
        if (in_body)
            put_body_line(&c->body, line);
        else if (*line)
            bytes_printf(&c->headers, "%s\r\n", line);
        else
            in_body = true;
    }
    if (strcmp(c->method, "@raw") == 0)
        return;
    while (c->body.len && c->body.data[c->body.len - 1] == '\n')
        c->body.data[--c->body.len] = '\0';
    if (c->body.len && (!c->headers.len || !strcasestr(c->headers.data, "content-type:")))
        bytes_text(&c->headers, "Content-Type: application/json\r\n");
}

/* --- what is demanded --- */

static bool is_header(const char *line)
{
    size_t len = strcspn(line, ":");
    return line[len] == ':' && len &&
           strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") == len;
}

static char *joined(struct bytes *b)
{
    size_t len;
    while (b->len && b->data[b->len - 1] == '\n')
        b->data[--b->len] = '\0';
    return bytes_take(b, &len);
}

static void read_demands(struct http_case *c, char *rest)
{
    struct bytes headers = BYTES_INIT(CASE_TEXT_MAX), body = headers, keep = headers;
    for (char *line; (line = case_line(&rest));) {
        struct bytes *to = line[0] == '$' && line[1] != '{' ? &keep
                           : !body.len && is_header(line)   ? &headers
                                                            : &body;
        if (to != &body || *line || body.len)
            bytes_printf(to, "%s\n", line);
    }
    c->headers_in = joined(&headers);
    c->body_in = joined(&body);
    c->keep = joined(&keep);
}

bool http_case_read(struct http_case *c, const char *text, const struct case_variables *v,
                    char *why, size_t size)
{
    struct bytes all = BYTES_INIT(CASE_TEXT_MAX);
    size_t len;
    *c =
        (struct http_case){.headers = BYTES_INIT(CASE_TEXT_MAX), .body = BYTES_INIT(CASE_TEXT_MAX)};
    snprintf(why, size, "the case is empty or too long");
    bool ok = substitute(text, v, &all, why, size) && all.len;
    c->text = bytes_take(&all, &len);
    if (!ok)
        return false;
    char *at = c->text;
    read_request(c, &at);
    read_demands(c, at);
    return !c->headers.full && !c->body.full;
}

void http_case_release(struct http_case *c)
{
    bytes_release(&c->headers);
    bytes_release(&c->body);
    free(c->headers_in);
    free(c->body_in);
    free(c->keep);
    free(c->text);
}
