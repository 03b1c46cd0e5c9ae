/* Every operation, by every role and by tokens with other grants, in the own and in a foreign
 * namespace, on a name of their own and on another. What must come is worked out from the tables of
 * docs/access.md alone, by the rules that stand there; what there is to ask comes from the server's
 * own description. So an operation that is new joins by itself, and a right that the page does not
 * tell of, or tells of wrongly, fails here. */
#include "support/access_page.h"
#include "support/client.h"
#include "support/server.h"
#include "support/unit.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE       "/api/models/enterprise"
#define OWN        "odds"
#define FOREIGN    "news"
#define TOKENS_MAX 64

static const char *const SPACES[] = {OWN, FOREIGN}, *const NAMES[] = {"nba", "nfl"};

/* A token of the test, and what it was given, in plain terms. */
struct asker {
    char id[64], secret[128];
    uint32_t actions;
    bool everywhere; /* in all namespaces; else in OWN */
    bool limited;    /* to the name "nba" */
};

static struct test_server server;
static struct client client = {.fd = -1};
static struct access_page page;
static struct asker askers[TOKENS_MAX];
static size_t n_askers;
static char root[128];
static json_t *openapi;

/* --- asking --- */

static struct client_reply call(const char *method, const char *target, const char *ns,
                                const char *secret, const char *more, const char *body)
{
    struct client_reply r = {0};
    char headers[1024];
    snprintf(headers, sizeof headers, "Paddock-Namespace: %s\r\n%s%s%s%s%s", ns,
             *secret ? "Authorization: Bearer " : "", secret, *secret ? "\r\n" : "",
             !body          ? ""
             : *body == '{' ? "Content-Type: application/json\r\n"
                            : "Content-Type: text/x-lua\r\n",
             more);
    if (!client_ask(&client, method, target, headers, body ? body : "", body ? strlen(body) : 0,
                    &r))
        fail_msg("%s %s: no reply", method, target);
    return r;
}

static void make(const char *path, const char *ns, const char *secret, const char *body)
{
    struct client_reply r = call("POST", path, ns, secret, "", body);
    if (r.status != 201)
        fail_msg("%s %s: %d %s", path, body, r.status, r.body);
    client_reply_release(&r);
}

static void put(const char *path, const char *ns, const char *body)
{
    struct client_reply r = call("PUT", path, ns, "", "", body);
    if (r.status != 200 && r.status != 201)
        fail_msg("%s %s: %d %s", path, body, r.status, r.body);
    client_reply_release(&r);
}

static void make_token(const char *body, char secret[128])
{
    struct client_reply r = call("POST", BASE "/tokens", "default", root, "", body);
    json_t *made = json_loads(r.body, 0, NULL);
    const char *text = json_string_value(json_object_get(made, "token"));
    if (r.status != 201 || !text)
        fail_msg("%s: %d %s", body, r.status, r.body);
    snprintf(secret, 128, "%s", text);
    json_decref(made);
    client_reply_release(&r);
}

/* --- what there is --- */

/* In both namespaces a model, an alias, a dataset and a test case of each name. */
static void make_objects(void)
{
    char body[256], path[256];
    for (int s = 0; s < 2; s++)
        for (int n = 0; n < 2; n++) {
            const char *name = NAMES[n];
            snprintf(body, sizeof body, "{\"name\":\"%s\",\"type\":\"classifier\"}", name);
            make(BASE "/registry", SPACES[s], "", body);
            snprintf(path, sizeof path, BASE "/registered-models/%s/aliases/champion", name);
            snprintf(body, sizeof body, "{\"model_id\":\"%s:1\"}", name);
            put(path, SPACES[s], body);
            snprintf(path, sizeof path, BASE "/datasets/%s", name);
            put(path, SPACES[s], "{\"uri\":\"file:///srv/data/a.csv\",\"format\":\"csv\"}");
        }
}

