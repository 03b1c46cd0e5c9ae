#include "registry/severity.h"

#include <stddef.h>
#include <string.h>

const char *const SEVERITY_NAMES[] = {"none", "low", "medium", "high", NULL};

bool severity_parse(const char *text, enum severity *out)
{
    for (int i = 0; text && i < SEVERITY_COUNT; i++) {
        if (strcmp(text, SEVERITY_NAMES[i]) == 0) {
            *out = (enum severity)i;
            return true;
        }
    }
    return false;
}
