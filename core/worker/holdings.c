#include "worker/holdings.h"

#include <dirent.h>
#include <malloc.h>

static size_t count_entries(const char *path)
{
    size_t n = 0;
    DIR *dir = opendir(path);
    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n;
}

void holdings_take(struct holdings *h)
{
    struct mallinfo2 heap = mallinfo2();
    h->threads = count_entries("/proc/self/task");
    h->descriptors = count_entries("/proc/self/fd");
    h->bytes = heap.uordblks + heap.hblkhd;
}

bool holdings_grew(const struct holdings *before, const struct holdings *after, unsigned rounds,
                   struct err *e)
{
    if (after->threads > before->threads)
        return !fail(e, &ERR_INVALID, "%zu threads more after %u rounds",
                     after->threads - before->threads, rounds);
    if (after->descriptors > before->descriptors)
        return !fail(e, &ERR_INVALID, "%zu open descriptors more after %u rounds",
                     after->descriptors - before->descriptors, rounds);
    if (after->bytes > before->bytes + rounds)
        return !fail(e, &ERR_INVALID, "%zu bytes of the heap more after %u rounds",
                     after->bytes - before->bytes, rounds);
    return false;
}
