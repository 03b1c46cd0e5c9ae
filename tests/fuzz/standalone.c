/* Runs a fuzzer's entry point once over each file given, or each file in a folder given: how the
 * corpus becomes a test in builds without libFuzzer. A folder that is missing counts as one empty
 * input. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(1);
    }
    size_t len = 0, cap = 4096, n;
    uint8_t *data = malloc(cap);
    while (data && (n = fread(data + len, 1, cap - len, f)) > 0) {
        len += n;
        if (len == cap)
            data = realloc(data, cap *= 2);
    }
    fclose(f);
    if (!data)
        abort();
    printf("%s (%zu bytes)\n", path, len);
    fflush(stdout);
    uint8_t *exact = malloc(len ? len : 1); /* so that a sanitizer sees a read past the end */
    if (!exact)
        abort();
    memcpy(exact, data, len);
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    free(data);
}

static void run(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir && errno == ENOENT) {
        uint8_t nothing = 0;
        LLVMFuzzerTestOneInput(&nothing, 0);
        return;
    }
    if (!dir) {
        run_file(path);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        char file[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        run_file(file);
    }
    closedir(dir);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        run(argv[i]);
    return 0;
}