/* What a path's parameter is called for an object of this name. */
static const char *value_of(const char *parameter, const char *name, bool exists)
{
    if (strcmp(parameter, "kind") == 0)
        return "rollout";
    static char id[64];
    if (strcmp(parameter, "alias") == 0)
        return "champion";
    if (strcmp(parameter, "slug") == 0)
        return "forbidden";
    snprintf(id, sizeof id, "%s%s", exists ? name : "nobody",
             strcmp(parameter, "model_id") == 0 ? ":1" : "");
    return id;
}

static bool is_made(const char *parameter)
{
    static const char *const MADE[] = {"model_id", "name", "alias", "dataset_id", "slug", "route"};
    for (size_t i = 0; i < sizeof MADE / sizeof *MADE; i++)
        if (strcmp(MADE[i], parameter) == 0)
            return true;
    return false;
}

/* Fill in the path's parameters. False: it names what this test has not made. */
static bool target_of(const struct access_operation *op, const char *name, bool exists,
                      char out[512])
{
    bool made = exists;
    size_t n = 0;
    for (const char *p = op->path; *p;) {
        if (*p != '{') {
            out[n++] = *p++;
            continue;
        }
        char parameter[64];
        size_t len = strcspn(p + 1, "}+");
        snprintf(parameter, sizeof parameter, "%.*s", (int)len, p + 1);
        made = made && is_made(parameter) &&
               (strcmp(parameter, "name") != 0 || strstr(op->path, "registered-models"));
        n += (size_t)snprintf(out + n, 512 - n, "%s", value_of(parameter, name, exists));
        p += strcspn(p, "}") + 1;
    }
    out[n] = '\0';
    /* Names of policies are free: whose a PUT is follows from the name, be it there or not. */
    return made || (exists && strcmp(op->operation, "policy_install") == 0);
}

/* --- who asks --- */

static void add_asker(const char *id, uint32_t actions, bool everywhere, bool limited,
                      const char *body)
{
    struct asker *a = &askers[n_askers++];
    assert_true(n_askers <= TOKENS_MAX);
    snprintf(a->id, sizeof a->id, "%s", id);
    a->actions = access_implied(&page, actions);
    a->everywhere = everywhere;
    a->limited = limited;
    make_token(body, a->secret);
}

static void make_askers(void)
{
    char id[64], body[512];
    for (size_t r = 0; r < page.n_roles; r++) {
        const char *role = page.roles[r].name;
        snprintf(body, sizeof body,
                 "{\"token_id\":\"role-%s\",\"role\":\"%s\",\"grants\":[{\"namespace\":\"" OWN
                 "\"}]}",
                 role, role);
        add_asker(role, page.roles[r].actions, false, false, body);
        snprintf(id, sizeof id, "%s everywhere", role);
        snprintf(body, sizeof body, "{\"token_id\":\"all-%s\",\"role\":\"%s\"}", role, role);
        add_asker(id, page.roles[r].actions, true, false, body);
        snprintf(id, sizeof id, "%s of nba", role);
        snprintf(body, sizeof body,
                 "{\"token_id\":\"nba-%s\",\"role\":\"%s\",\"grants\":[{\"namespace\":\"" OWN
                 "\",\"names\":[\"nb?\"]}]}",
                 role, role);
        add_asker(id, page.roles[r].actions, false, true, body);
    }
    for (size_t i = 0; i < page.n_actions; i++) {
        const char *action = page.actions[i];
        snprintf(id, sizeof id, "only %s", action);
        snprintf(body, sizeof body,
                 "{\"token_id\":\"only-%s\",\"grants\":[{\"namespace\":\"" OWN
                 "\",\"actions\":[\"%s\"]}]}",
                 action, action);
        add_asker(id, UINT32_C(1) << i, false, false, body);
    }
}

/* --- what must come --- */

enum outcome { SERVED, FORBIDDEN_403, ABSENT_404 };
static const char *const OUTCOMES[] = {"served", "403", "404"};

static bool in_ns(const struct asker *a, const char *ns)
{
    return a->everywhere || strcmp(ns, OWN) == 0;
}

