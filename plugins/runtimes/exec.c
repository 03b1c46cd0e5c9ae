/* The runtime "exec": a model in a program of any language, asked in JSON lines.
 *
 *   to its standard input          {"id":1,"op":"infer","inputs":[...],"outputs":[...]}
 *                                  {"id":2,"op":"ready"}     {"id":3,"op":"metadata"}
 *   from its standard output       {"id":1,"outputs":[...]}  {"id":2}
 *                                  {"id":3,"name":...,"inputs":[...],"outputs":[...]}
 *   what it cannot answer          {"id":1,"error":"text","code":"input"}
 *
 * Tensors are those of the Open Inference Protocol, version 2, in JSON. One line in, one line out.
 * `code` is one of "input", "model" (also if left out), "unavailable", "not_found". The program is
 * started by the first call, lives until the end of the run and ends when its input ends. After a
 * crash, a hang or rubbish it is killed, and the next call starts a new one. */
#include "../shared/child.h"
#include "../shared/path.h"
#include "../shared/tensor_json.h"

#include <errno.h>
#include <paddock/plugin.h>
#include <stdlib.h>

#define WHO      "the program"
#define ARGS_MAX 64
#define CLOSE_MS 200 /* to end by itself */

struct program {
    char *argv[ARGS_MAX + 1];
    char *path; /* argv[0], links followed */
    struct child child;
    struct metadata metadata;
    long long id;
};

