#include "cli/cli.h"

#include "api/openapi.h"

#include <stdio.h>
#include <stdlib.h>

int cli_openapi(int argc, char **argv)
{
    (void)argv;
    if (argc > 0) {
        fputs("usage: paddock openapi\n", stderr);
        return 2;
    }
    size_t len;
    char *text = openapi_render(&len);
    bool written = fwrite(text, 1, len, stdout) == len && fflush(stdout) == 0;
    free(text);
    return written ? 0 : 1;
}
