#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The analyser's macros of these names are for the callers. */
#undef fail
#undef fail_errno

const struct err_kind ERR_INTERNAL = {
    .code = "INTERNAL_ERROR",
    .status = 500,
    .title = "Internal error",
    .doc = "The server failed in a way it should not. Its log has the details under the "
           "request id; please report it.",
};
const struct err_kind ERR_MEMORY = {
    .code = "OUT_OF_MEMORY",
    .status = 503,
    .title = "Out of memory",
    .doc = "The server had no memory for this request. Nothing was changed; try again later or "
           "send less at once.",
};
const struct err_kind ERR_BUSY = {
    .code = "OVERLOADED",
    .status = 503,
    .title = "Overloaded",
    .doc = "A bound of the server was reached, for instance too many requests under way. "
           "Nothing was changed; try again after the time in Retry-After.",
};
const struct err_kind ERR_IO = {
    .code = "STORE_UNAVAILABLE",
    .status = 503,
    .title = "Store unavailable",
    .doc = "The store or its disk refused the change or cannot be reached. Reads may still be "
           "answered; try again after the time in Retry-After.",
};
const struct err_kind ERR_CORRUPT = {
    .code = "DATA_CORRUPT",
    .status = 500,
    .title = "Data corrupt",
    .doc = "Stored data fails its checksum or has a form that this version does not know. "
           "Nothing was overwritten; restore the data directory from a backup or use the "
           "version that wrote it.",
};
const struct err_kind ERR_INVALID = {
    .code = "VALIDATION_FAILED",
    .status = 400,
    .title = "Validation failed",
    .doc = "One or more values of the request are not allowed. The member errors lists each "
           "with a JSON Pointer to it.",
};
const struct err_kind ERR_CONFIG = {
    .code = "CONFIG_INVALID",
    .status = 500,
    .title = "Configuration invalid",
    .doc = "A setting cannot be used; the server does not start with it. See paddock serve "
           "--help.",
};

/* Make a text that snprintf cut end at a whole UTF-8 character. */
static void cut_at_character(char *text, size_t len)
{
    size_t start = len;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (len - (start - 1) < need)
        text[start - 1] = '\0';
}

PRINTF_LIKE(3, 0)
static void fill(struct err *e, const struct err_kind *kind, const char *fmt, va_list ap)
{
    e->kind = kind;
    e->members = NULL;
    int n = vsnprintf(e->detail, sizeof e->detail, fmt, ap);
    if (n >= (int)sizeof e->detail)
        cut_at_character(e->detail, sizeof e->detail - 1);
}

bool fail(struct err *e, const struct err_kind *kind, const char *fmt, ...)
{
    if (!e)
        return false;
    va_list ap;
    va_start(ap, fmt);
    fill(e, kind, fmt, ap);
    va_end(ap);
    return false;
}

bool fail_errno(struct err *e, const struct err_kind *kind, const char *fmt, ...)
{
    if (!e)
        return false;
    int why = errno;
    va_list ap;
    va_start(ap, fmt);
    fill(e, kind, fmt, ap);
    va_end(ap);
    char reason[128];
    const char *text = strerror_r(why, reason, sizeof reason); /* the GNU one, which returns text */
    size_t len = strlen(e->detail);
    int n = snprintf(e->detail + len, sizeof e->detail - len, ": %s", text);
    if (n >= (int)(sizeof e->detail - len))
        cut_at_character(e->detail, sizeof e->detail - 1);
    return false;
}
