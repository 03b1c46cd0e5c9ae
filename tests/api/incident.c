/* What an auditor asks after an incident: who could have promoted that model, who did, past which
 * gate, who took it back, who tried and was refused; and can he believe the answer? The incident is
 * staged, its trail exported and checked by nothing but SHA-256, and then one byte of the store is
 * changed at a time. */
#include "support/client.h"
#include "support/server.h"
#include "support/unit.h"

#include "base/hash.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BASE "/api/models/enterprise"

static struct test_server server;
static char root[128], dev[128], ops[128];
static char *trail; /* the export, NDJSON */

static json_t *say(const char *method, const char *path, const char *secret, const char *body,
                   int status)
{
    struct client_reply r = {0};
    char headers[512];
    snprintf(headers, sizeof headers, "%s%s%s%s", *secret ? "Authorization: Bearer " : "", secret,
             *secret ? "\r\n" : "", body ? "Content-Type: application/json\r\n" : "");
    assert_true(client_call(server.port, method, path, headers, body ? body : "",
                            body ? strlen(body) : 0, &r));
    if (r.status != status)
        fail_msg("%s %s: wanted %d, got %d %s", method, path, status, r.status, r.body);
    json_t *json = json_loads(r.body, 0, NULL);
    client_reply_release(&r);
    return json;
}

static void tell(const char *method, const char *path, const char *secret, const char *body,
                 int status)
{
    json_decref(say(method, path, secret, body, status));
}

static void make_token(const char *by, const char *body, char secret[128])
{
    json_t *made = say("POST", BASE "/tokens", by, body, 201);
    snprintf(secret, 128, "%s", json_string_value(json_object_get(made, "token")));
    json_decref(made);
}

#define STATUS(id) BASE "/registry/" id "/status"

static void the_incident(void **state)
{
    (void)state;
    make_token("", "{\"token_id\":\"root\",\"role\":\"admin\"}", root);
    make_token(root, "{\"token_id\":\"dev\",\"role\":\"developer\"}", dev);
    make_token(root, "{\"token_id\":\"ops\",\"role\":\"operator\"}", ops);
    for (int i = 0; i < 2; i++)
        tell("POST", BASE "/registry", dev, "{\"name\":\"odds\",\"type\":\"classifier\"}", 201);
    tell("POST", STATUS("odds:1"), dev, "{\"status\":\"canary\"}", 403);
    tell("POST", STATUS("odds:1"), ops, "{\"status\":\"canary\"}", 200);
    tell("POST", STATUS("odds:2"), ops, "{\"status\":\"canary\"}", 200);
    tell("POST", STATUS("odds:1"), ops, "{\"status\":\"stable\"}", 409);
    tell("POST", STATUS("odds:1"), ops,
         "{\"status\":\"stable\",\"force\":true,\"reason\":\"It is late\"}", 403);
    tell("POST", STATUS("odds:1"), root,
         "{\"status\":\"stable\",\"force\":true,\"reason\":\"First of its name\"}", 200);
    tell("POST", STATUS("odds:2"), root,
         "{\"status\":\"stable\",\"force\":true,\"reason\":\"INC-4711 demands it\"}", 200);
    tell("POST", BASE "/registered-models/odds/rollback", dev, "{\"reason\":\"It is wrong\"}", 403);
    tell("POST", BASE "/registered-models/odds/rollback", ops,
         "{\"reason\":\"INC-4712: worse than before\"}", 200);
    tell("GET", BASE "/registry", "pdk_000000000000_00000000000000000000000000000000000007yN4A",
         NULL, 401);
    tell("DELETE", BASE "/tokens/dev", root, NULL, 204);
}

/* --- the trail --- */

/* Whoever was refused has an entry; they come a little later, and more may come of one than of
 * another. */
static bool all_denied(void)
{
    static const char *const WHO[] = {"dev", "ops", "anonymous"};
    bool all = true;
    for (size_t i = 0; all && i < sizeof WHO / sizeof *WHO; i++) {
        char target[200];
        snprintf(target, sizeof target, BASE "/audit?action=auth.denied&actor=%s", WHO[i]);
        json_t *page = say("GET", target, root, NULL, 200);
        all = json_array_size(json_object_get(page, "items")) > 0;
        json_decref(page);
    }
    return all;
}

