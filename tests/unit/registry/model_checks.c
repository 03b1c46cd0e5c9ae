/* What a model's fields may be. */
#include "world.h"

#define TYPED ",\"type\":\"classifier\"}"

static int setup(void **state)
{
    *state = world_new();
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

struct bad {
    const char *body;
    const struct err_kind *kind;
    const char *says;
};

static const struct bad BAD[] = {
    {"{}", &ERR_INVALID, "\"/type\""},
    {"{\"name\":\"a\"}", &ERR_INVALID, "\"field\":\"/type\",\"detail\":\"is required\""},
    {"{\"name\":\"a\",\"type\":\"x\"}", &ERR_INVALID, "must be one of 'classifier', 'regressor'"},
    {"{\"name\":\"a/b\"" TYPED, &ERR_INVALID, "/name"},
    {"{\"name\":\"a:b\"" TYPED, &ERR_INVALID, "/name"},
    {"{\"name\":\"a@b\"" TYPED, &ERR_INVALID, "/name"},
    {"{\"name\":\" a\"" TYPED, &ERR_INVALID, "/name"},
    {"{\"name\":\"\"" TYPED, &ERR_INVALID, "/name"},
    {"{\"name\":\"..\"" TYPED, &ERR_INVALID, "/name"},
    {"{\"name\":\"a\",\"version\":\"1:2\"" TYPED, &ERR_INVALID, "/version"},
    {"{\"name\":\"a\",\"model_id\":\"..\"" TYPED, &ERR_INVALID, "/model_id"},
    {"{\"name\":\"a\",\"model_id\":\".\"" TYPED, &ERR_INVALID, "/model_id"},
    {"{\"name\":\"a\",\"model_id\":\"x@y\"" TYPED, &ERR_INVALID, "/model_id"},
    {"{\"name\":\"a\",\"model_id\":\"x/y\"" TYPED, &ERR_INVALID, "/model_id"},
    {"{\"name\":\"a\",\"namespace\":\"x\"" TYPED, &ERR_READ_ONLY_FIELD, "/namespace"},
    {"{\"name\":\"a\",\"colour\":1" TYPED, &ERR_UNKNOWN_FIELD, "/colour"},
    {"{\"name\":\"a\",\"sport\":1" TYPED, &ERR_INVALID, "/sport"},
    {"{\"name\":\"a\",\"labels\":{\"k\":1}" TYPED, &ERR_INVALID, "/labels/k"},
    {"{\"name\":\"a\",\"labels\":{\"\":\"v\"}" TYPED, &ERR_INVALID, "/labels/"},
    {"{\"name\":\"a\",\"labels\":{\"a\\u0007\":\"v\"}" TYPED, &ERR_INVALID, "printable"},
    {"{\"name\":\"a\",\"training_metrics\":{\"auc\":\"x\"}" TYPED, &ERR_INVALID,
     "/training_metrics/auc"},
    {"{\"name\":\"a\",\"runtime\":{}" TYPED, &ERR_INVALID, "/runtime/kind"},
    {"{\"name\":\"a\",\"runtime\":{\"kind\":\"lua\"}" TYPED, &ERR_INVALID,
     "'openinference', 'exec'"},
    {"{\"name\":\"a\",\"runtime\":{\"kind\":\"exec\"}" TYPED, &ERR_INVALID, "/runtime/command"},
    {"{\"name\":\"a\",\"runtime\":{\"kind\":\"exec\",\"command\":[1]}" TYPED, &ERR_INVALID,
     "array of strings"},
    {"{\"name\":\"a\",\"runtime\":{\"kind\":\"exec\",\"command\":[\"/x\"],\"path\":\"y\"}" TYPED,
     &ERR_UNKNOWN_FIELD, "/runtime/path"},
    {"{\"name\":\"a\",\"runtime\":{\"kind\":\"openinference\",\"url\":\"ftp://"
     "x\",\"model_name\":\"m\"}" TYPED,
     &ERR_INVALID, "/runtime/url"},
    {"{\"name\":\"a\",\"runtime\":{\"kind\":\"openinference\",\"url\":\"http://"
     "u:geheim@x/\",\"model_name\":\"m\"}" TYPED,
     &ERR_INVALID, "must not carry a user or password"},
    {"{\"name\":\"a\",\"runtime\":{\"kind\":\"openinference\",\"url\":\"http://"
     "x\",\"model_name\":\"m\","
     "\"secret\":\"/etc/passwd\"}" TYPED,
     &ERR_INVALID, "/runtime/secret"},
    {"{\"name\":\"a\",\"runtime\":{\"kind\":\"xgboost\",\"path\":\"\"}" TYPED, &ERR_INVALID,
     "/runtime/path"},
    {"{\"name\":\"a\",\"baseline_model_id\":\"b:1\"" TYPED, &BAD_REFERENCE, "/baseline_model_id"},
    {"{\"name\":\"a\",\"baseline_model_id\":\"b@stable\"" TYPED, &BAD_REFERENCE,
     "/baseline_model_id"},
    {"{\"name\":\"a/b\",\"type\":\"x\",\"sport\":7,\"labels\":{\"k\":1},\"nope\":true}",
     &ERR_INVALID, "5 faults"},
    {"[1]", &ERR_INVALID, "must be an object"},
};

static void faults_of_a_body(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        world_no(w, BAD[i].kind, model_register, NULL, NULL, BAD[i].body);
        if (!problem_says(w, BAD[i].says))
            fail_msg("%s: %s {%s} does not say %s", BAD[i].body, w->c.err.detail, w->c.err.members,
                     BAD[i].says);
    }
    assert_int_equal(view_count(world_view(w), ENTITY_MODEL), 0);
}

