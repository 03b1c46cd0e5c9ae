/* flag_prerequisites: may a flag ask these others first? Room: registry. Threads: [engine]. */
#ifndef PADDOCK_REGISTRY_FLAG_PREREQUISITES_H
#define PADDOCK_REGISTRY_FLAG_PREREQUISITES_H

#include "registry/documents.h"

#define FLAG_DEPTH_MAX  16 /* prerequisites of prerequisites */
#define FLAG_BEHIND_MAX 64 /* flags behind one, counted once each: all may be asked for it */

/* Are those that the flag `w->want` names there, with the variants named, and is it behind none of
 * them? Faults go into `w`. */
void flag_prerequisites_check(struct document_write *w);

#endif
