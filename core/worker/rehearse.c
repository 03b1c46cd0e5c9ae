#include "worker/rehearse.h"

#include "base/bytes.h"
#include "base/json.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#define STACK_USED (12 << 10) /* bytes that the way to a plugin's run() takes */

/* ---- code ---- */

static bool holds(const struct dl_phdr_info *object, uintptr_t address)
{
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && address - object->dlpi_addr - part->p_vaddr < part->p_memsz)
            return true;
    }
    return false;
}

/* This program, libc, and what loads objects: a test needs most of them. Of other libraries it
 * needs little. */
static bool is_needed(const struct dl_phdr_info *object)
{
    return holds(object, (uintptr_t)&rehearse) || holds(object, (uintptr_t)&malloc) ||
           holds(object, (uintptr_t)getauxval(AT_BASE));
}

/* The kernel maps them from its cache at once. Where it knows no such call nothing is lost. */
static int take_code(struct dl_phdr_info *object, size_t size, void *arg)
{
    (void)size, (void)arg;
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const size_t n = is_needed(object) ? object->dlpi_phnum : 0;
    for (size_t i = 0; i < n; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        uintptr_t begin = (object->dlpi_addr + part->p_vaddr) & ~(page - 1);
        uintptr_t end = object->dlpi_addr + part->p_vaddr + part->p_memsz;
        if (part->p_type == PT_LOAD && !(part->p_flags & PF_W))
            (void)madvise((void *)begin, end - begin, MADV_POPULATE_READ);
    }
    return 0;
}

/* ---- data ---- */

static void take_stack(void)
{
    volatile char room[STACK_USED];
    for (size_t i = 0; i < sizeof room; i += 1024)
        room[i] = 0;
}

static void take_heap(void)
{
    static const char TEXT[] = "{\"a\":{\"b\":[1,\"c\",null]},\"d\":{}}";
    struct bytes line = BYTES_INIT(4096);
    struct err e;
    json_t *value = json_read(TEXT, sizeof TEXT - 1, &e);
    bytes_printf(&line, "{\"%s\":{", "a");
    json_kv_int(&line, "n", 1);
    if (value)
        json_put_value(&line, value);
    json_decref(value);
    bytes_release(&line);
}

/* It is no object: all is done but to load it. */
static void take_loader(void)
{
    (void)dlopen("/dev/null", RTLD_NOW | RTLD_LOCAL);
    (void)dlerror();
}

void rehearse_data(void)
{
    take_stack();
    take_heap();
}

void rehearse(void)
{
    (void)dl_iterate_phdr(take_code, NULL);
    rehearse_data();
    take_loader();
}
