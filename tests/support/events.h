/* events: a reader of server-sent events for tests. */
#ifndef PADDOCK_TESTS_SUPPORT_EVENTS_H
#define PADDOCK_TESTS_SUPPORT_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

struct events {
    int fd;
    char buffer[65536];
    size_t len, at;  /* of what was received and not read yet */
    char head[2048]; /* of the reply */
    /* the event read last: */
    unsigned long id;
    char type[64]; /* "": it names none */
    char *data;
};

/* Ask for a stream; `headers` are whole lines. `rcvbuf` 0: as the system has it. False: the answer
 * is another; events_close() is due either way. */
bool events_open(struct events *e, unsigned port, const char *target, const char *headers,
                 int rcvbuf);
/* The next event; comments are passed over and counted (`comments` may be NULL). False: the stream
 * has ended. */
bool events_next(struct events *e, unsigned *comments);
/* Fails the test if something comes but the end of the last chunk. */
void events_silent(struct events *e);
void events_close(struct events *e);

#endif
