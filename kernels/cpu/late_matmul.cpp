#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include <xmmintrin.h>

#include "cpu/late_variant.h"

namespace qzo::kernels {
namespace {

// Rows that walk through all panels of a piece together: their sums stay in L1, whatever the distance of rows in y (a
// power of two would map them to a few lines of every cache).
constexpr std::int64_t kRowBlock = 48;
// Panels of a piece that are unpacked at a time: half of a small L2.
constexpr std::int64_t kPanelBytes = std::int64_t{256} << 10;
constexpr std::int64_t kMostBlocks = kPanelBytes / (kBlockDepth * kPieceColumns);

constexpr std::int64_t round_up(std::int64_t value, std::int64_t to) { return (value + to - 1) / to * to; }

PlanView view_of(const ChunkPlan& plan) {
  return {.chunks = static_cast<std::int64_t>(plan.length.size()),
          .length = plan.length.data(),
          .group = plan.group.data(),
          .source = plan.source.empty() ? nullptr : plan.source.data()};
}

RowLayout layout_of(const CodeView& weight, const ChunkPlan& plan, LateInputs inputs) {
  const LateKernel& kernel = late_kernel(weight, inputs);
  const auto chunks = static_cast<std::int64_t>(plan.length.size());
  RowLayout layout{};
  layout.element = kernel.element;
  std::int64_t at = round_up(plan.depth * kernel.element, 64);
  layout.low = at;
  if (kernel.two_parts && kernel.element == 2) at += round_up(plan.depth * kernel.element, 64);
  layout.scales = at;
  if (inputs == LateInputs::kInt8) at += chunks * 4;
  layout.sums = at;
  if (shift_of(weight, inputs) != Shift::kNone) at += chunks * 4;
  layout.bytes = round_up(at, 64);
  return layout;
}

struct Block {
  std::int64_t first_chunk;
  std::int64_t chunks;
  std::int64_t begin;  // positions
  std::int64_t end;
};

struct Scratch {
  alignas(64) std::array<std::uint32_t, kBlockDepth / 4 * kMaxWidth> words;
  // [block][panel]: a panel is kBlockDepth positions of `width` columns.
  alignas(64) std::array<std::byte, kPanelBytes> panels;
  alignas(64) std::array<float, kRowBlock * kPieceColumns> sums;
  // [block][panel][chunk][width] for each sign.
  alignas(64) std::array<std::array<float, kMostBlocks * kBlockChunks * kPieceColumns>, 2> scales;
  alignas(64) std::array<std::array<float, kMostBlocks * kBlockChunks * kPieceColumns>, 2> offsets;
};

// out[j][i] = in[i][j], four by four.
void transpose4(const float* in, std::int64_t in_stride, float* out, std::int64_t out_stride) {
  __m128 a = _mm_loadu_ps(in), b = _mm_loadu_ps(in + in_stride);
  __m128 c = _mm_loadu_ps(in + 2 * in_stride), d = _mm_loadu_ps(in + 3 * in_stride);
  _MM_TRANSPOSE4_PS(a, b, c, d);
  _mm_storeu_ps(out, a);
  _mm_storeu_ps(out + out_stride, b);
  _mm_storeu_ps(out + 2 * out_stride, c);
  _mm_storeu_ps(out + 3 * out_stride, d);
}

// Narrow weights are cut finer: dividing rows among threads instead would unpack each panel once for every division.
std::int64_t piece_columns(const CodeView& weight) {
  return weight.out < 16 * kPieceColumns ? kPieceColumns / 2 : kPieceColumns;
}

class Piece {
 public:
  Piece(const LateProblem& problem, std::int64_t index, Scratch& scratch)
      : problem_(problem),
        kernel_(late_kernel(problem.weight, problem.inputs)),
        shift_(shift_of(problem.weight, problem.inputs)),
        layout_(layout_of(problem.weight, problem.plan, problem.inputs)),
        plan_(view_of(problem.plan)),
        width_(piece_columns(problem.weight)),
        first_column_(index * width_),
        columns_(std::min(width_, problem.weight.out - first_column_)),
        scratch_(scratch) {}

  void run() {
    const auto blocks = static_cast<std::int64_t>(problem_.plan.block.size()) - 1;
    const std::int64_t at_once = kPanelBytes / (kBlockDepth * kPieceColumns * kernel_.panel_element);
    Block next{};
    for (std::int64_t first = 0; first < blocks; first += at_once) {
      count_ = std::min(at_once, blocks - first);
      for (std::int64_t b = 0; b < count_; ++b) {
        next.first_chunk = problem_.plan.block[static_cast<std::size_t>(first + b)];
        next.chunks = problem_.plan.block[static_cast<std::size_t>(first + b + 1)] - next.first_chunk;
        next.begin = next.end;
        for (std::int64_t c = 0; c < next.chunks; ++c) next.end += plan_.length[next.first_chunk + c];
        blocks_[static_cast<std::size_t>(b)] = next;
        unpack(b);
      }
      starts_ = first == 0;
      ends_ = first + count_ == blocks;
      multiply(problem_.plus, 0, 0, problem_.split);
      multiply(problem_.minus, 1, problem_.split, problem_.rows);
    }
  }

