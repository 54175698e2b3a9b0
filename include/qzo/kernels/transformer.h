#pragma once
// What stands between the matrix products of a decoder layer, fp32, row-wise: norms, rotary embedding, activations,
// attention. Every row's result depends only on that row (attention: on the rows it sees), in a fixed order: same bits
// for any thread count and packing. exp, tanh and erfc are our own polynomials, so the bits do not depend on libm.

#include <cstdint>
#include <span>
#include <vector>

namespace qzo::kernels {

// out[r,:] = x[r,:] / sqrt(mean(x[r,:]^2) + eps) * weight. x, out: [rows, width]; may be the same memory. The squares
// are summed in fp32, in sixteen interleaved chains.
void rms_norm(const float* x, const float* weight, float eps, std::int64_t rows, std::int64_t width, float* out);

// out[r,:] = (x[r,:] - mean) / sqrt(variance + eps) * weight + bias, mean and (biased) variance of row r, one after the
// other, summed as above. bias: [width], or null.
void layer_norm(const float* x, const float* weight, const float* bias, float eps, std::int64_t rows,
                std::int64_t width, float* out);

enum class RopePairing : std::uint8_t {
  kHalf,         // element i with i + half (Hugging Face order)
  kInterleaved,  // element 2i with 2i + 1 (rows of q and k as GGUF files of the Llama family have them)
};

// Rotates the first 2 * half elements of each head of x [rows, heads * head_dim] (row stride ld) in place; the rest of
// a head stays. cosine, sine: [positions, half]; position of row r: positions[r].
void rope(float* x, std::int64_t ld, std::int64_t rows, std::int64_t heads, std::int64_t head_dim, std::int64_t half,
          const std::int32_t* positions, const float* cosine, const float* sine, RopePairing pairing);

enum class Activation : std::uint8_t {
  kSilu,      // x sigmoid(x)
  kGeluTanh,  // x sigmoid(2 u), u = sqrt(2/pi) (x + 0.044715 x^3): "gelu_new", "gelu_pytorch_tanh"
  kGelu,      // x Phi(x), Phi the normal distribution function
  kRelu,      // max(x, 0)
};
// x[i] = f(x[i]) * factor[i]; factor null: x[i] = f(x[i]).
void activate(Activation f, float* x, const float* factor, std::int64_t count);

// x[i] = cap * tanh(x[i] / cap); cap > 0.
void soft_cap(float* x, float cap, std::int64_t count);

// a[i] += b[i]
void add(float* a, const float* b, std::int64_t count);

// x[i] *= factor
void scale(float* x, float factor, std::int64_t count);

struct AttentionHeads {
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;  // divides heads (grouped-query)
  std::int64_t head_dim = 0;
  float scale = 1;  // of q k^T; commonly 1 / sqrt(head_dim)
  float cap = 0;    // scaled scores -> cap * tanh(score / cap); 0: as they are
};

// Keys that a query row sees: consecutive ranges [begin, end) of rows, in ascending order, the last one ending with the
// query itself (causal).
struct RowRange {
  std::int64_t begin;
  std::int64_t end;
};

// One query row, all heads: out [heads * head_dim] = softmax(scores) v, scores = q k^T scaled and capped.
// q [heads * head_dim]; k, v: row r at k + r * ldkv, [kv_heads * head_dim]. scratch: one float per visible key.
void attention_row(const float* q, const float* k, const float* v, std::int64_t ldkv, std::span<const RowRange> visible,
                   const AttentionHeads& heads, float* scratch, float* out);

// log(sum(exp(x))), the maximum taken out; fixed order. NaN if x holds a NaN or +inf, or nothing but -inf.
float log_sum_exp(const float* x, std::int64_t count);

}  // namespace qzo::kernels