static bool on_name(const struct asker *a, const char *ns, const char *name)
{
    return in_ns(a, ns) && (!a->limited || strcmp(name, "nba") == 0);
}

/* What it comes to where the name is not known: nothing is there, or nothing may be. */
static enum outcome of_namespace(const struct asker *a, const struct access_operation *op,
                                 const char *ns)
{
    bool named = op->about == ABOUT_NAME, makes = strcmp(op->method, "PUT") == 0;
    bool whole = op->actions != page.admin || !a->limited; /* admin counts for all names only */
    if (in_ns(a, ns) && a->actions & op->actions && whole)
        return SERVED;
    return named && !in_ns(a, ns) && !makes ? ABSENT_404 : FORBIDDEN_403;
}

static enum outcome expected(const struct asker *a, const struct access_operation *op,
                             const char *ns, const char *name, bool exists)
{
    if (op->about == ABOUT_PUBLIC)
        return SERVED;
    if (op->about == ABOUT_SERVER)
        return a->actions & op->actions &&
                       (op->actions != page.admin || (a->everywhere && !a->limited))
                   ? SERVED
                   : FORBIDDEN_403;
    if (op->about != ABOUT_NAME || !exists || op->actions == page.admin)
        return of_namespace(a, op, ns);
    if (on_name(a, ns, name))
        return a->actions & op->actions ? SERVED : FORBIDDEN_403;
    if (of_namespace(a, op, ns) != SERVED)
        return of_namespace(a, op, ns);
    return strcmp(op->method, "PUT") == 0 ? FORBIDDEN_403 : ABSENT_404;
}

/* --- what comes --- */

/* A request that is refused on its merits once it is let in: nothing changes, however often. */
static struct client_reply ask(const struct access_operation *op, const char *target,
                               const char *ns, const char *secret)
{
    bool reads = strcmp(op->method, "GET") == 0;
    static const char *const BODILESS = " plugins_reload validation_run_cancel "
                                        "validation_nightly_start webhook_test ";
    char padded[80];
    snprintf(padded, sizeof padded, " %s ", op->operation);
    bool has_body = !reads && strcmp(op->method, "DELETE") != 0 && strstr(BODILESS, padded) == NULL;
    bool records = strstr(op->operation, "inference") != NULL;
    return call(op->method, target, ns, secret,
                reads ? "Last-Event-ID: x\r\n" : "If-Match: \"424242\"\r\n",
                !has_body                                      ? NULL
                : records                                      ? "{\"zzz\":1}"
                : strcmp(op->operation, "policy_install") == 0 ? "return"
                                                               : "{}");
}

static enum outcome outcome_of(const struct client_reply *r, bool exists)
{
    if (r->status == 403)
        return FORBIDDEN_403;
    /* The model is there; that nothing is pinned for it is told to those whom it concerns. */
    bool unpinned = r->body && strstr(r->body, "\"BASELINE_NOT_FOUND\"");
    return r->status == 404 && exists && !unpinned ? ABSENT_404 : SERVED;
}

/* The reply without what must differ: the id in it, and the request's own. */
static void plain(const struct client_reply *r, const char *id, char out[4096])
{
    size_t n = 0, len = strlen(id);
    const char *mine = strstr(r->body, "\"request_id\"");
    for (const char *p = r->body; *p && p != mine && n < 4000;) {
        if (strncmp(p, id, len) == 0) {
            out[n++] = '#';
            p += len;
        } else {
            out[n++] = *p++;
        }
    }
    snprintf(out + n, 4096 - n, "%s", mine ? mine + 41 : "");
}

/* What is hidden is told of as what is not there: the same words, the same headers. */
static void compare_absent(const struct access_operation *op, const char *ns, const char *name,
                           const struct asker *a, const struct client_reply *hidden)
{
    char target[512], is[4096], isnt[4096];
    target_of(op, name, false, target);
    struct client_reply r = ask(op, target, ns, a->secret);
    plain(hidden, name, is);
    plain(&r, "nobody", isnt);
    if (r.status != hidden->status || strcmp(is, isnt) != 0)
        fail_msg("%s by '%s' tells what is hidden:\n%d %s\n%d %s", op->operation, a->id,
                 hidden->status, is, r.status, isnt);
    client_reply_release(&r);
}

