#include "qzo/kernels/transformer.h"

#include "cpu/variant.h"

namespace qzo::kernels {

void rms_norm(const float* x, const float* weight, float eps, std::int64_t rows, std::int64_t width, float* out) {
  active_variant().rms_norm(x, weight, eps, rows, width, out);
}

void layer_norm(const float* x, const float* weight, const float* bias, float eps, std::int64_t rows,
                std::int64_t width, float* out) {
  active_variant().layer_norm(x, weight, bias, eps, rows, width, out);
}

// rope, add and scale are separate multiplications and additions: any instruction set gives the same bits.
void rope(float* x, std::int64_t ld, std::int64_t rows, std::int64_t heads, std::int64_t head_dim, std::int64_t half,
          const std::int32_t* positions, const float* cosine, const float* sine, RopePairing pairing) {
  const bool interleaved = pairing == RopePairing::kInterleaved;
  const std::int64_t stride = interleaved ? 2 : 1;
  const std::int64_t partner = interleaved ? 1 : half;
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* c = cosine + positions[row] * half;
    const float* s = sine + positions[row] * half;
    for (std::int64_t head = 0; head < heads; ++head) {
      float* first = x + row * ld + head * head_dim;
      float* second = first + partner;
      for (std::int64_t i = 0; i < half; ++i) {
        const float a = first[i * stride];
        const float b = second[i * stride];
        first[i * stride] = a * c[i] - b * s[i];
        second[i * stride] = b * c[i] + a * s[i];
      }
    }
  }
}

void activate(Activation f, float* x, const float* factor, std::int64_t count) {
  active_variant().activate(f, x, factor, count);
}

void soft_cap(float* x, float cap, std::int64_t count) { active_variant().soft_cap(x, cap, count); }

void add(float* a, const float* b, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) a[i] += b[i];
}

void scale(float* x, float factor, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) x[i] *= factor;
}

void attention_row(const float* q, const float* k, const float* v, std::int64_t ldkv, std::span<const RowRange> visible,
                   const AttentionHeads& heads, float* scratch, float* out) {
  active_variant().attention_row(
      {q, k, v, ldkv, visible.data(), static_cast<std::int64_t>(visible.size()), heads, scratch, out});
}

float log_sum_exp(const float* x, std::int64_t count) { return active_variant().log_sum_exp(x, count); }

}  // namespace qzo::kernels
