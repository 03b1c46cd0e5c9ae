#include "telemetry/validated.h"

#include "registry/severity.h"

#include <stdio.h>
#include <string.h>

static const struct run_brief *run_of(const struct validation_summary *s)
{
    if (!s)
        return NULL;
    const struct run_brief *run = s->blocking.run_id   ? &s->blocking
                                  : s->complete.run_id ? &s->complete
                                                       : &s->last;
    return run->run_id && run->status ? run : NULL;
}

static enum check_status status_of(const struct run_brief *run)
{
    enum severity severity = SEVERITY_NONE;
    if (strcmp(run->status, "failed") == 0)
        return CHECK_FAIL;
    if (strcmp(run->status, "passed") != 0)
        return CHECK_UNKNOWN;
    if (!run->severity || !severity_parse(run->severity, &severity))
        return CHECK_PASS;
    return severity >= SEVERITY_HIGH     ? CHECK_FAIL
           : severity == SEVERITY_MEDIUM ? CHECK_WARN
                                         : CHECK_PASS;
}

void health_validated(const struct validation_summary *s, struct health_validated *out)
{
    const struct run_brief *run = run_of(s);
    *out = (struct health_validated){.status = CHECK_UNKNOWN};
    if (!run) {
        snprintf(out->detail, sizeof out->detail, "no validation run has judged this model");
        return;
    }
    out->status = status_of(run);
    if (strcmp(run->status, "error") == 0)
        snprintf(out->detail, sizeof out->detail,
                 "validation run '%.128s' could not be carried out", run->run_id);
    else
        snprintf(out->detail, sizeof out->detail,
                 "%svalidation run '%.128s' %.16s; the worst regression is of severity %.8s",
                 run == &s->blocking ? "partial " : "", run->run_id, run->status,
                 run->severity ? run->severity : "none");
}
