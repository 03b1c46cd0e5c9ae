/* `paddock policy`, as its author calls it from a shell. */
#include "support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* Run `paddock policy ARGS` in the source tree; returns the exit status. */
static int run(const char *args, char *out, size_t size)
{
    char line[4096];
    snprintf(line, sizeof line, "cd '%s/scripts/lua' && '%s' policy %s 2>&1",
             getenv("PADDOCK_SOURCE"), getenv("PADDOCK_BIN"), args);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    size_t len = fread(out, 1, size - 1, pipe);
    out[len] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static const struct {
    const char *args;
    int status;
    const char *says;
} CASES[] = {
    {"check rollout/*.lua severity/*.lua", 0, "rollout/percentage.lua: good, rollout"},
    {"check README.md", 1, "a policy's file is named after it"},
    {"check rollout/missing.lua", 1, "No such file"},
    {"check", 2, "usage:"},
    {"what", 2, "usage:"},
    {"try rollout/percentage.lua --params '{\"weights\":{\"on\":100}}' "
     "--context '{\"targetingKey\":\"u1\"}'",
     0, "{\"variant\":\"on\",\"reason\":\"SPLIT\""},
    {"try rollout/percentage.lua --params '{\"weights\":{\"on\":100}}'", 1,
     "the context has no unit"},
    {"try rollout/percentage.lua --context '{\"targetingKey\":\"u1\"}'", 1,
     "is required by the policy"},
    {"try rollout/percentage.lua --context '['", 1, "paddock policy:"},
    {"try rollout/allowlist.lua --params '{\"segments\":[\"staff\"]}' --segment staff=a,b "
     "--context '{\"targetingKey\":\"b\"}' --explain",
     0, "{\"call\":\"in_segment\",\"args\":[\"staff\",\"b\"],\"result\":true"},
    {"try severity/default.lua --input '{\"metric\":\"auc\",\"better\":\"higher\",\"baseline\":0.9,"
     "\"candidate\":0.4,\"delta\":-0.5,\"margin\":0.1}'",
     0, "{\"level\":\"high\",\"reason\":\"auc went from 0.9 to 0.4"},
    {"try severity/default.lua --input '{\"baseline\":\"x\",\"candidate\":1,\"delta\":{}}'", 1,
     "severity/default.lua:"},
    {"simulate rollout/percentage.lua --population 1000 --params "
     "'{\"weights\":{\"on\":50,\"off\":50}}' --was '{\"weights\":{\"on\":50,\"off\":50}}'",
     0, "change variant                0    0.000 %"},
    {"simulate rollout/percentage.lua --population 0 --params '{\"weights\":{\"on\":100}}'", 1,
     "--population"},
    {"simulate rollout/percentage.lua --population 1e6 --params '{\"weights\":{\"on\":100}}'", 1,
     "--population must be a whole number"},
    {"try rollout/percentage.lua --params '{\"weights\":{\"on\":100}}' --context "
     "'{\"targetingKey\":1.5}'",
     1, "targetingKey must be a text or a whole number"},
    {"simulate rollout/schedule.lua --population 1000 --at 2025-12-03T00:00:00Z --params "
     "'{\"start\":\"2025-12-01T00:00:00Z\",\"end\":\"2025-12-02T00:00:00Z\"}'",
     0, "on                         1000  100.000 %"},
};

static void says_what_it_should(void **state)
{
    (void)state;
    static char out[65536];
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        int status = run(CASES[i].args, out, sizeof out);
        if (status != CASES[i].status || !strstr(out, CASES[i].says))
            fail_msg("policy %s: exit %d: %s", CASES[i].args, status, out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(says_what_it_should)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
