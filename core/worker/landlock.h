/* landlock: writing only below one directory, where the kernel (5.13) has it. Room: worker.
 * Threads: before any is started. */
#ifndef PADDOCK_WORKER_LANDLOCK_H
#define PADDOCK_WORKER_LANDLOCK_H

/* From now on this process and its children may write, create and remove only below `scratch`, and
 * write to devices in /dev. Does nothing where the kernel has no Landlock. */
void landlock_confine(const char *scratch);

#endif
