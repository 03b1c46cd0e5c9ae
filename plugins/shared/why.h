/* why: room for the sentence that says why something failed. Plugin code, shared by compiling it
 * in. */
#ifndef PADDOCK_PLUGINS_WHY_H
#define PADDOCK_PLUGINS_WHY_H

#include <paddock/plugin.h>
#include <stdio.h>

struct why {
    char text[400];
};

/* Set it, cut where it does not fit. Returns false, so that `return say_why(...)` is one line. */
PADDOCK_PRINTF(2, 3) static inline bool say_why(struct why *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    return false;
}

#endif
