/* warm: a process from which others are forked readies its memory for that. Room: worker.
 * Threads: before any is started. */
#ifndef PADDOCK_WORKER_WARM_H
#define PADDOCK_WORKER_WARM_H

/* Own the code of the program and the libraries that are loaded now: a copy in place of each
 * mapping of a file. A fork takes along the pages of memory that is our own; those of a file each
 * child has to ask for, page by page, which is most of what a small child costs on a virtual
 * machine. A few megabytes. What the kernel does not allow is left as it is. */
void warm_up_code(void);

/* In a child: take at once, not one by one, the pages of data that it will write to anyway. */
void warm_up_data(void);

#endif
