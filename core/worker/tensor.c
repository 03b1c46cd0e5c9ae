#include "worker/tensor.h"

#include <math.h>

size_t tensor_element_size(uint32_t datatype)
{
    static const uint8_t sizes[] = {
        [PADDOCK_BOOL] = 1,
        [PADDOCK_UINT8] = 1,
        [PADDOCK_UINT16] = 2,
        [PADDOCK_UINT32] = 4,
        [PADDOCK_UINT64] = 8,
        [PADDOCK_INT8] = 1,
        [PADDOCK_INT16] = 2,
        [PADDOCK_INT32] = 4,
        [PADDOCK_INT64] = 8,
        [PADDOCK_FP16] = 2,
        [PADDOCK_FP32] = 4,
        [PADDOCK_FP64] = 8,
        [PADDOCK_BYTES] = sizeof(paddock_bytes),
    };
    return datatype < sizeof sizes ? sizes[datatype] : 0;
}

bool tensor_count(const int64_t *shape, uint32_t rank, size_t *n)
{
    *n = 1;
    if (rank > PADDOCK_MAX_RANK)
        return false;
    for (uint32_t i = 0; i < rank; i++)
        if (shape[i] < 0 || __builtin_mul_overflow(*n, (size_t)shape[i], n))
            return false;
    return true;
}

double half_to_double(uint16_t half)
{
    int exponent = half >> 10 & 31;
    double fraction = half & 1023;
    double value;
    if (exponent == 31)
        value = fraction != 0 ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        value = ldexp(fraction, -24);
    else
        value = ldexp(fraction + 1024, exponent - 25);
    return half >> 15 ? -value : value;
}

uint16_t double_to_half(double value)
{
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    double size = fabs(value);
    if (isnan(value))
        return 0x7e00;
    if (size >= 65520) /* rounds to 2^16 */
        return sign | 0x7c00;
    if (size < 0x1p-14) /* subnormal: units of 2^-24 */
        return sign | (uint16_t)nearbyint(ldexp(size, 24));
    int exponent;
    (void)frexp(size, &exponent);
    /* 1.fraction in units of 2^-10; a carry goes into the exponent by itself. */
    double units = nearbyint(ldexp(size, 11 - exponent));
    return sign | (uint16_t)(((exponent + 14) << 10) + (int)units - 1024);
}

double tensor_element(const paddock_tensor *t, size_t i)
{
    if (!t || !t->data || i >= t->count)
        return NAN;
    switch (t->datatype) {
    case PADDOCK_BOOL:
    case PADDOCK_UINT8: return ((const uint8_t *)t->data)[i];
    case PADDOCK_UINT16: return ((const uint16_t *)t->data)[i];
    case PADDOCK_UINT32: return ((const uint32_t *)t->data)[i];
    case PADDOCK_UINT64: return (double)((const uint64_t *)t->data)[i];
    case PADDOCK_INT8: return ((const int8_t *)t->data)[i];
    case PADDOCK_INT16: return ((const int16_t *)t->data)[i];
    case PADDOCK_INT32: return ((const int32_t *)t->data)[i];
    case PADDOCK_INT64: return (double)((const int64_t *)t->data)[i];
    case PADDOCK_FP16: return half_to_double(((const uint16_t *)t->data)[i]);
    case PADDOCK_FP32: return (double)((const float *)t->data)[i];
    case PADDOCK_FP64: return ((const double *)t->data)[i];
    default: return NAN;
    }
}

static double clamp(double value, double low, double high)
{
    if (isnan(value))
        return 0;
    value = nearbyint(value);
    return value < low ? low : value > high ? high : value;
}

void tensor_store(void *data, uint32_t datatype, size_t i, double v)
{
    switch (datatype) {
    case PADDOCK_BOOL: ((uint8_t *)data)[i] = v != 0 && !isnan(v); break;
    case PADDOCK_UINT8: ((uint8_t *)data)[i] = (uint8_t)clamp(v, 0, UINT8_MAX); break;
    case PADDOCK_UINT16: ((uint16_t *)data)[i] = (uint16_t)clamp(v, 0, UINT16_MAX); break;
    case PADDOCK_UINT32: ((uint32_t *)data)[i] = (uint32_t)clamp(v, 0, UINT32_MAX); break;
    case PADDOCK_UINT64: /* the largest double below 2^64 */
        ((uint64_t *)data)[i] = (uint64_t)clamp(v, 0, 18446744073709549568.0);
        break;
    case PADDOCK_INT8: ((int8_t *)data)[i] = (int8_t)clamp(v, INT8_MIN, INT8_MAX); break;
    case PADDOCK_INT16: ((int16_t *)data)[i] = (int16_t)clamp(v, INT16_MIN, INT16_MAX); break;
    case PADDOCK_INT32: ((int32_t *)data)[i] = (int32_t)clamp(v, INT32_MIN, INT32_MAX); break;
    case PADDOCK_INT64: /* the largest double below 2^63 */
        ((int64_t *)data)[i] = (int64_t)clamp(v, (double)INT64_MIN, 9223372036854774784.0);
        break;
    case PADDOCK_FP16: ((uint16_t *)data)[i] = double_to_half(v); break;
    case PADDOCK_FP32: ((float *)data)[i] = (float)v; break;
    case PADDOCK_FP64: ((double *)data)[i] = v; break;
    default: break;
    }
}
