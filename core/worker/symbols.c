#include "worker/symbols.h"

#include <elf.h>
#include <string.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#error "which EM_ number has this machine?"
#endif

struct object {
    const unsigned char *data;
    size_t size;
    Elf64_Ehdr head;
};

static bool copy_out(const struct object *o, uint64_t at, void *out, size_t len)
{
    if (at > o->size || len > o->size - at)
        return false;
    memcpy(out, o->data + at, len); /* nothing in a file needs to be aligned */
    return true;
}

static bool section(const struct object *o, size_t index, Elf64_Shdr *out)
{
    return index < o->head.e_shnum &&
           copy_out(o, o->head.e_shoff + index * sizeof *out, out, sizeof *out) &&
           out->sh_offset <= o->size && out->sh_size <= o->size - out->sh_offset;
}

static bool read_head(struct object *o, struct err *e)
{
    if (!copy_out(o, 0, &o->head, sizeof o->head) || memcmp(o->head.e_ident, ELFMAG, SELFMAG) != 0)
        return fail(e, &ERR_INVALID, "it is no ELF file");
    if (o->head.e_ident[EI_CLASS] != ELFCLASS64 || o->head.e_ident[EI_DATA] != ELFDATA2LSB ||
        o->head.e_machine != MACHINE)
        return fail(e, &ERR_INVALID, "it was built for another machine");
    if (o->head.e_type != ET_DYN)
        return fail(e, &ERR_INVALID, "it is no shared object: build it with -shared -fPIC");
    return true;
}

static bool find_table(const struct object *o, Elf64_Shdr *table, Elf64_Shdr *names)
{
    for (size_t i = 0; section(o, i, table); i++)
        if (table->sh_type == SHT_DYNSYM)
            return section(o, table->sh_link, names) && names->sh_size > 0;
    return false;
}

bool symbols_each(const void *file, size_t size,
                  void (*see)(const char *name, bool offered, void *arg), void *arg, struct err *e)
{
    struct object o = {.data = file, .size = size};
    Elf64_Shdr table, names;
    Elf64_Sym symbol;
    if (!read_head(&o, e))
        return false;
    if (!find_table(&o, &table, &names))
        return fail(e, &ERR_INVALID, "it has no table of dynamic symbols");
    const char *text = (const char *)file + names.sh_offset;
    if (text[names.sh_size - 1] != '\0')
        return fail(e, &ERR_INVALID, "its table of names does not end");
    for (uint64_t at = 0; at + sizeof symbol <= table.sh_size; at += sizeof symbol) {
        if (!copy_out(&o, table.sh_offset + at, &symbol, sizeof symbol))
            break;
        unsigned bind = ELF64_ST_BIND(symbol.st_info), type = ELF64_ST_TYPE(symbol.st_info);
        bool offered = symbol.st_shndx != SHN_UNDEF;
        if (symbol.st_name == 0 || symbol.st_name >= names.sh_size || type == STT_SECTION ||
            type == STT_FILE || bind == STB_LOCAL || (!offered && bind != STB_GLOBAL))
            continue;
        see(text + symbol.st_name, offered, arg);
    }
    return true;
}
