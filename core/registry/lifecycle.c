#include "registry/model.h"

#include <string.h>

static const char *const NAMES[STATUS_COUNT] = {
    [STATUS_DEVELOPMENT] = "development", [STATUS_CANARY] = "canary",   [STATUS_STABLE] = "stable",
    [STATUS_DEPRECATED] = "deprecated",   [STATUS_RETIRED] = "retired",
};

#define TO(status) (1u << STATUS_##status)

/* From each status, the ones that POST .../status may lead to. */
static const unsigned MAY[STATUS_COUNT] = {
    [STATUS_DEVELOPMENT] = TO(CANARY) | TO(RETIRED),
    [STATUS_CANARY] = TO(STABLE) | TO(DEVELOPMENT) | TO(RETIRED),
    [STATUS_STABLE] = TO(DEPRECATED),
    [STATUS_DEPRECATED] = TO(STABLE) | TO(RETIRED),
    [STATUS_RETIRED] = 0,
};

const char *status_name(enum model_status s)
{
    return NAMES[s];
}

int status_parse(const char *text)
{
    for (int i = 0; i < STATUS_COUNT; i++)
        if (text && strcmp(NAMES[i], text) == 0)
            return i;
    return -1;
}

bool status_may(enum model_status from, enum model_status to)
{
    return MAY[from] >> to & 1;
}
