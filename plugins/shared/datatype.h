/* datatype: the thirteen datatypes of the Open Inference Protocol: names, sizes, ranges.
 * Plugin code, shared by compiling it in. Threads: pure, [any]. */
#ifndef PADDOCK_PLUGINS_DATATYPE_H
#define PADDOCK_PLUGINS_DATATYPE_H

#include <paddock/plugin.h>

/* "FP32"; "?" for a value that is none. */
const char *datatype_name(uint32_t datatype);
/* PADDOCK_FP32 ...; 0 if no datatype has this name. */
uint32_t datatype_by_name(const char *name);
/* Bytes of one element. */
size_t datatype_size(uint32_t datatype);
/* The names, ended by NULL, for the choices of a configuration field. */
extern const char *const DATATYPE_NAMES[];

/* Store a number as element `index`. False, with nothing stored, if it is no value of the type: out
 * of range, a fraction for an integer, anything for BYTES. What a float type cannot hold exactly is
 * rounded to the nearest; NAN and infinity are values of the float types. */
bool datatype_store(void *data, uint32_t datatype, size_t index, double number);
/* The same without the way over a double, exact for all of int64_t. */
bool datatype_store_integer(void *data, uint32_t datatype, size_t index, int64_t number);

/* IEEE 754 binary16, rounded to nearest, ties to even; infinity from 65520 up. */
uint16_t half_from_double(double number);
double half_to_double(uint16_t half);

/* The product of a shape: false if an extent is negative, or it exceeds `max`. */
bool shape_count(const int64_t *shape, uint32_t rank, size_t max, size_t *count);
/* "[3,2]" into `text`, cut where it does not fit. Returns `text`. */
const char *shape_text(const int64_t *shape, uint32_t rank, char *text, size_t size);

#endif
