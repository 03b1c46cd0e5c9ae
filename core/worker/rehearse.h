/* rehearse: in a process that waits for a test, touch the memory that each test touches. The first
 * touch of a page after a fork is what a short test costs most. Room: worker. Threads: the only
 * one. */
#ifndef PADDOCK_WORKER_REHEARSE_H
#define PADDOCK_WORKER_REHEARSE_H

/* Nothing is read that a test does not bring, and nothing is kept. */
void rehearse(void);
/* Only the stack and the heap: what a first stage, too, writes to. */
void rehearse_data(void);

#endif
