#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The header of a database file: https://www.sqlite.org/fileformat2.html, 1.3. */
#define HEADER_SIZE       100
#define AT_PAGE_SIZE      16
#define AT_CHANGES        24
#define AT_PAGES          28
#define AT_USER_VERSION   60
#define AT_APPLICATION_ID 68
#define AT_VALID_FOR      92
#define LOG_HEADER_SIZE   32

struct header {
    unsigned char bytes[HEADER_SIZE];
    size_t len;
    int64_t file_size, log_size;
};

static uint32_t number_at(const struct header *h, size_t at)
{
    const unsigned char *p = h->bytes + at;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Size of `path`, -1 if there is none, -2 if that cannot be told. */
static int64_t size_of(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0)
        return st.st_size;
    return errno == ENOENT ? -1 : -2;
}

static bool read_header(const char *path, struct header *h, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(e, &ERR_IO, "cannot open %s", path);
    ssize_t n = pread(fd, h->bytes, HEADER_SIZE, 0);
    close(fd);
    if (n < 0)
        return fail_errno(e, &ERR_IO, "cannot read %s", path);
    h->len = (size_t)n;
    return true;
}

static bool check_header(const char *path, const struct schema *schema, const struct header *h,
                         struct err *e)
{
    if (h->len < HEADER_SIZE || memcmp(h->bytes, "SQLite format 3", 16) != 0)
        return fail(e, &ERR_CORRUPT, "%s is not a database, or damaged; nothing was changed", path);
    uint32_t id = number_at(h, AT_APPLICATION_ID), version = number_at(h, AT_USER_VERSION);
    /* A creation that was cut off leaves both at 0; what SQLite then sees decides. */
    if (id != schema->application_id && !(id == 0 && version == 0))
        return fail(e, &ERR_CONFIG, "%s is a database of another program; nothing was changed",
                    path);
    if (version > (uint32_t)schema->version)
        return fail(e, &ERR_CONFIG,
                    "%s was made by a newer version of Paddock (schema %u, this program knows %d); "
                    "nothing was changed",
                    path, version, schema->version);
    return true;
}

/* Is the file as long as its header says? A log may hold what is missing, so then one cannot tell.
 */
static bool check_length(const char *path, const struct header *h, bool *unsure, struct err *e)
{
    int64_t page = h->bytes[AT_PAGE_SIZE] << 8 | h->bytes[AT_PAGE_SIZE + 1];
    page = page == 1 ? 65536 : page;
    bool counted = number_at(h, AT_CHANGES) == number_at(h, AT_VALID_FOR);
    int64_t whole = page * number_at(h, AT_PAGES);
    if (!counted || h->file_size >= whole)
        return true;
    *unsure = h->log_size > LOG_HEADER_SIZE;
    return *unsure ||
           fail(e, &ERR_CORRUPT, "%s is cut short: %lld of %lld bytes; nothing was changed", path,
                (long long)h->file_size, (long long)whole);
}

bool file_check(const char *dir, const struct schema *schema, enum file_state *state, bool *unsure,
                struct err *e)
{
    char path[PATH_MAX], log[PATH_MAX];
    struct header h = {0};
    *unsure = false;
    if (snprintf(path, sizeof path, "%s/%s", dir, schema->file) >= (int)sizeof path ||
        snprintf(log, sizeof log, "%s/%s-wal", dir, schema->file) >= (int)sizeof log)
        return fail(e, &ERR_CONFIG, "the path of the data directory is too long");
    h.file_size = size_of(path);
    h.log_size = size_of(log);
    if (h.file_size == -2 || h.log_size == -2)
        return fail_errno(e, &ERR_IO, "cannot look at %s", path);
    *state = h.file_size < 0 ? FILE_ABSENT : h.file_size == 0 ? FILE_EMPTY : FILE_PRESENT;
    if (*state != FILE_PRESENT) {
        /* SQLite would delete the log of a database that is not there. */
        if (h.log_size <= LOG_HEADER_SIZE)
            return true;
        return fail(e, &ERR_CORRUPT, "%s is %s, but its log %s-wal is there; nothing was changed",
                    path, *state == FILE_EMPTY ? "empty" : "missing", schema->file);
    }
    return read_header(path, &h, e) && check_header(path, schema, &h, e) &&
           check_length(path, &h, unsure, e);
}
