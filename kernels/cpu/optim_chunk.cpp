#include "cpu/optim_chunk.h"

#include <algorithm>
#include <cstring>

#include "qzo/core/check.h"
#include "qzo/core/thread_pool.h"

#include "cpu/noise.h"
#include "cpu/optim_rank1.h"
#include "cpu/select.h"

namespace qzo::kernels {
namespace {

constexpr std::int64_t kVector = 16;

bool whole_vectors(std::int64_t count) { return count % kVector == 0; }

void pad(ChunkFloats& buffer, std::int64_t count) {
  const auto begin = buffer.begin() + count;
  std::fill(begin, begin + (kVector - count % kVector) % kVector, 0.0F);
}

// The words of a chunk; it begins at a multiple of four elements.
void random_words(RoundingKey key, std::uint32_t tensor, RoundingPurpose purpose, std::int64_t first,
                  std::int64_t count, std::uint32_t* out) {
  const NoiseStream stream{static_cast<std::uint32_t>(key.seed), key.step, static_cast<std::uint32_t>(purpose) << 16,
                           tensor, static_cast<std::uint32_t>(key.seed >> 32)};
  const auto& noise = select(noise_portable, noise_avx2, noise_avx512);
  noise.fill_words(stream, static_cast<std::uint64_t>(first) / 4, (count + 3) / 4, out);
}

// The array itself if it is fp32 and `count` is whole vectors; otherwise the buffer, filled and padded.
template <class Pointer>
Pointer staged(core::Dtype dtype, Pointer array, std::int64_t first, std::int64_t count, ChunkFloats& buffer) {
  if (dtype == core::Dtype::kF32 && whole_vectors(count)) return array + first;
  if (dtype == core::Dtype::kF32) {
    std::copy_n(array + first, count, buffer.begin());
  } else {
    QZO_CHECK(dtype == core::Dtype::kBF16, "dtype ", core::dtype_info(dtype).name);
    active_optim().widen(reinterpret_cast<const std::uint16_t*>(array) + first, count, buffer.data());
  }
  pad(buffer, count);
  return buffer.data();
}

}  // namespace

const OptimVariant& active_optim() { return select(optim_portable, optim_avx2, optim_avx512); }

void add_pieces(std::size_t tensor, std::int64_t count, std::vector<Piece>& pieces) {
  for (std::int64_t first = 0; first < count; first += kPiece)
    pieces.push_back({tensor, first, std::min(kPiece, count - first)});
}

void for_each_piece(std::span<const Piece> pieces, const std::function<void(std::size_t, const Piece&)>& body) {
  core::parallel_for(static_cast<std::int64_t>(pieces.size()), [&](std::int64_t index, int) {
    const auto i = static_cast<std::size_t>(index);
    body(i, pieces[i]);
  });
}

GradientChunk::GradientChunk(const ParameterView& parameter, std::int64_t first, std::int64_t count)
    : data_(staged(parameter.gradient_dtype, static_cast<const float*>(parameter.gradient), first, count, buffer_)) {}

WeightChunk::WeightChunk(const ParameterView& parameter, std::int64_t first, std::int64_t count)
    : parameter_(parameter),
      first_(first),
      count_(count),
      data_(staged(parameter.dtype, static_cast<float*>(parameter.values), first, count, buffer_)) {}

void WeightChunk::write_back(const StepRounding& rounding) const {
  if (data_ != buffer_.data()) return;
  if (parameter_.dtype == core::Dtype::kF32) {
    std::copy_n(buffer_.begin(), count_, static_cast<float*>(parameter_.values) + first_);
    return;
  }
  alignas(64) std::array<std::uint32_t, kOptimChunk> words;
  if (rounding.stochastic_weights)
    random_words(rounding.key, parameter_.id, RoundingPurpose::kWeights, first_, count_, words.data());
  active_optim().narrow(buffer_.data(), count_, rounding.stochastic_weights ? words.data() : nullptr,
                        static_cast<std::uint16_t*>(parameter_.values) + first_);
}

CodeChunk code_chunk(const StateView& state, std::int64_t first, std::int64_t count) {
  CodeChunk chunk;
  chunk.book = &code_book(state.codec.table, state.codec.bits);
  chunk.codes = state.codes + (state.codec.bits == 8 ? first : first / 2);
  chunk.count = count;
  chunk.grid = state.rounding == StateRounding::kGrid;
  if (!is_rank1(state)) {
    chunk.block = state.codec.block;
    chunk.block_scales = state.scales + first / state.codec.block;
  }
  return chunk;
}

StateChunk::StateChunk(const StateView& state, std::int64_t first, std::int64_t count)
    : state_(state), first_(first), count_(count) {
  data_ = buffer_.data();
  if (state.codec.bits == 32) {
    data_ = staged(core::Dtype::kF32, state.values, first, count, buffer_);
    return;
  }
  codes_ = code_chunk(state, first, count);
  if (is_rank1(state)) codes_.scales = scales_.data();
}

void StateChunk::load() {
  if (codes_.book == nullptr) return;
  if (codes_.scales != nullptr) rank1_scales(state_.shape, state_.scales, first_, count_, scales_.data());
  active_optim().decode(codes_, buffer_.data());
}

void StateChunk::encode(const float* raised, RoundingKey key, std::uint32_t tensor, RoundingPurpose purpose) {
  if (codes_.book == nullptr) {
    if (data_ == buffer_.data()) std::copy_n(buffer_.begin(), count_, state_.values + first_);
    return;
  }
  QZO_CHECK((codes_.scales != nullptr) == (raised != nullptr));
  if (raised != nullptr) rank1_scales(state_.shape, raised, first_, count_, scales_.data());
  alignas(64) std::array<std::uint32_t, kOptimChunk> words;
  codes_.words = nullptr;
  if (state_.rounding == StateRounding::kStochastic) {
    random_words(key, tensor, purpose, first_, count_, words.data());
    codes_.words = words.data();
  }
  active_optim().encode(codes_, data_);
}

}  // namespace qzo::kernels