/* A body with one member `head` + `n` times `c` + `tail`; a '#' in `c` becomes a running number. */
static char *long_body(const char *head, size_t n, const char *c, const char *tail)
{
    struct bytes b = BYTES_INIT(1 << 24);
    bytes_text(&b, "{\"name\":\"a\",");
    bytes_text(&b, head);
    size_t before = strcspn(c, "#");
    for (size_t i = 0; i < n; i++) {
        bytes_add(&b, c, before);
        if (c[before]) {
            bytes_uint(&b, i);
            bytes_text(&b, c + before + 1);
        }
    }
    bytes_text(&b, tail);
    bytes_text(&b, TYPED);
    return bytes_take(&b, NULL);
}

struct limit {
    const char *head, *each, *tail;
    size_t most;
    const char *pointer;
};

static const struct limit LIMITS[] = {
    {"\"sport\":\"", "s", "\"", 128, "/sport"},
    {"\"sport\":\"", "\xc3\xa9", "\"", 128, "/sport"}, /* characters, not bytes */
    {"\"deployment_target\":\"", "s", "\"", 128, "/deployment_target"},
    {"\"version\":\"", "1", "\"", 64, "/version"},
    {"\"model_id\":\"", "1", "\"", 193, "/model_id"},
    {"\"model_id\":\"", "\xf0\x9f\x8f\x80", "\"", 193, "/model_id"},
    {"\"source_digest\":\"", "1", "\"", 256, "/source_digest"},
    {"\"description\":\"", "d", "\"", 65536, "/description"},
    {"\"description\":\"", "\xc3\xa9", "\"", 32768, "/description"},
    {"\"signature\":\"", "d", "\"", 65534, "/signature"},
    {"\"labels\":{\"k\":\"", "v", "\"}", 8192, "/labels/k"},
    {"\"labels\":{\"", "k", "\":\"v\"}", 250, "/labels/k"},
    {"\"labels\":{\"last\":\"\"", ",\"k#\":\"v\"", "}", 255, "/labels"},
    {"\"training_metrics\":{\"last\":1", ",\"k#\":0.5", "}", 63, "/training_metrics"},
};

static void limits(void **state)
{
    struct world *w = *state;
    w->unchecked = true;
    for (size_t i = 0; i < sizeof LIMITS / sizeof *LIMITS; i++) {
        const struct limit *l = &LIMITS[i];
        char *fits = long_body(l->head, l->most, l->each, l->tail);
        char *not = long_body(l->head, l->most + 1, l->each, l->tail);
        world_ok(w, 201, NULL, model_register, NULL, NULL, fits);
        char *id = strdup(answer_member(w, "model_id"));
        world_ok(w, 204, NULL, model_delete, id, NULL, NULL);
        world_no(w, &ERR_INVALID, model_register, NULL, NULL, not );
        if (!problem_says(w, l->pointer))
            fail_msg("%s: %s", l->pointer, w->c.err.detail);
        free(fits);
        free(not );
        free(id);
    }
    char *name = long_body("\"model_id\":\"x\",\"sport\":\"", 1, "s", "\"");
    world_ok(w, 201, NULL, model_register, NULL, NULL, name);
    free(name);
}

static void longest_name_and_version(void **state)
{
    struct world *w = *state;
    char body[400], name[129], version[65];
    memset(name, 'n', 128);
    memset(version, 'v', 64);
    name[128] = version[64] = '\0';
    snprintf(body, sizeof body, "{\"name\":\"%s\",\"version\":\"%s\"" TYPED, name, version);
    world_ok(w, 201, NULL, model_register, NULL, NULL, body);
    assert_int_equal(strlen(answer_member(w, "model_id")), 193);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(faults_of_a_body),
        T(limits),
        T(longest_name_and_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
