#include "datatype.h"

#include <float.h>
#include <stdio.h>

/* Bounds are inclusive. Those of the 64-bit types are the nearest doubles inside; those of the
 * short floats are the last ones that are rounded to a finite value. */
static const struct {
    size_t size;
    double min, max;
} TYPES[] = {
    [PADDOCK_BOOL] = {1, 0, 1},
    [PADDOCK_UINT8] = {1, 0, UINT8_MAX},
    [PADDOCK_UINT16] = {2, 0, UINT16_MAX},
    [PADDOCK_UINT32] = {4, 0, UINT32_MAX},
    [PADDOCK_UINT64] = {8, 0, 0x1.fffffffffffffp63},
    [PADDOCK_INT8] = {1, INT8_MIN, INT8_MAX},
    [PADDOCK_INT16] = {2, INT16_MIN, INT16_MAX},
    [PADDOCK_INT32] = {4, INT32_MIN, INT32_MAX},
    [PADDOCK_INT64] = {8, -0x1p63, 0x1.fffffffffffffp62},
    [PADDOCK_FP16] = {2, -0x1.ffdffffffffffp15, 0x1.ffdffffffffffp15},
    [PADDOCK_FP32] = {4, -0x1.fffffefffffffp127, 0x1.fffffefffffffp127},
    [PADDOCK_FP64] = {8, -DBL_MAX, DBL_MAX},
    [PADDOCK_BYTES] = {sizeof(paddock_bytes), 0, 0},
};

const char *const DATATYPE_NAMES[] = {"BOOL", "UINT8", "UINT16", "UINT32", "UINT64",
                                      "INT8", "INT16", "INT32",  "INT64",  "FP16",
                                      "FP32", "FP64",  "BYTES",  NULL};

const char *datatype_name(uint32_t datatype)
{
    return datatype >= PADDOCK_BOOL && datatype <= PADDOCK_BYTES ? DATATYPE_NAMES[datatype - 1]
                                                                 : "?";
}

uint32_t datatype_by_name(const char *name)
{
    for (uint32_t i = 0; name && DATATYPE_NAMES[i]; i++)
        if (strcmp(DATATYPE_NAMES[i], name) == 0)
            return i + 1;
    return 0;
}

size_t datatype_size(uint32_t datatype)
{
    return datatype >= PADDOCK_BOOL && datatype <= PADDOCK_BYTES ? TYPES[datatype].size : 0;
}

uint16_t half_from_double(double number)
{
    uint16_t sign = signbit(number) ? 0x8000 : 0;
    double a = fabs(number);
    if (isnan(a))
        return sign | 0x7e00;
    if (a >= 65520)
        return sign | 0x7c00;
    if (a < 0x1p-14) /* subnormal; 1024 of them make the smallest normal */
        return (uint16_t)(sign + (uint16_t)rint(a * 0x1p24));
    int exponent = ilogb(a);
    /* The rounding may carry into the exponent, as it should. */
    return (uint16_t)(sign + ((exponent + 15) << 10) + (int)rint(ldexp(a, 10 - exponent)) - 1024);
}

double half_to_double(uint16_t half)
{
    int exponent = half >> 10 & 31, mantissa = half & 1023;
    double a = exponent == 0    ? mantissa * 0x1p-24
               : exponent != 31 ? ldexp(1024 + mantissa, exponent - 25)
               : mantissa       ? (double)NAN
                                : (double)INFINITY;
    return half & 0x8000 ? -a : a;
}

bool datatype_store_integer(void *data, uint32_t datatype, size_t index, int64_t number)
{
    switch (datatype) {
    case PADDOCK_INT64: ((int64_t *)data)[index] = number; return true;
    case PADDOCK_UINT64:
        if (number < 0)
            return false;
        ((uint64_t *)data)[index] = (uint64_t)number;
        return true;
    default: return datatype_store(data, datatype, index, (double)number);
    }
}

bool datatype_store(void *data, uint32_t datatype, size_t index, double number)
{
    if (datatype < PADDOCK_BOOL || datatype >= PADDOCK_BYTES)
        return false;
    bool inside = number >= TYPES[datatype].min && number <= TYPES[datatype].max;
    if (datatype < PADDOCK_FP16 ? !inside || number != trunc(number) : isfinite(number) && !inside)
        return false;
    switch (datatype) {
    case PADDOCK_BOOL:
    case PADDOCK_UINT8: ((uint8_t *)data)[index] = (uint8_t)number; break;
    case PADDOCK_UINT16: ((uint16_t *)data)[index] = (uint16_t)number; break;
    case PADDOCK_UINT32: ((uint32_t *)data)[index] = (uint32_t)number; break;
    case PADDOCK_UINT64: ((uint64_t *)data)[index] = (uint64_t)number; break;
    case PADDOCK_INT8: ((int8_t *)data)[index] = (int8_t)number; break;
    case PADDOCK_INT16: ((int16_t *)data)[index] = (int16_t)number; break;
    case PADDOCK_INT32: ((int32_t *)data)[index] = (int32_t)number; break;
    case PADDOCK_INT64: ((int64_t *)data)[index] = (int64_t)number; break;
    case PADDOCK_FP16: ((uint16_t *)data)[index] = half_from_double(number); break;
    case PADDOCK_FP32: ((float *)data)[index] = (float)number; break;
    default: ((double *)data)[index] = number; break;
    }
    return true;
}

bool shape_count(const int64_t *shape, uint32_t rank, size_t max, size_t *count)
{
    size_t n = 1;
    for (uint32_t i = 0; i < rank; i++) {
        if (shape[i] < 0 || (shape[i] > 0 && n > max / (uint64_t)shape[i]))
            return false;
        n *= (size_t)shape[i];
    }
    *count = n;
    return n <= max;
}

const char *shape_text(const int64_t *shape, uint32_t rank, char *text, size_t size)
{
    size_t len = 0;
    for (uint32_t i = 0; i < rank && len < size; i++)
        len +=
            (size_t)snprintf(text + len, size - len, "%s%lld", i ? "," : "[", (long long)shape[i]);
    if (len < size)
        snprintf(text + len, size - len, rank ? "]" : "[]");
    return text;
}
