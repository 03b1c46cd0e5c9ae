/* inference: what each loop keeps for taking in records. Room: api. Threads: [loop]. */
#ifndef PADDOCK_API_INFERENCE_H
#define PADDOCK_API_INFERENCE_H

struct loop_state;

/* Free the recycled scanners of a loop that has ended. */
void ingests_free(struct loop_state *s);

#endif
