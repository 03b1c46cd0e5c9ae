/* Which master of a Cluster has which slot.
 *
 * All of the control plane lies in one slot, so its master is to a node what a single Redis is to
 * others: commits, keys, leases, queues, the journal go there. Series are spread by the model; the
 * link that carries them has a connection to each master (redis_link.c).
 *
 * The map is made of what the nodes say (CLUSTER NODES, which tells with each master the epoch of
 * its claims): three are asked in each round, in turn. Of two that claim a slot the one of the
 * greater epoch has it, so a node that is cut off with an old map cannot hold the others back. And
 * it is changed at once by whoever answers MOVED, which is not asked about a second time.
 *
 * While a slot moves from one master to another its keys are here and there. What a script of ours
 * does is one step or none, and it cannot be half of it here. So each script names one key that
 * never exists, its slot's "gate": a master that gives a slot away answers ASK (or TRYAGAIN) to
 * whoever names a key that it has not, and nothing of the script is done. Such an answer is not
 * followed; what got it is sent again a little later, for a second at most, until the slot has
 * arrived where it goes. */
#include "store/redis_guides.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS    16384
#define ID_LEN   40
#define ROUND    3 /* nodes asked in it */
#define WAITS_NS 1000000000LL

struct master {
    struct redis_place at;
    char id[ID_LEN + 1]; /* "": not known yet */
    unsigned slots;
};

struct claim {
    int64_t epoch;
    uint8_t master; /* its place in the list, from 1; 0: nobody's */
};

struct cluster {
    unsigned next; /* of the guides; the thread's own */
    pthread_mutex_t lock;
    struct master masters[CLUSTER_MASTERS_MAX];
    unsigned n;
    struct claim slots[SLOTS];
    atomic_uint_fast64_t version;
};

/* --- slots --- */

/* CRC16, XMODEM */
static unsigned crc16(const char *data, size_t len)
{
    unsigned crc = 0;
    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned)(unsigned char)data[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff;
    }
    return crc;
}

unsigned redis_slot(const char *key)
{
    const char *open = strchr(key, '{'), *close = open ? strchr(open, '}') : NULL;
    if (close && close > open + 1)
        return crc16(open + 1, (size_t)(close - open - 1)) % SLOTS;
    return crc16(key, strlen(key)) % SLOTS;
}

/* --- the map, under its lock --- */

static bool same_place(const struct redis_place *p, const char *host, int port)
{
    return p->port == port && strcmp(p->host, host) == 0;
}

/* One that has moved keeps its id; one that took an address over has it from now on. NULL: there
 * are too many. */
static struct master *master_at(struct cluster *c, const char *id, const char *host, int port)
{
    struct master *m = NULL;
    for (unsigned i = 0; i < c->n && !m; i++)
        if (*id && strcmp(c->masters[i].id, id) == 0)
            m = &c->masters[i];
    for (unsigned i = 0; i < c->n && !m; i++)
        if (same_place(&c->masters[i].at, host, port) && (!*id || !*c->masters[i].id))
            m = &c->masters[i];
    for (unsigned i = 0; i < c->n && !m; i++)
        if (c->masters[i].slots == 0) {
            m = &c->masters[i];
            *m = (struct master){0};
        }
    if (!m && c->n < CLUSTER_MASTERS_MAX)
        m = &c->masters[c->n++];
    if (!m)
        return NULL;
    if (*id)
        snprintf(m->id, sizeof m->id, "%s", id);
    if (!same_place(&m->at, host, port)) {
        snprintf(m->at.host, sizeof m->at.host, "%s", host);
        m->at.port = port;
        atomic_fetch_add(&c->version, 1);
    }
    return m;
}

static void give(struct cluster *c, unsigned slot, struct master *to)
{
    struct claim *is = &c->slots[slot];
    uint8_t place = (uint8_t)(to - c->masters + 1);
    if (is->master == place)
        return;
    if (is->master)
        c->masters[is->master - 1].slots--;
    is->master = place;
    to->slots++;
    atomic_fetch_add(&c->version, 1);
}

/* --- what a node says --- */

/* Up to the next blank or end of line; what follows stands in `*at`. */
static size_t take_word(const char **at, char *out, size_t size)
{
    *at += strspn(*at, " ");
    size_t len = strcspn(*at, " \r\n");
    snprintf(out, size, "%.*s", (int)len, *at);
    *at += len;
    return len;
}

/* "HOST:PORT@BUS,NAME": of a node that does not know its own address the one it was asked at. */
static bool read_address(char *text, const struct guide *asked, char **host, int *port)
{
    text[strcspn(text, "@,")] = '\0';
    char *colon = strrchr(text, ':');
    if (!colon)
        return false;
    *colon = '\0';
    *port = (int)strtol(colon + 1, NULL, 10);
    *host = *text ? text : (char *)asked->at.host;
    return *port > 0 && *port < 65536;
}

/* "12", "12-40"; "[12->-ID]" tells of one under way, which is its old master's until it is done. */
static void take_slots(struct cluster *c, const char *word, int64_t epoch, struct master *m)
{
    char *end;
    unsigned long from = strtoul(word, &end, 10), to = from;
    if (end == word || *word == '[')
        return;
    if (*end == '-')
        to = strtoul(end + 1, &end, 10);
    for (unsigned long slot = from; slot <= to && slot < SLOTS; slot++) {
        struct claim *is = &c->slots[slot];
        bool same = is->master && &c->masters[is->master - 1] == m;
        if (!same && is->master && epoch <= is->epoch)
            continue;
        is->epoch = epoch;
        give(c, (unsigned)slot, m);
    }
}

