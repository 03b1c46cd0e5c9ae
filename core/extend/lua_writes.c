/* Does a script write to tables at all? Most policies only read, and reading through a proxy costs
 * three look-ups instead of one. One whose compiled code has no instruction that writes to a table
 * is given the tables themselves: nothing but the library could write for it, and that does not
 * where it finds a metatable.
 *
 * The script's outermost code is not looked at: it makes the table with its functions, and has run
 * before there is anything to write to.
 *
 * The code is looked at in the form in which Lua stores it. Should anything in there not be as
 * known, the script counts as one that writes. */
#include "extend/lua_guard.h"

#include "base/bytes.h"

#include <stdint.h>
#include <string.h>

#define DUMP_MAX ((size_t)4 << 20) /* of a source of 64 KiB */

static const char HEAD[] = "\x1bLua\x54\x00\x19\x93\r\n\x1a\n\x04\x08\x08"; /* 5.4; sizes */
#define HEAD_LEN \
    (sizeof HEAD - 1 + 16 + 1) /* then a number of each type, and a count of upvalues */

enum { SETTABUP = 15, SETTABLE, SETI, SETFIELD, OPCODES_MASK = 0x7f };
enum {
    CONSTANT_INTEGER = 0x03,
    CONSTANT_FLOAT = 0x13,
    CONSTANT_SHORT = 0x04,
    CONSTANT_LONG = 0x14
};

struct dump {
    const unsigned char *at, *end;
    bool writes, broken;
};

static const unsigned char *take(struct dump *d, size_t n)
{
    const unsigned char *at = d->at;
    if (n > (size_t)(d->end - d->at)) {
        d->broken = true;
        d->at = d->end;
        return NULL;
    }
    d->at += n;
    return at;
}

/* Seven bits a byte, the highest first; the last byte has its eighth bit set. */
static size_t take_number(struct dump *d)
{
    size_t n = 0;
    for (;;) {
        const unsigned char *byte = take(d, 1);
        if (!byte || n > UINT32_MAX) {
            d->broken = true;
            return 0;
        }
        n = n << 7 | (*byte & 0x7f);
        if (*byte & 0x80)
            return n;
    }
}

static void skip_text(struct dump *d)
{
    size_t size = take_number(d); /* and one more; 0: none */
    take(d, size ? size - 1 : 0);
}

static void look_at_code(struct dump *d, bool outermost)
{
    size_t n = take_number(d);
    for (size_t i = 0; i < n && !d->broken; i++) {
        uint32_t instruction;
        const unsigned char *at = take(d, sizeof instruction);
        if (!at)
            return;
        memcpy(&instruction, at, sizeof instruction);
        uint32_t opcode = instruction & OPCODES_MASK;
        d->writes |= !outermost && opcode >= SETTABUP && opcode <= SETFIELD;
    }
}

static void skip_constants(struct dump *d)
{
    size_t n = take_number(d);
    for (size_t i = 0; i < n && !d->broken; i++) {
        const unsigned char *type = take(d, 1);
        if (!type)
            return;
        if (*type == CONSTANT_INTEGER || *type == CONSTANT_FLOAT)
            take(d, 8);
        else if (*type == CONSTANT_SHORT || *type == CONSTANT_LONG)
            skip_text(d);
    }
}

/* Lines and names: none, for it is told to leave them out. */
static void expect_no_debugging(struct dump *d)
{
    for (int i = 0; i < 4; i++)
        d->broken |= take_number(d) != 0;
}

static void look_at_function(struct dump *d, bool outermost)
{
    skip_text(d);   /* of the source */
    take_number(d); /* its first line, and its last */
    take_number(d);
    take(d, 3); /* parameters, whether there may be more, registers */
    look_at_code(d, outermost);
    skip_constants(d);
    take(d, 3 * take_number(d)); /* upvalues */
    size_t inner = take_number(d);
    for (size_t i = 0; i < inner && !d->broken; i++)
        look_at_function(d, false);
    expect_no_debugging(d);
}

static int add_piece(lua_State *L, const void *piece, size_t len, void *to)
{
    struct bytes *b = to;
    (void)L;
    bytes_add(b, piece, len);
    return b->full;
}

/* `code` as lua_dump() gives it. */
static bool code_writes(const unsigned char *code, size_t len)
{
    struct dump d = {.at = code, .end = code + len};
    const unsigned char *head = take(&d, HEAD_LEN);
    if (!head || memcmp(head, HEAD, sizeof HEAD - 1) != 0)
        return true;
    look_at_function(&d, true);
    return d.writes || d.broken || d.at != d.end;
}

bool guard_writes(lua_State *L)
{
    struct bytes b = BYTES_INIT(DUMP_MAX);
    bool writes = lua_dump(L, add_piece, &b, 1) != 0 || !b.data ||
                  code_writes((const unsigned char *)b.data, b.len);
    bytes_release(&b);
    return writes;
}
