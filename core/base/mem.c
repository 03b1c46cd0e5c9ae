#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Writes without stdio, which might itself want memory. */
static _Noreturn void exhausted(void)
{
    static const char text[] = "paddock: out of memory, ending\n";
    ssize_t n = write(STDERR_FILENO, text, sizeof text - 1);
    (void)n;
    _exit(1);
}

void *mem_alloc(size_t size)
{
    void *p = malloc(size ? size : 1);
    if (!p)
        exhausted();
    return p;
}

void *mem_zero(size_t n, size_t size)
{
    void *p = n && size ? calloc(n, size) : calloc(1, 1);
    if (!p)
        exhausted();
    return p;
}

void *mem_resize(void *old, size_t n, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(n, size, &total))
        exhausted();
    void *p = realloc(old, total ? total : 1);
    if (!p)
        exhausted();
    return p;
}

char *mem_text(const char *text)
{
    return text ? mem_copy(text, strlen(text)) : NULL;
}

char *mem_copy(const void *data, size_t len)
{
    if (len == SIZE_MAX)
        exhausted();
    char *p = mem_alloc(len + 1);
    if (len)
        memcpy(p, data, len);
    p[len] = '\0';
    return p;
}
