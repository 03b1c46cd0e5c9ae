#include "selection/errors.h"

#include <stddef.h>

const struct err_kind NO_CANDIDATE = {
    "NO_CANDIDATE",
    404,
    "No candidate",
    "No model that matches is in service: none is canary or stable, and no fallback leads to one.",
};
const struct err_kind UNIT_MISSING = {
    "TARGETING_KEY_MISSING",
    400,
    "Unit missing",
    "The route draws by a member of the context that is not there, and says that this is an error.",
};
const struct err_kind DECISION_NOT_FOUND = {
    "DECISION_NOT_FOUND",
    404,
    "Decision not found",
    "The id is none of a decision on a model of this namespace: it was made up or altered, its key "
    "or its model is gone.",
};

const struct err_kind *const SELECTION_ERRORS[] = {&NO_CANDIDATE, &UNIT_MISSING,
                                                   &DECISION_NOT_FOUND, NULL};