static void take_trail(void)
{
    struct client_reply r = {0};
    char headers[512];
    time_t end = time(NULL) + 60;
    while (!all_denied() && time(NULL) < end)
        nanosleep(&(const struct timespec){.tv_nsec = 50000000}, NULL);
    snprintf(headers, sizeof headers,
             "Authorization: Bearer %s\r\nAccept: application/x-ndjson\r\n", root);
    assert_true(client_call(server.port, "GET", BASE "/audit", headers, "", 0, &r));
    assert_int_equal(r.status, 200);
    trail = strdup(r.body);
    client_reply_release(&r);
}

/* Each line hashes to its `hash` and continues the one before: sed and sha256sum could do it. */
static void the_trail_can_be_checked_by_anybody(void **state)
{
    char prev[SHA256_HEX_SIZE], hash[SHA256_HEX_SIZE];
    size_t lines = 0;
    (void)state;
    take_trail();
    memset(prev, '0', 64);
    prev[64] = '\0';
    for (const char *line = trail; *line; line = strchr(line, '\n') + 1, lines++) {
        size_t len = strcspn(line, "\n"), tail = strlen(",\"hash\":\"\"}") + 64;
        assert_true(len > tail);
        char *text = strndup(line, len - tail + 1), *shown = strndup(line + len - 66, 64);
        text[len - tail] = '}';
        sha256_hex(text, len - tail + 1, hash);
        assert_string_equal(shown, hash);
        char *link = strstr(text, "\"prev_hash\":\"");
        assert_memory_equal(link + 13, prev, 64);
        memcpy(prev, hash, sizeof prev);
        free(text);
        free(shown);
    }
    print_message("%zu lines\n", lines);
    assert_true(lines > 10);
}

/* The first entry with this action and actor whose entity is `id`; NULL if there is none. */
static json_t *entry_of(const char *action, const char *actor, const char *id)
{
    for (const char *line = trail; *line; line = strchr(line, '\n') + 1) {
        json_t *entry = json_loadb(line, strcspn(line, "\n"), 0, NULL);
        const char *who = json_string_value(json_object_get(json_object_get(entry, "actor"), "id"));
        if (strcmp(json_string_value(json_object_get(entry, "action")), action) == 0 &&
            strcmp(who, actor) == 0 &&
            strcmp(json_string_value(json_object_get(entry, "entity_id")), id) == 0)
            return entry;
        json_decref(entry);
    }
    return NULL;
}

static void has(const char *action, const char *actor, const char *id, const char *const *texts)
{
    json_t *entry = entry_of(action, actor, id);
    if (!entry)
        fail_msg("no %s of %s by %s in:\n%s", action, id, actor, trail);
    char *text = json_dumps(entry, JSON_COMPACT);
    for (; *texts; texts++)
        if (!strstr(text, *texts))
            fail_msg("%s is not in %s", *texts, text);
    free(text);
    json_decref(entry);
}
#define HAS(action, actor, id, ...) has(action, actor, id, (const char *const[]){__VA_ARGS__, NULL})

static void it_tells_who_did_and_who_could(void **state)
{
    (void)state;
    HAS("token.created", "anonymous", "root", "\"role\":\"admin\"", "\"grants\":[]");
    HAS("token.created", "root", "dev", "\"role\":\"developer\"");
    HAS("token.created", "root", "ops", "\"role\":\"operator\"");
    HAS("token.deleted", "root", "dev", "\"after\":null");
    HAS("model.registered", "dev", "odds:2", "\"created_by\":{\"kind\":\"token\",\"id\":\"dev\"}");
    HAS("model.promoted", "ops", "odds:2", "\"status\":\"canary\"");
    HAS("gate.forced", "root", "odds:2", "INC-4711 demands it", "regression", "\"missing\"",
        "\"forced\":true", "\"kind\":\"token\"");
    HAS("model.superseded", "root", "odds:1", "deprecated");
    HAS("model.rolled_back", "ops", "odds:1", "INC-4712: worse than before");
    HAS("model.rolled_back_from", "ops", "odds:2", "\"hold\":{");
    HAS("auth.denied", "dev", "dev", "\"operation\":\"model_status\"",
        "model.promote.canary|model.promote.stable", "\"status\":403");
    HAS("auth.denied", "anonymous", "anonymous", "\"operation\":\"models_list\"", "\"status\":401");
    assert_null(entry_of("model.promoted", "dev", "odds:1"));
    assert_null(strstr(trail, "pdk_"));
}