static size_t asked, compared;

static size_t try_one(const struct access_operation *op, const struct asker *a, const char *ns,
                      const char *name)
{
    char target[512];
    bool exists = target_of(op, name, true, target);
    enum outcome want = expected(a, op, ns, name, exists);
    struct client_reply r = ask(op, target, ns, a->secret);
    enum outcome got = outcome_of(&r, exists || want == ABSENT_404);
    bool good = got == want && r.status != 401;
    asked++;
    if (!good)
        print_error("%s %s as '%s' in %s: must be %s, is %d %.300s\n", op->method, target, a->id,
                    ns, OUTCOMES[want], r.status, r.body);
    if (good && got == ABSENT_404 && exists) {
        compare_absent(op, ns, name, a, &r);
        compared++;
    }
    client_reply_release(&r);
    return !good;
}

static void nothing_more_and_nothing_less(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t o = 0; o < page.n_operations; o++)
        for (size_t a = 0; a < n_askers; a++)
            for (int s = 0; s < 2; s++)
                for (int n = 0; n < 2; n++)
                    wrong += try_one(&page.operations[o], &askers[a], SPACES[s], NAMES[n]);
    print_message("%zu operations, %zu tokens: %zu requests, %zu compared with what is absent\n",
                  page.n_operations, n_askers, asked, compared);
    assert_int_equal(wrong, 0);
}

/* Without a token, with one that never was, with one that was revoked: nothing but what is public.
 */
static void nobody_gets_in(void **state)
{
    static const char UNKNOWN[] = "pdk_000000000000_00000000000000000000000000000000000007yN4A";
    char revoked[128], target[512];
    (void)state;
    make_token("{\"token_id\":\"gone\",\"role\":\"admin\"}", revoked);
    struct client_reply r = call("DELETE", BASE "/tokens/gone", "default", root, "", NULL);
    assert_int_equal(r.status, 204);
    client_reply_release(&r);
    const char *const SECRETS[] = {"", UNKNOWN, revoked, "x"};
    for (size_t o = 0; o < page.n_operations; o++)
        for (size_t i = 0; i < 4; i++) {
            const struct access_operation *op = &page.operations[o];
            target_of(op, "nba", true, target);
            r = ask(op, target, OWN, SECRETS[i]);
            if ((r.status == 401) != (op->about != ABOUT_PUBLIC))
                fail_msg("%s with '%s': %d %s", op->operation, SECRETS[i], r.status, r.body);
            client_reply_release(&r);
        }
}

/* The page and the server's description have the same operations, with the same actions. */
static void the_page_is_complete(void **state)
{
    (void)state;
    size_t missing = access_page_compare(&page, openapi);
    assert_int_equal(missing, 0);
}

static int begin(void **state)
{
    static const char *const ARGS[] = {
        "--dataset-dirs", "/srv/data", "--wrong-tokens-per-minute", "0", "--access-log",
        "false",          NULL};
    (void)state;
    access_page_read(&page);
    test_server_init(&server);
    server.args = ARGS;
    if (!test_server_start(&server))
        return -1;
    client.port = server.port;
    make_objects();
    make_token("{\"token_id\":\"root\",\"role\":\"admin\"}", root);
    make_askers();
    struct client_reply r = call("GET", "/openapi.json", "default", "", "", NULL);
    openapi = json_loads(r.body, 0, NULL);
    client_reply_release(&r);
    return openapi ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    json_decref(openapi);
    client_close(&client);
    int status = test_server_end(&server, SIGTERM);
    test_server_release(&server);
    return status;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_is_complete),
        cmocka_unit_test(nothing_more_and_nothing_less),
        cmocka_unit_test(nobody_gets_in),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
