/* redis_url: where a Redis is and how to be let in, from one text. Room: store. Threads: pure.
 *
 *   redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]      HOST may be [::1]; port 6379, database 0
 *   redis+unix://[[USER]:PASSWORD@]/PATH[?db=DB]    also unix://
 *   redis+sentinel://[[USER]:PASSWORD@]HOST[:PORT],.../SERVICE[/DB][?wait=N]
 *       up to 8 Sentinels, port 26379; the login is that of the Redis, and of Sentinels that want
 *       one; N replicas have to have what is told as done, 1 unless given
 *   redis+cluster://[[USER]:PASSWORD@]HOST[:PORT],...[/][?wait=N]
 *       up to 8 of its nodes, port 6379, which know the others; N as above, of each master
 *
 * User, password and path are percent-encoded. Whatever is wrong, the text of the failure shows
 * nothing of the URL, which holds a password. */
#ifndef PADDOCK_STORE_REDIS_URL_H
#define PADDOCK_STORE_REDIS_URL_H

#include "base/err.h"

#include <stdbool.h>

#define REDIS_URL_MAX    1024
#define REDIS_GUIDES_MAX 8
#define REDIS_WAIT_MAX   16

struct redis_guide {
    char host[256];
    int port;
};

struct redis_url {
    char user[REDIS_URL_MAX], password[REDIS_URL_MAX]; /* "": none */
    char host[256];                                    /* "": `path` is a socket */
    int port;
    char path[108];
    int db;
    struct redis_guide guides[REDIS_GUIDES_MAX]; /* they know where it is */
    unsigned n_guides;                           /* 0: host or path say it */
    char service[128];                           /* of the Sentinels; "": they are of a Cluster */
    int wait;
};

bool redis_url_parse(const char *text, struct redis_url *out, struct err *e) MUST_CHECK;
/* "host:port/db", "path/db", "service/db of host:port,..." or "cluster of host:port,...", for logs
 * and messages: without user and password. */
#define REDIS_PLACE_SIZE 512
bool redis_url_is_cluster(const struct redis_url *u);
void redis_url_place(const struct redis_url *u, char out[REDIS_PLACE_SIZE]);

#endif