/* Each refusal is in the trail once, whether it stands in one entry or in two of one minute. */
static void it_counts_what_was_refused(void **state)
{
    (void)state;
    json_t *page = say("GET", BASE "/audit?action=auth.denied&actor=ops", root, NULL, 200);
    json_t *entry = json_array_get(json_object_get(page, "items"), 0);
    json_t *after = json_object_get(entry, "after");
    assert_int_equal(json_integer_value(json_object_get(after, "count")), 1);
    char *text = json_dumps(after, JSON_COMPACT);
    assert_non_null(strstr(text, "\"action\":\"admin\""));
    free(text);
    json_decref(page);
}

/* --- tampering --- */

static int verify(char *said, size_t size)
{
    char command[4096];
    snprintf(command, sizeof command, "'%s' audit verify --data-dir '%s' 2>&1",
             getenv("PADDOCK_BIN"), server.dir);
    FILE *p = popen(command, "re");
    assert_non_null(p);
    size_t n = fread(said, 1, size - 1, p);
    said[n] = '\0';
    return pclose(p);
}

static char *read_store(const char *path, size_t *len)
{
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *len = (size_t)ftell(f);
    rewind(f);
    char *data = calloc(1, *len + 1);
    assert_int_equal(fread(data, 1, *len, f), *len);
    fclose(f);
    return data;
}

static void write_store(const char *path, const char *data, size_t len)
{
    FILE *f = fopen(path, "r+e");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

/* One byte of the stored file changed where `text` stands in it: found. */
static void one_byte(const char *path, const char *text, size_t offset)
{
    char said[8192];
    size_t len;
    char *data = read_store(path, &len), *at = memmem(data, len, text, strlen(text));
    if (!at)
        fail_msg("'%s' is not in the store", text);
    at[offset] ^= 1;
    write_store(path, data, len);
    int status = verify(said, sizeof said);
    if (status == 0 || !strstr(said, "FAULT"))
        fail_msg("'%s' changed at %zu was not found: %d %s", text, offset, status, said);
    at[offset] ^= 1;
    write_store(path, data, len);
    free(data);
}

static void one_byte_changed_in_the_store_is_found(void **state)
{
    char path[256], said[8192];
    (void)state;
    assert_int_equal(test_server_end(&server, SIGTERM), 0);
    snprintf(path, sizeof path, "%s/control.db", server.dir);
    assert_int_equal(verify(said, sizeof said), 0);
    print_message("%s", said);
    one_byte(path, "INC-4711 demands it", 7);
    one_byte(path, "INC-4712: worse", 0);
    one_byte(path, "\"id\":\"root\",\"on_behalf_of\"", 6);
    one_byte(path, "\"action\":\"gate.forced\"", 10);
    assert_int_equal(verify(said, sizeof said), 0);
}

static int begin(void **state)
{
    static const char *const ARGS[] = {"--gate-require-types", "regression", NULL};
    (void)state;
    test_server_init(&server);
    server.args = ARGS;
    return test_server_start(&server) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    free(trail);
    test_server_release(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_incident),
        cmocka_unit_test(the_trail_can_be_checked_by_anybody),
        cmocka_unit_test(it_tells_who_did_and_who_could),
        cmocka_unit_test(it_counts_what_was_refused),
        cmocka_unit_test(one_byte_changed_in_the_store_is_found),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
