/* banned: functions that nobody here may call. Included before every source file by the build.
 *
 * The headers that declare or use them come first, since poisoning forbids the bare name. */
#ifndef PADDOCK_BASE_BANNED_H
#define PADDOCK_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __GNUC__
#pragma GCC poison strcpy strcat sprintf strtok atoi gets system
#endif

#endif