 private:
  const Block& block(std::int64_t b) const { return blocks_[static_cast<std::size_t>(b)]; }
  std::byte* panel(std::int64_t b, std::int64_t column) {
    return scratch_.panels.data() + (b * kPieceColumns + column) * kBlockDepth * kernel_.panel_element;
  }
  std::int64_t width_at(std::int64_t column) const { return std::min(kernel_.width, columns_ - column); }

  void unpack(std::int64_t b) {
    const bool in_place = problem_.inputs == LateInputs::kInt8;  // the words are the panel
    for (std::int64_t column = 0; column < columns_; column += kernel_.width) {
      auto* target = panel(b, column);
      kernel_.unpack({.weight = problem_.weight,
                      .plan = plan_,
                      .column = first_column_ + column,
                      .count = width_at(column),
                      .first_chunk = block(b).first_chunk,
                      .chunks = block(b).chunks,
                      .begin = block(b).begin,
                      .end = block(b).end,
                      .words = in_place ? reinterpret_cast<std::uint32_t*>(target) : scratch_.words.data(),
                      .panel = target});
    }
  }

  // The block's values of one sign as [panel][chunk][width]; columns beyond the weight's get 0.
  void gather(const Block& block, const float* values, float* out) const {
    const std::int64_t width = kernel_.width;
    for (std::int64_t panel = 0; panel < columns_; panel += width, out += block.chunks * width) {
      const std::int64_t inside = width_at(panel);
      if (inside < width) std::fill_n(out, block.chunks * width, 0.0F);
      if (scales_by_group(problem_.weight.layout)) {
        gather_rows(block, values + first_column_ + panel, inside, out);
      } else {
        gather_columns(block, values + (first_column_ + panel) * groups_along_input(problem_.weight), inside, out);
      }
    }
  }

  // values [groups, out]
  void gather_rows(const Block& block, const float* values, std::int64_t inside, float* out) const {
    for (std::int64_t c = 0; c < block.chunks; ++c, out += kernel_.width)
      std::memcpy(out, values + plan_.group[block.first_chunk + c] * problem_.weight.out,
                  static_cast<std::size_t>(inside) * sizeof(float));
  }

  // values [out, groups]
  void gather_columns(const Block& block, const float* values, std::int64_t inside, float* out) const {
    const std::int64_t width = kernel_.width;
    const std::int64_t stride = groups_along_input(problem_.weight);
    const std::int32_t* group = plan_.group + block.first_chunk;
    for (std::int64_t c = 0; c < block.chunks;) {
      const bool four = c + 4 <= block.chunks && group[c + 3] == group[c] + 3 && group[c + 1] == group[c] + 1;
      std::int64_t n = 0;
      for (; four && n + 4 <= inside; n += 4)
        transpose4(values + n * stride + group[c], stride, out + c * width + n, width);
      const std::int64_t end = four ? c + 4 : c + 1;
      for (; n < inside; ++n)
        for (std::int64_t i = c; i < end; ++i) out[i * width + n] = values[n * stride + group[i]];
      c = end;
    }
  }

  // -scale * zero: what zero points add for each unit of an activation sum.
  void offsets_of_zeros(const Block& block, const float* scale, float* offset) const {
    for (std::int64_t panel = 0; panel < columns_; panel += kernel_.width)
      for (std::int64_t c = block.first_chunk; c < block.first_chunk + block.chunks; ++c) {
        const std::uint8_t* zeros =
            problem_.weight.zeros + plan_.group[c] * problem_.weight.out + first_column_ + panel;
        const std::int64_t inside = width_at(panel);
        for (std::int64_t n = 0; n < kernel_.width; ++n, ++scale, ++offset)
          *offset = n < inside ? -*scale * zeros[n] : 0.0F;
      }
  }

  void gather_scales(const ScaleView& view, std::size_t sign) {
    for (std::int64_t b = 0; b < count_; ++b) {
      float* scales = scratch_.scales[sign].data() + b * kBlockChunks * kPieceColumns;
      gather(block(b), view.scales, scales);
      if (shift_ != Shift::kOffsets) continue;
      float* offsets = scratch_.offsets[sign].data() + b * kBlockChunks * kPieceColumns;
      if (has_offsets(problem_.weight.layout)) {
        gather(block(b), view.offsets, offsets);
      } else {
        offsets_of_zeros(block(b), scales, offsets);
      }
    }
  }

  void multiply(const ScaleView& view, std::size_t sign, std::int64_t begin, std::int64_t end) {
    if (begin == end) return;
    gather_scales(view, sign);
    for (std::int64_t row = begin; row < end; row += kRowBlock)
      for (std::int64_t b = 0; b < count_; ++b)
        for (std::int64_t column = 0; column < columns_; column += kernel_.width)
          multiply_rows(b, sign, row, std::min(kRowBlock, end - row), column);
  }

