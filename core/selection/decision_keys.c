#include "selection/decision_keys.h"

#include "base/hmac.h"
#include "base/ids.h"
#include "base/mem.h"
#include "store/nodes.h"
#include "store/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX 8192

/* What one reading of the file gave; immutable once it is in force. */
struct key_list {
    struct decision_key list[DECISION_KEYS_MAX];
    size_t count;
    struct key_list *before; /* kept: somebody may be looking at it */
};

struct decision_keys {
    _Atomic(struct key_list *) now;
    char *path;
};

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool read_secret(const char *hex, uint8_t out[DECISION_SECRET])
{
    for (size_t i = 0; i < DECISION_SECRET; i++) {
        int high = digit(hex[2 * i]), low = high < 0 ? -1 : digit(hex[2 * i + 1]);
        if (low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return hex[2 * DECISION_SECRET] == '\0';
}

static const struct decision_key *find(const struct key_list *k, uint8_t id)
{
    for (size_t i = 0; i < k->count; i++)
        if (k->list[i].id == id)
            return &k->list[i];
    return NULL;
}

static bool read_line(struct key_list *k, char *line)
{
    char *end;
    line[strcspn(line, "\r")] = '\0';
    if (*line == '\0' || *line == '#')
        return true;
    unsigned long id = strtoul(line, &end, 10);
    if (k->count == DECISION_KEYS_MAX || id < 1 || id > 255 || *end != ':' ||
        find(k, (uint8_t)id) || !read_secret(end + 1, k->list[k->count].secret))
        return false;
    k->list[k->count++].id = (uint8_t)id;
    return true;
}

static bool parse(struct key_list *k, char *text, const char *path, struct err *e)
{
    size_t number = 1;
    char *next;
    for (char *line = text; line; line = next, number++) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (!read_line(k, line))
            return fail(e, &ERR_CONFIG,
                        "%s, line %zu: must be ID:HEX, a number from 1 to 255 given once and 64 "
                        "hexadecimal digits; at most %d keys",
                        path, number, DECISION_KEYS_MAX);
    }
    return k->count > 0 || fail(e, &ERR_CONFIG, "%s holds no key", path);
}

static bool write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* Whole or not at all: written beside, then linked. */
static bool put_file(const char *path, const char *text, struct err *e)
{
    char beside[4200];
    snprintf(beside, sizeof beside, "%s.new", path);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0 && write_all(fd, text, strlen(text)) && fsync(fd) == 0;
    if (fd >= 0)
        ok = close(fd) == 0 && ok;
    ok = ok && rename(beside, path) == 0;
    return ok || fail_errno(e, &ERR_CONFIG, "cannot make the file of decision keys '%s'", path);
}

static bool make_file(const char *path, struct err *e)
{
    uint8_t secret[DECISION_SECRET];
    char text[2 * DECISION_SECRET + 8] = "1:";
    random_bytes(secret, sizeof secret);
    hex_encode(secret, sizeof secret, text + 2);
    strncat(text, "\n", sizeof text - strlen(text) - 1);
    bool ok = put_file(path, text, e);
    explicit_bzero(secret, sizeof secret);
    explicit_bzero(text, sizeof text);
    return ok;
}

static bool read_file(const char *path, char *text, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(e, &ERR_CONFIG, "cannot open the file of decision keys '%s'", path);
    size_t len = 0;
    ssize_t n;
    while ((n = read(fd, text + len, FILE_MAX - len)) > 0)
        len += (size_t)n;
    close(fd);
    text[len] = '\0';
    return (n == 0 && len < FILE_MAX) ||
           fail(e, &ERR_CONFIG,
                "cannot read the file of decision keys '%s', or it has more than %d bytes", path,
                FILE_MAX);
}

static struct key_list *read_list(const char *path, struct err *e)
{
    char text[FILE_MAX + 1];
    struct key_list *k = mem_zero(1, sizeof *k);
    bool ok = read_file(path, text, e) && parse(k, text, path, e);
    explicit_bzero(text, sizeof text);
    if (ok)
        return k;
    explicit_bzero(k, sizeof *k);
    free(k);
    return NULL;
}

static bool is_missing(const char *path)
{
    return access(path, F_OK) != 0 && errno == ENOENT;
}

/* ---- among nodes ---- */

#define SHARED_KEY   "decision-keys"
#define SHARED_UNTIL INT64_C(32503680000000) /* the year 3000: such keys have to end some time */

/* What another has put there goes into the file. */
static bool adopt(const char *path, const char *own, const struct key_request *k, struct err *e)
{
    char text[FILE_MAX + 1];
    if (k->value_len > FILE_MAX)
        return fail(e, &ERR_CORRUPT, "the decision keys in the store are too long");
    memcpy(text, k->value, k->value_len);
    text[k->value_len] = '\0';
    bool ok = strcmp(text, own) == 0 || put_file(path, text, e);
    explicit_bzero(text, sizeof text);
    return ok;
}

bool decision_keys_share(struct store *s, const char *path, struct err *e)
{
    char text[FILE_MAX + 1];
    if (!store_shared(s))
        return true;
    if ((is_missing(path) && !make_file(path, e)) || !read_file(path, text, e))
        return false;
    struct key_request k = {.op = KEY_PUT_NEW,
                            .key = {SHARED_KEY, text, strlen(text), SHARED_UNTIL},
                            .arena = arena_new(4 * FILE_MAX)};
    bool ok = store_key_wait(s, &k, e) && (!k.found || adopt(path, text, &k, e));
    arena_free(k.arena);
    explicit_bzero(text, sizeof text);
    return ok;
}

struct decision_keys *decision_keys_open(const char *path, bool make, struct err *e)
{
    if (make && is_missing(path) && !make_file(path, e))
        return NULL;
    struct key_list *list = read_list(path, e);
    if (!list)
        return NULL;
    struct decision_keys *k = mem_zero(1, sizeof *k);
    k->path = mem_text(path);
    atomic_store(&k->now, list);
    return k;
}

bool decision_keys_reload(struct decision_keys *k, struct err *e)
{
    struct key_list *now = atomic_load(&k->now), *list = read_list(k->path, e);
    if (!list)
        return false;
    if (list->count == now->count && memcmp(list->list, now->list, sizeof list->list) == 0) {
        explicit_bzero(list, sizeof *list);
        free(list);
        return true;
    }
    list->before = now;
    atomic_store(&k->now, list);
    return true;
}

void decision_keys_close(struct decision_keys *k)
{
    if (!k)
        return;
    for (struct key_list *list = atomic_load(&k->now), *before; list; list = before) {
        before = list->before;
        explicit_bzero(list, sizeof *list);
        free(list);
    }
    free(k->path);
    free(k);
}

const struct decision_key *decision_keys_signing(const struct decision_keys *k)
{
    return &atomic_load_explicit(&k->now, memory_order_acquire)->list[0];
}

const struct decision_key *decision_keys_find(const struct decision_keys *k, uint8_t id)
{
    return find(atomic_load_explicit(&k->now, memory_order_acquire), id);
}

void decision_key_sign(const struct decision_key *key, const void *data, size_t len,
                       uint8_t out[DECISION_MAC])
{
    uint8_t full[SHA256_SIZE];
    hmac_sha256(key->secret, sizeof key->secret, data, len, full);
    memcpy(out, full, DECISION_MAC);
}

bool decision_key_signed(const struct decision_key *key, const void *data, size_t len,
                         const uint8_t mac[DECISION_MAC])
{
    uint8_t right[DECISION_MAC];
    decision_key_sign(key, data, len, right);
    return digest_same(right, mac, sizeof right);
}
