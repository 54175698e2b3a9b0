#pragma once
// What stands between the matrix products of a decoder layer, fp32, row-wise: norms, rotary embedding, SwiGLU,
// attention. Every row's result depends only on that row (attention: on the rows it sees), in a fixed order: same bits
// for any thread count and packing. exp is our own polynomial, so the bits do not depend on libm.

#include <cstdint>
#include <span>
#include <vector>

namespace qzo::kernels {

// out[r,:] = x[r,:] / sqrt(mean(x[r,:]^2) + eps) * weight. x, out: [rows, width]; may be the same memory. The squares
// are summed in fp32, in sixteen interleaved chains.
void rms_norm(const float* x, const float* weight, float eps, std::int64_t rows, std::int64_t width, float* out);

enum class RopePairing : std::uint8_t {
  kHalf,         // element i with i + head_dim/2 (Hugging Face order)
  kInterleaved,  // element 2i with 2i + 1 (rows of q and k as GGUF files of the Llama family have them)
};

// Rotates each head of x [rows, heads * head_dim] (row stride ld) in place. cosine, sine: [positions, head_dim/2];
// position of row r: positions[r].
void rope(float* x, std::int64_t ld, std::int64_t rows, std::int64_t heads, std::int64_t head_dim,
          const std::int32_t* positions, const float* cosine, const float* sine, RopePairing pairing);

// gate[i] = silu(gate[i]) * up[i]
void swiglu(float* gate, const float* up, std::int64_t count);

// a[i] += b[i]
void add(float* a, const float* b, std::int64_t count);

// Keys that a query row sees: consecutive ranges [begin, end) of rows, in ascending order, the last one ending with the
// query itself (causal).
struct RowRange {
  std::int64_t begin;
  std::int64_t end;
};

// One query row, all heads: out [heads * head_dim] = softmax(q k^T / sqrt(head_dim)) v, grouped-query.
// q [heads * head_dim]; k, v: row r at k + r * ldkv, [kv_heads * head_dim]. scratch: one float per visible key.
void attention_row(const float* q, const float* k, const float* v, std::int64_t ldkv, std::span<const RowRange> visible,
                   std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim, float* scratch, float* out);

// log(sum(exp(x))), the maximum taken out; fixed order. NaN if x holds a NaN or +inf, or nothing but -inf.
float log_sum_exp(const float* x, std::int64_t count);

}  // namespace qzo::kernels
