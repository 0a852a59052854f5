/* ReLU and dropout in one pass: out = max(x, 0) * scale where the element's byte is below `keep`, else 0.

   Element by element the operations of the reference path in Python, so that bits are the same; what is no number
   stays none. */
#include <stdint.h>
#include <string.h>

void relu_dropout_floats(const float *x, const uint8_t *byte, float *out, int64_t count, int64_t keep, float scale)
{
    const uint8_t last = (uint8_t)(keep - 1);
    for (int64_t i = 0; i < count; i++) {
        float positive = x[i] <= 0 ? 0 : x[i];
        out[i] = positive * (byte[i] <= last ? 1.0f : 0.0f) * scale;
    }
}

/* bfloat16 is the upper half of a float32; rounding is to the nearest, of two equally near to the even one. */
void relu_dropout_bfloats(
    const uint16_t *x, const uint8_t *byte, uint16_t *out, int64_t count, int64_t keep, float scale)
{
    const uint8_t last = (uint8_t)(keep - 1);
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)x[i] << 16;
        float value;
        memcpy(&value, &bits, sizeof value);
        float positive = value <= 0 ? 0 : value;
        float result = positive * (byte[i] <= last ? 1.0f : 0.0f) * scale;
        memcpy(&bits, &result, sizeof bits);
        uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
        out[i] = (uint16_t)(result != result ? 0x7FC0 : rounded);
    }
}