static const paddock_field ARGUMENT[] = {
    {"argument", PADDOCK_FIELD_TEXT, 0, 0, 4096, NULL, NULL, NULL, "A word of the command."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

static const paddock_field CONFIG[] = {
    {"command", PADDOCK_FIELD_ARRAY, PADDOCK_REQUIRED, 1, ARGS_MAX, NULL, NULL, ARGUMENT,
     "The program, an absolute path below an allowed directory, and its arguments."},
    {"max_answer_bytes", PADDOCK_FIELD_INTEGER, 0, 1024, 1 << 30, "67108864", NULL, NULL,
     "A line larger than this is refused, in bytes."},
    {"directories", PADDOCK_FIELD_ARRAY, PADDOCK_SERVER, 0, 100, NULL, NULL, DIRECTORY_FIELD,
     "Programs are taken only from below these; without it there are none."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

static void program_close(void *self)
{
    struct program *p = self;
    char how[64];
    if (p->child.pid)
        child_stop(&p->child, CLOSE_MS, how, sizeof how);
    text_free(&p->child.held);
    metadata_release(&p->metadata);
    free(p->path);
    free(p);
}

static bool take_command(struct program *p, paddock_call *c, const paddock_value *config)
{
    const paddock_host *h = c->host;
    const paddock_value *command = paddock_get(h, config, "command");
    for (size_t i = 0; i < paddock_count(h, command) && i < ARGS_MAX; i++)
        p->argv[i] = (char *)paddock_as_text(h, paddock_at(h, command, i));
    const char *name = p->argv[0] ? p->argv[0] : "";
    p->path = *name == '/' ? realpath(name, NULL) : NULL;
    if (!p->path)
        return paddock_fail(c, PADDOCK_E_CONFIG, "there is no program '%s': %s", name,
                            *name == '/' ? strerror(errno) : "its path must be absolute");
    if (!path_below(h, paddock_get(h, config, "directories"), p->path))
        return paddock_fail(c, PADDOCK_E_CONFIG,
                            "'%s' lies in none of the directories that the server's configuration "
                            "allows",
                            name);
    p->argv[0] = p->path;
    return true;
}

static void *program_open(paddock_call *c, const paddock_value *config)
{
    struct program *p = calloc(1, sizeof *p);
    if (!p) {
        paddock_fail(c, PADDOCK_E_INTERNAL, "out of memory");
        return NULL;
    }
    p->child.held.max = (size_t)paddock_integer(c->host, config, "max_answer_bytes");
    if (take_command(p, c, config))
        return p;
    program_close(p);
    return NULL;
}

/* The program did not answer as it should: end it and say how it was. */
static bool fail_by_end(struct program *p, paddock_call *c, enum child_end end)
{
    char how[64];
    size_t max = p->child.held.max;
    bool hung = end == CHILD_TIMEOUT;
    child_stop(&p->child, end == CHILD_ENDED ? CLOSE_MS : 0, how, sizeof how);
    if (hung)
        return paddock_fail(c, PADDOCK_E_TIMEOUT, WHO " gave no answer in time and was ended");
    if (end == CHILD_TOO_LONG)
        return paddock_fail(c, PADDOCK_E_PROTOCOL, WHO " answered with more than %zu bytes", max);
    return paddock_fail(c, PADDOCK_E_MODEL, WHO " ended instead of answering: %s", how);
}

/* {"error","code"} of an answer. */
static bool fail_by_answer(paddock_call *c, const json_t *root)
{
    static const struct {
        const char *code;
        uint32_t error;
    } CODES[] = {{"input", PADDOCK_E_INPUT},
                 {"unavailable", PADDOCK_E_UNAVAILABLE},
                 {"not_found", PADDOCK_E_NOT_FOUND}};
    const char *error = json_string_value(json_object_get(root, "error"));
    const char *code = json_string_value(json_object_get(root, "code"));
    uint32_t kind = PADDOCK_E_MODEL;
    for (size_t i = 0; code && i < sizeof CODES / sizeof *CODES; i++)
        if (strcmp(CODES[i].code, code) == 0)
            kind = CODES[i].error;
    char excerpt[240];
    return paddock_fail(
        c, kind, WHO " says: %s",
        text_excerpt(error ? error : "", error ? strlen(error) : 0, excerpt, sizeof excerpt));
}

/* Write the line, read the answer; NULL after paddock_fail(). */
static json_t *converse(struct program *p, paddock_call *c, const struct text *line)
{
    char *answer;
    size_t len;
    if (!p->child.pid && !child_start(&p->child, p->argv, c->scratch)) {
        paddock_fail(c, PADDOCK_E_CONFIG, "'%s' cannot be started: %s", p->path, strerror(errno));
        return NULL;
    }
    uint64_t now = paddock_now_ns(c->host), left = now < c->deadline_ns ? c->deadline_ns - now : 0;
    enum child_end end = child_ask(&p->child, line, left, &answer, &len);
    if (end != CHILD_LINE) {
        fail_by_end(p, c, end);
        return NULL;
    }
    json_t *root = answer_parse(c, WHO, answer, len);
    const json_t *id = json_object_get(root, "id");
    if (root && (!json_is_integer(id) || json_integer_value(id) != p->id)) {
        paddock_fail(c, PADDOCK_E_PROTOCOL, WHO " answered without the question's id, %lld", p->id);
        json_decref(root);
        root = NULL;
    }
    if (!root) { /* who knows what its next line answers */
        char how[64];
        child_stop(&p->child, 0, how, sizeof how);
    } else if (json_object_get(root, "error")) {
        fail_by_answer(c, root);
        json_decref(root);
        root = NULL;
    }
    return root;
}

static json_t *ask(struct program *p, paddock_call *c, const char *op, const paddock_request *rq)
{
    struct text line = {.max = 1 << 30};
    json_t *root = NULL;
    text_printf(&line, "{\"id\":%lld,\"op\":\"%s\"", ++p->id, op);
    if (rq)
        text_puts(&line, ",");
    if (!rq || request_write(&line, c, rq)) {
        text_puts(&line, "}\n");
        root = converse(p, c, &line);
    }
    text_free(&line);
    return root;
}

static bool program_ready(void *self, paddock_call *c)
{
    json_t *root = ask(self, c, "ready", NULL);
    json_decref(root);
    return root != NULL;
}

static const paddock_metadata *program_metadata(void *self, paddock_call *c)
{
    struct program *p = self;
    if (!p->metadata.root) {
        json_t *root = ask(p, c, "metadata", NULL);
        if (!root || !metadata_read(&p->metadata, c, WHO, root, NULL))
            return NULL;
    }
    return &p->metadata.said;
}

static bool program_infer(void *self, paddock_call *c, const paddock_request *rq)
{
    json_t *root = ask(self, c, "infer", rq);
    bool done = root && answer_take(c, WHO, root, rq);
    json_decref(root);
    return done;
}

static const paddock_runtime_ops OPS = {
    .open = program_open,
    .close = program_close,
    .ready = program_ready,
    .metadata = program_metadata,
    .infer = program_infer,
    .parallel = 0,
};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_RUNTIME, .flags = 0, .id = "exec", .version = "1.0.0",
               .summary = "A model in a program of any language, asked in JSON lines",
               .config = CONFIG, .ops = &OPS);
