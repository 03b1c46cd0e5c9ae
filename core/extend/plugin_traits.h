/* plugin_traits: what the SDK's numbers say of a plugin and of what it measured, for rooms that do
 * not know the SDK. Room: extend. Threads: pure, [any]. */
#ifndef PADDOCK_EXTEND_PLUGIN_TRAITS_H
#define PADDOCK_EXTEND_PLUGIN_TRAITS_H

#include "extend/catalog.h"

#include <stdbool.h>

bool plugin_is_alone(const struct plugin *p);       /* no other test may run beside it */
bool plugin_needs_baseline(const struct plugin *p); /* it is skipped where there is none */
bool plugin_needs_dataset(const struct plugin *p);  /* it cannot do without one */

/* "higher", "lower", "target"; NULL: neither. */
const char *measured_better(const struct worker_measurement *m);

#endif
