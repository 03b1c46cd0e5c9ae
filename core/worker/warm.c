#include "worker/warm.h"

#include "base/sanitizer.h"

#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE       ((uintptr_t)4096) /* nothing is done where it is another */
#define RANGES_MAX 16
#define HEAP       (24 * PAGE) /* its first pages, where what lives long and what is free lies */

static struct {
    uintptr_t begin, end;
} ranges[RANGES_MAX];
static size_t n_ranges;

static void note_data(uintptr_t begin, uintptr_t end)
{
    begin &= ~(PAGE - 1);
    end = (end + PAGE - 1) & ~(PAGE - 1);
    if (n_ranges < RANGES_MAX && begin < end) {
        ranges[n_ranges].begin = begin;
        ranges[n_ranges++].end = end;
    }
}

static void own(void *begin, size_t len, int protection)
{
    void *copy =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (copy == MAP_FAILED)
        return;
    memcpy(copy, begin, len);
    if (mprotect(copy, len, protection) != 0 ||
        mremap(copy, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, begin) == MAP_FAILED)
        munmap(copy, len);
}

/* What is written to: the initialized data behind what was made read-only after relocation. */
static void note_object(const struct dl_phdr_info *info)
{
    uintptr_t begin = 0, end = 0, relro = 0;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_LOAD && (p->p_flags & PF_W)) {
            begin = info->dlpi_addr + p->p_vaddr;
            end = begin + p->p_filesz;
        } else if (p->p_type == PT_GNU_RELRO) {
            relro = (info->dlpi_addr + p->p_vaddr + p->p_memsz) & ~(PAGE - 1);
        }
    }
    note_data(relro > begin ? relro : begin, end);
}

static int own_object(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    if (strstr(info->dlpi_name, "vdso"))
        return 0; /* the kernel's, and tied to its place */
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t begin = (info->dlpi_addr + p->p_vaddr) & ~(PAGE - 1),
                  end = (info->dlpi_addr + p->p_vaddr + p->p_filesz + PAGE - 1) & ~(PAGE - 1);
        if (p->p_type == PT_LOAD && !(p->p_flags & PF_W) && (p->p_flags & PF_R))
            own((void *)begin, end - begin, PROT_READ | (p->p_flags & PF_X ? PROT_EXEC : 0));
    }
    note_object(info);
    return 0;
}

void warm_up_code(void)
{
    if (BUILT_WITH_ASAN || BUILT_WITH_TSAN || (uintptr_t)sysconf(_SC_PAGESIZE) != PAGE)
        return;
    (void)dl_iterate_phdr(own_object, NULL);
    note_data((uintptr_t)&errno, (uintptr_t)&errno + 1); /* what threads have of their own */
    uintptr_t heap = (uintptr_t)sbrk(0);
    note_data(heap - HEAP, heap);
}

void warm_up_data(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0) & ~(PAGE - 1);
    for (size_t i = 0; i < n_ranges; i++)
        (void)madvise((void *)ranges[i].begin, ranges[i].end - ranges[i].begin,
                      MADV_POPULATE_WRITE);
    if (n_ranges)
        (void)madvise((void *)(here - 2 * PAGE), 4 * PAGE, MADV_POPULATE_WRITE);
}
