/* first_stage: the trusted process. It holds no foreign code, starts the second stage, watches it,
 * tells the host how it ended, and leaves nothing behind. Room: worker. Threads: its only one. */
#ifndef PADDOCK_WORKER_FIRST_STAGE_H
#define PADDOCK_WORKER_FIRST_STAGE_H

/* Run the job on standard input; the log goes to descriptor 2, the report to 3. Returns the exit
 * status: 0 if the report is complete. May be called for one job after the other: nothing of one is
 * where the next can see it. `control`: a descriptor that second stages must not have, or -1. */
int first_stage(int control);

/* After each, when the host has heard how it ended: what takes time and nobody waits for. */
void first_stage_rest(void);
/* Between two jobs: make ready now what the next needs, a second stage that waits for it, so that
 * it need not be made while somebody waits. Not before the first. What cannot be made now is made
 * then. Descriptors 0 to 3 belong to no test. */
void first_stage_prepare(int control);
/* After the last: nothing waits any more. */
void first_stage_forget(void);

#endif
