/* openapi_check: does docs/openapi.json announce what a server answered? */
#ifndef PADDOCK_TESTS_SUPPORT_OPENAPI_CHECK_H
#define PADDOCK_TESTS_SUPPORT_OPENAPI_CHECK_H

#include <jansson.h>
#include <stdbool.h>

/* Read docs/openapi.json below PADDOCK_SOURCE; NULL if it cannot be read. */
json_t *openapi_read(void);
/* Is the status, and with it the problem's code (NULL: none), among the responses of the operation
 * that `method` and `target` lead to? True for what HTTP itself refuses on any path, and where no
 * operation is. */
bool openapi_announces(const json_t *document, const char *method, const char *target, int status,
                       const char *code);

#endif
