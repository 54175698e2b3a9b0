#include "qzo/kernels/quant_matmul.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "cpu/variant.h"

namespace qzo::kernels {
namespace {

// A piece is kPiecePanels panels wide; x is walked kRowBlock rows at a time, so that a block of x (102 KiB) is read
// from L2 by all panels of the piece while one panel (16 KiB) stays in L1.
constexpr std::int64_t kPiecePanels = 8;
constexpr std::int64_t kRowBlock = 96;
constexpr std::int64_t kPanelFloats = kDepth * kPanel;
// Rows of the block are copied to this distance: where x is a multiple of 1024 wide, the rows of a tile would share one
// line of L1.
constexpr std::int64_t kRowStride = kDepth + 16;

struct Scratch {
  alignas(64) std::array<float, kPiecePanels * kPanelFloats> panels;
  alignas(64) std::array<float, kRowBlock * kRowStride> x;
};

struct Piece {
  std::int64_t first_panel;
  std::int64_t panels;
};

// Rows [begin, end) of one sign against the unpacked panels of inputs [k, k + depth).
void multiply_rows(const MatmulProblem& problem, const Piece& piece, std::int64_t k, std::int64_t depth,
                   Scratch& scratch, std::int64_t begin, std::int64_t end) {
  const Variant& variant = active_variant();
  const bool last = k + depth == problem.weight.in;
  for (std::int64_t row = begin; row < end; row += kRowBlock) {
    const std::int64_t rows = std::min(kRowBlock, end - row);
    for (std::int64_t r = 0; r < rows; ++r)
      std::copy_n(problem.x + (row + r) * problem.ldx + k, depth, scratch.x.data() + r * kRowStride);
    for (std::int64_t p = 0; p < piece.panels; ++p) {
      const std::int64_t column = (piece.first_panel + p) * kPanel;
      const std::int64_t columns = std::min(kPanel, problem.weight.out - column);
      alignas(64) std::array<float, kPanel> bias{};
      const bool add_bias = last && problem.bias != nullptr;
      if (add_bias) std::copy_n(problem.bias + column, columns, bias.begin());
      variant.multiply({.x = scratch.x.data(),
                        .ldx = kRowStride,
                        .rows = rows,
                        .panel = scratch.panels.data() + p * kPanelFloats,
                        .depth = depth,
                        .y = problem.y + row * problem.ldy + column,
                        .ldy = problem.ldy,
                        .columns = columns,
                        .starts_chain = k == 0,
                        .bias = add_bias ? bias.data() : nullptr});
    }
  }
}

std::int64_t panels_of(const CodeView& weight) { return (weight.out + kPanel - 1) / kPanel; }

}  // namespace

std::int64_t matmul_pieces(const CodeView& weight) { return (panels_of(weight) + kPiecePanels - 1) / kPiecePanels; }

std::size_t matmul_scratch_bytes(const CodeView&) { return sizeof(Scratch); }

void quant_matmul_piece(const MatmulProblem& problem, std::int64_t piece_index, void* memory) {
  const CodeView& weight = problem.weight;
  const Variant& variant = active_variant();
  const std::int64_t first = piece_index * kPiecePanels;
  const Piece piece{first, std::min(kPiecePanels, panels_of(weight) - first)};
  auto& scratch = *static_cast<Scratch*>(memory);
  const auto walk = [&](const ScaleView& scale, std::int64_t k, std::int64_t begin, std::int64_t end) {
    if (begin == end) return;
    const std::int64_t depth = std::min(kDepth, weight.in - k);
    for (std::int64_t p = 0; p < piece.panels; ++p) {
      const std::int64_t row = (piece.first_panel + p) * kPanel;
      variant.unpack_panel(weight, scale, {row, std::min(kPanel, weight.out - row), k, depth},
                           scratch.panels.data() + p * kPanelFloats);
    }
    multiply_rows(problem, piece, k, depth, scratch, begin, end);
  };
  for (std::int64_t k = 0; k < weight.in; k += kDepth) {
    walk(problem.plus, k, 0, problem.split);
    walk(problem.minus, k, problem.split, problem.rows);
  }
}

void dequantize_rows(const CodeView& weight, const ScaleView& scale, std::int64_t first, std::int64_t count,
                     float* out) {
  alignas(64) std::array<float, kPanelFloats> panel;
  const Variant& variant = active_variant();
  for (std::int64_t done = 0; done < count; done += kPanel) {
    const std::int64_t rows = std::min(kPanel, count - done);
    for (std::int64_t k = 0; k < weight.in; k += kDepth) {
      const std::int64_t depth = std::min(kDepth, weight.in - k);
      variant.unpack_panel(weight, scale, {first + done, rows, k, depth}, panel.data());
      for (std::int64_t row = 0; row < rows; ++row) {
        float* target = out + (done + row) * weight.in + k;
        for (std::int64_t i = 0; i < depth; ++i) target[i] = panel[static_cast<std::size_t>(i * kPanel + row)];
      }
    }
  }
}

}  // namespace qzo::kernels
