// Whole tensors to codes and back.

#include <algorithm>
#include <cstring>

#include "qzo/core/check.h"
#include "qzo/kernels/optim_state.h"

#include "cpu/optim_chunk.h"
#include "cpu/optim_rank1.h"

namespace qzo::kernels {
namespace {

std::vector<Piece> pieces_of(const StateView& state, std::int64_t count) {
  QZO_CHECK(state.codec.bits != 32 || state.values != nullptr || count == 0);
  std::vector<Piece> pieces;
  add_pieces(0, count, pieces);
  return pieces;
}

}  // namespace

void decode_state(const StateView& state, float* out) {
  const std::vector<Piece> pieces = pieces_of(state, state_layout(state.codec, state.shape).elements);
  for_each_piece(pieces, [&](std::size_t, const Piece& piece) {
    for_each_chunk(piece, [&](std::int64_t first, std::int64_t count) {
      StateChunk chunk(state, first, count);
      chunk.load();
      std::copy_n(chunk.data(), count, out + first);
    });
  });
}

void encode_state(const StateView& state, const float* x, RoundingKey key, std::uint32_t tensor) {
  const StateLayout layout = state_layout(state.codec, state.shape);
  const std::vector<Piece> pieces = pieces_of(state, layout.elements);
  const bool rank1 = is_rank1(state);
  if (rank1) {
    std::fill_n(state.scales, layout.scales, 0.0F);
    for_each_piece(pieces, [&](std::size_t, const Piece& piece) {
      Rank1Raise raise(state.shape, state.scales, piece.first, piece.count);
      raise.add(piece.first, piece.count, x + piece.first);
      raise.finish();
    });
  }
  for_each_piece(pieces, [&](std::size_t, const Piece& piece) {
    for_each_chunk(piece, [&](std::int64_t first, std::int64_t count) {
      StateChunk chunk(state, first, count);
      std::copy_n(x + first, count, chunk.data());
      std::fill(chunk.data() + count, chunk.data() + (count + 15) / 16 * 16, 0.0F);
      chunk.encode(rank1 ? state.scales : nullptr, key, tensor, RoundingPurpose::kFirstMoment);
    });
  });
}

}  // namespace qzo::kernels