/* ID ADDRESS FLAGS MASTER PING PONG EPOCH LINK SLOT... */
static void take_line(struct guides *g, const struct guide *asked, const char *at)
{
    struct cluster *c = g->store->cluster;
    char id[ID_LEN + 1], address[320], flags[128], word[64], *host;
    int port;
    if (take_word(&at, id, sizeof id) != ID_LEN)
        return;
    take_word(&at, address, sizeof address);
    take_word(&at, flags, sizeof flags);
    for (int i = 0; i < 3; i++)
        take_word(&at, word, sizeof word);
    take_word(&at, word, sizeof word);
    int64_t epoch = strtoll(word, NULL, 10);
    take_word(&at, word, sizeof word);
    if (!read_address(address, asked, &host, &port) || strstr(flags, "noaddr"))
        return;
    guides_add(g, host, port);
    at += strspn(at, " ");
    if (!strstr(flags, "master") || *at == '\r' || *at == '\n' || *at == '\0')
        return;
    struct master *m = master_at(c, id, host, port);
    while (m && take_word(&at, word, sizeof word) > 0)
        take_slots(c, word, epoch, m);
}

static bool ask_one(struct guides *g, struct guide *to, struct err *e)
{
    const char *words[] = {"CLUSTER", "NODES"};
    const struct guide asked = {.at = to->at};
    struct cluster *c = g->store->cluster;
    redisReply *r = guide_ask(g, to, 2, words, e);
    if (!r)
        return false;
    bool good = r->type == REDIS_REPLY_STRING;
    if (!good)
        fail(e, &ERR_IO, "Redis Cluster node %s:%d: %.200s", to->at.host, to->at.port,
             r->type == REDIS_REPLY_ERROR ? r->str : "it does not tell its nodes");
    pthread_mutex_lock(&c->lock);
    for (const char *line = good ? r->str : NULL; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        take_line(g, &asked, line);
    }
    pthread_mutex_unlock(&c->lock);
    freeReplyObject(r);
    return good;
}

static bool tell_control(struct redis *s)
{
    struct redis_place at;
    bool known = cluster_owner(s, redis_slot(REDIS_CONTROL), &at);
    if (known)
        guides_take(s->guides, at.host, at.port);
    return known;
}

bool cluster_round(struct guides *g, struct err *e)
{
    struct cluster *c = g->store->cluster;
    unsigned answers = 0, n = g->n;
    for (unsigned i = 0; i < n && answers < ROUND; i++)
        answers += ask_one(g, &g->list[c->next++ % n], e);
    if (!tell_control(g->store))
        return answers == 0 ? false
                            : fail(e, &ERR_IO, "nobody has slot %u of the Redis Cluster",
                                   redis_slot(REDIS_CONTROL));
    return answers > 0;
}

/* --- what others see --- */

bool cluster_owner(struct redis *s, unsigned slot, struct redis_place *out)
{
    struct cluster *c = s->cluster;
    pthread_mutex_lock(&c->lock);
    unsigned place = c->slots[slot].master;
    if (place)
        *out = c->masters[place - 1].at;
    pthread_mutex_unlock(&c->lock);
    return place != 0;
}

size_t cluster_masters(struct redis *s, struct redis_place out[CLUSTER_MASTERS_MAX])
{
    struct cluster *c = s->cluster;
    size_t n = 0;
    pthread_mutex_lock(&c->lock);
    for (unsigned i = 0; i < c->n; i++)
        if (c->masters[i].slots)
            out[n++] = c->masters[i].at;
    pthread_mutex_unlock(&c->lock);
    return n;
}

uint64_t cluster_version(struct redis *s)
{
    return s->cluster ? atomic_load(&s->cluster->version) : 0;
}

/* "MOVED SLOT HOST:PORT" */
static void moved(struct redis *s, const char *text, const struct redis_place *from)
{
    const struct guide asked = {.at = {.port = from->port}};
    char *end, address[300], *host;
    int port;
    unsigned long slot = strtoul(text + 6, &end, 10);
    take_word((const char **)&end, address, sizeof address);
    if (slot >= SLOTS || !read_address(address, &asked, &host, &port))
        return;
    pthread_mutex_lock(&s->cluster->lock);
    struct master *m = master_at(s->cluster, "", *host ? host : from->host, port);
    if (m)
        give(s->cluster, (unsigned)slot, m);
    pthread_mutex_unlock(&s->cluster->lock);
    tell_control(s);
}

bool cluster_redirects(struct redis *s, const redisReply *r, const struct redis_place *from)
{
    static const char *const ELSEWHERE[] = {"MOVED ", "ASK ", "TRYAGAIN "};
    if (!s->cluster || r->type != REDIS_REPLY_ERROR)
        return false;
    for (size_t i = 0; i < sizeof ELSEWHERE / sizeof *ELSEWHERE; i++)
        if (strncmp(r->str, ELSEWHERE[i], strlen(ELSEWHERE[i])) == 0) {
            if (i == 0)
                moved(s, r->str, from);
            return true;
        }
    return false;
}

bool cluster_waits(int64_t *since_ns)
{
    int64_t now = clock_mono_ns(&CLOCK_SYSTEM);
    if (!*since_ns)
        *since_ns = now;
    return now - *since_ns < WAITS_NS;
}

struct cluster *cluster_new(void)
{
    struct cluster *c = mem_zero(1, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void cluster_free(struct cluster *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    free(c);
}
