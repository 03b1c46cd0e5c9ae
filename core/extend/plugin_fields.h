/* plugin_fields: the table by which a plugin describes its configuration, on the host's side.
 * Room: extend. Threads: pure, [any].
 *
 * The worker turns a plugin's table into text (describe), the server reads that text back (parse)
 * without ever loading the plugin; both check instances by the same code. */
#ifndef PADDOCK_EXTEND_PLUGIN_FIELDS_H
#define PADDOCK_EXTEND_PLUGIN_FIELDS_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/fault.h"

#include <paddock/plugin.h>
#include <jansson.h>

#define PLUGIN_FIELDS_MAX   100 /* rows of one table */
#define PLUGIN_FIELDS_DEPTH 6   /* tables within tables */

/* Is the table itself right: names, types, ranges, presets that fit? A NULL table is. ERR_INVALID
 * says what is wrong. */
bool plugin_fields_valid(const paddock_field *table, struct err *e) MUST_CHECK;

/* Append the table as a JSON array of {"name","type","flags",...}; a NULL table is []. */
void plugin_fields_describe(const paddock_field *table, struct bytes *out);

/* The reverse, into `a`. NULL with ERR_INVALID if it is no description. */
const paddock_field *plugin_fields_parse(const json_t *description, struct arena *a, struct err *e)
    MUST_CHECK;

/* Append the JSON Schema (draft 2020-12) of an instance as a client gives it. */
void plugin_fields_schema(const paddock_field *table, struct bytes *out);

/* Who gave the instance that is checked. */
enum plugin_config_source {
    CONFIG_FROM_BODY,   /* a client: PADDOCK_SERVER fields are refused */
    CONFIG_FROM_SERVER, /* the server has put its own fields in */
};

/* Check an instance (NULL: {}), adding faults below `pointer`, and return a new object with all
 * presets filled in; NULL if a fault was added. */
json_t *plugin_fields_check(const paddock_field *table, const json_t *config, const char *pointer,
                            enum plugin_config_source source, struct faults *f) MUST_CHECK;

#endif
