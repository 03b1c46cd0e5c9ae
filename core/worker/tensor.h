/* tensor: elements of the Open Inference Protocol's datatypes. Room: worker. Threads: pure, [any].
 */
#ifndef PADDOCK_WORKER_TENSOR_H
#define PADDOCK_WORKER_TENSOR_H

#include <paddock/plugin.h>

/* Bytes of one element; 0 for an unknown datatype. */
size_t tensor_element_size(uint32_t datatype);
/* Elements of a shape into `*n`; false if an extent is negative or the product overflows. */
bool tensor_count(const int64_t *shape, uint32_t rank, size_t *n);
/* Element `index` as double; NAN for BYTES and beyond the end. */
double tensor_element(const paddock_tensor *tensor, size_t index);
/* Store a number as element `index`: rounded and clamped for integers (NAN gives 0), truth for
 * BOOL. Nothing for BYTES. */
void tensor_store(void *data, uint32_t datatype, size_t index, double value);

double half_to_double(uint16_t half);
uint16_t double_to_half(double value); /* nearest, ties to even */

#endif
