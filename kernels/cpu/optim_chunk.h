#pragma once
// A parameter, its gradient and its states a chunk at a time: views into the arrays where they are fp32 and whole
// vectors long, copies in L1 otherwise.

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "qzo/kernels/optim_state.h"
#include "qzo/kernels/optim_step.h"

#include "cpu/optim_variant.h"

namespace qzo::kernels {

const OptimVariant& active_optim();

// What the words of the generator are for; 0 is the noise of probes.
enum class RoundingPurpose : std::uint32_t { kWeights = 1, kFirstMoment = 2, kSecondMoment = 3 };

using ChunkFloats = std::array<float, kOptimChunk>;

// Elements [first, first + count) of tensor `tensor` of a list.
struct Piece {
  std::size_t tensor = 0;
  std::int64_t first = 0;
  std::int64_t count = 0;
};
inline constexpr std::int64_t kPiece = std::int64_t{1} << 17;  // elements: some hundred microseconds
void add_pieces(std::size_t tensor, std::int64_t count, std::vector<Piece>& pieces);

// body(piece index, piece) for all pieces, in parallel.
void for_each_piece(std::span<const Piece> pieces, const std::function<void(std::size_t, const Piece&)>& body);

// body(first, count) for the chunks of a piece.
template <class Body>
void for_each_chunk(const Piece& piece, const Body& body) {
  const std::int64_t end = piece.first + piece.count;
  for (std::int64_t first = piece.first; first < end; first += kOptimChunk)
    body(first, end - first < kOptimChunk ? end - first : kOptimChunk);
}

class GradientChunk {
 public:
  GradientChunk(const ParameterView& parameter, std::int64_t first, std::int64_t count);
  GradientChunk(const GradientChunk&) = delete;
  GradientChunk& operator=(const GradientChunk&) = delete;
  [[nodiscard]] const float* data() const { return data_; }

 private:
  alignas(64) ChunkFloats buffer_;
  const float* data_;
};

class WeightChunk {
 public:
  WeightChunk(const ParameterView& parameter, std::int64_t first, std::int64_t count);
  WeightChunk(const WeightChunk&) = delete;
  WeightChunk& operator=(const WeightChunk&) = delete;
  [[nodiscard]] float* data() { return data_; }
  void write_back(const StepRounding& rounding) const;

 private:
  const ParameterView& parameter_;
  std::int64_t first_, count_;
  alignas(64) ChunkFloats buffer_;
  float* data_;
};

// Codes and scales of elements [first, first + count) of a quantized state; rank-1 scales are left to the caller.
CodeChunk code_chunk(const StateView& state, std::int64_t first, std::int64_t count);

// A state, decoded. Rank-1 states are decoded with the scales they have and encoded with `raised` ones.
class StateChunk {
 public:
  StateChunk(const StateView& state, std::int64_t first, std::int64_t count);
  StateChunk(const StateChunk&) = delete;
  StateChunk& operator=(const StateChunk&) = delete;
  [[nodiscard]] float* data() { return data_; }
  void load();
  // `raised`: scales of a rank-1 state, null otherwise.
  void encode(const float* raised, RoundingKey key, std::uint32_t tensor, RoundingPurpose purpose);

 private:
  const StateView& state_;
  std::int64_t first_, count_;
  alignas(64) ChunkFloats buffer_;
  alignas(64) ChunkFloats scales_;
  CodeChunk codes_;
  float* data_ = nullptr;
};

}  // namespace qzo::kernels
