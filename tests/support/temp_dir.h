/* temp_dir: a directory that a test has for itself, and removes. */
#ifndef PADDOCK_TESTS_TEMP_DIR_H
#define PADDOCK_TESTS_TEMP_DIR_H

#define TEMP_DIR_SIZE 64

/* Make one below TMPDIR (or /tmp); ends the program if that fails. */
void temp_dir_make(char dir[TEMP_DIR_SIZE]);
/* The same in memory where the machine has such a place: for tests that open many stores, and to
 * which the disk does not matter. */
void temp_dir_make_fast(char dir[TEMP_DIR_SIZE]);
void temp_dir_remove(const char *dir);

#endif