  void multiply_rows(std::int64_t b, std::size_t sign, std::int64_t row, std::int64_t rows, std::int64_t column) {
    alignas(64) std::array<float, kMaxWidth> bias{};
    const bool first = b == 0, last = b + 1 == count_;
    const bool add_bias = last && ends_ && problem_.bias != nullptr;
    const std::int64_t target = first_column_ + column;
    if (add_bias) std::copy_n(problem_.bias + target, width_at(column), bias.begin());
    const std::int64_t scales = b * kBlockChunks * kPieceColumns + column * block(b).chunks;
    float* sums = scratch_.sums.data() + column;
    float* y = problem_.y + row * problem_.ldy + target;
    const bool from_y = first && !starts_;
    kernel_.multiply({.x = problem_.x + row * layout_.bytes,
                      .row_bytes = layout_.bytes,
                      .rows = rows,
                      .activations = block(b).begin * layout_.element,
                      .low = layout_.low + block(b).begin * layout_.element,
                      .scales = layout_.scales + block(b).first_chunk * 4,
                      .sums = layout_.sums + block(b).first_chunk * 4,
                      .ahead = kRowBlock * layout_.bytes,
                      .share = (block(b).end - block(b).begin) * layout_.element * column / width_,
                      .log2_shares = std::countr_zero(static_cast<std::uint64_t>(width_ / kernel_.width)),
                      .panel = panel(b, column),
                      .length = plan_.length + block(b).first_chunk,
                      .chunks = block(b).chunks,
                      .weight_scales = scratch_.scales[sign].data() + scales,
                      .weight_offsets = shift_ == Shift::kOffsets ? scratch_.offsets[sign].data() + scales : nullptr,
                      .constant_shift = shift_ == Shift::kConstant,
                      .inputs_in_16_bits = inputs_in_16_bits(problem_.weight),
                      .byte_codes = has_byte_codes(problem_.weight),
                      .from = first && starts_ ? nullptr
                              : from_y         ? y
                                               : sums,
                      .from_stride = from_y ? problem_.ldy : kPieceColumns,
                      .y = last ? y : sums,
                      .ldy = last ? problem_.ldy : kPieceColumns,
                      .columns = width_at(column),
                      .claimed = first ? y : nullptr,
                      .claimed_stride = problem_.ldy,
                      .bias = add_bias ? bias.data() : nullptr});
  }

  const LateProblem& problem_;
  const LateKernel& kernel_;
  Shift shift_;
  RowLayout layout_;
  PlanView plan_;
  std::int64_t width_;
  std::int64_t first_column_;
  std::int64_t columns_;
  Scratch& scratch_;
  // The blocks whose panels stand in `scratch_`.
  std::array<Block, kMostBlocks> blocks_{};
  std::int64_t count_ = 0;
  bool starts_ = true;
  bool ends_ = true;
};

}  // namespace

bool scale_late_supported(const CodeView& weight, LateInputs inputs) {
  if (weight.layout <= Layout::kDenseBF16 || groups_of_outputs(weight.layout)) return false;
  return inputs != LateInputs::kInt8 || !has_float_codes(weight.layout);
}

std::int64_t late_row_bytes(const CodeView& weight, const ChunkPlan& plan, LateInputs inputs) {
  return layout_of(weight, plan, inputs).bytes;
}

bool same_late_rows(const CodeView& a, const ChunkPlan& plan_a, const CodeView& b, const ChunkPlan& plan_b,
                    LateInputs inputs) {
  return a.in == b.in && &late_kernel(a, inputs) == &late_kernel(b, inputs) &&
         shift_of(a, inputs) == shift_of(b, inputs) && constant_zero(a) == constant_zero(b) &&
         plan_a.length == plan_b.length && plan_a.source == plan_b.source;
}

void late_prepare(const CodeView& weight, const ChunkPlan& plan, LateInputs inputs, const float* x, std::int64_t ldx,
                  std::int64_t rows, std::byte* out) {
  const Shift shift = shift_of(weight, inputs);
  const RowLayout layout = layout_of(weight, plan, inputs);
  const LateKernel& kernel = late_kernel(weight, inputs);
  const PlanView view = view_of(plan);
  for (std::int64_t row = 0; row < rows; ++row)
    kernel.prepare({.plan = view,
                    .layout = layout,
                    .shift = shift,
                    .zero = constant_zero(weight),
                    .x = x + row * ldx,
                    .row = out + row * layout.bytes});
}

std::int64_t late_pieces(const CodeView& weight) {
  const std::int64_t columns = piece_columns(weight);
  return (weight.out + columns - 1) / columns;
}

std::size_t late_scratch_bytes() { return sizeof(Scratch); }

void late_matmul_piece(const LateProblem& problem, std::int64_t piece, void* scratch) {
  Piece(problem, piece, *static_cast<Scratch*>(scratch)).run();
}

}  // namespace qzo::kernels
