#include "cpu/optim_tables.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "qzo/core/check.h"

namespace qzo::kernels {
namespace {

// Midpoints of `cells` equal parts of [0.1, 1], in fp32 in the order of torch.linspace, which made the published
// tables: counted from the nearer end, rounded once.
std::vector<float> fractions(int cells) {
  const float step = (1.0F - 0.1F) / static_cast<float>(cells);
  const auto boundary = [&](int i) {
    return i < (cells + 1) / 2 ? std::fma(step, static_cast<float>(i), 0.1F)
                               : std::fma(-step, static_cast<float>(cells - i), 1.0F);
  };
  std::vector<float> middle;
  for (int i = 0; i < cells; ++i) middle.push_back((boundary(i) + boundary(i + 1)) / 2.0F);
  return middle;
}

// Values 10^-e times the fractions of 2^f cells, e + f = bits - 2 with a sign (each of either sign), bits - 1 without;
// e below bits - 1; and 0 and 1.
std::vector<float> dynamic_exponent(int bits, bool is_signed) {
  const int places = bits - 1;
  std::vector<float> values = {0.0F, 1.0F};
  for (int exponent = 0; exponent < places; ++exponent) {
    const auto scale = static_cast<float>(std::pow(10.0, -exponent));
    const int cells = 1 << (places - (is_signed ? 1 : 0) - exponent);
    for (const float fraction : fractions(cells)) {
      values.push_back(scale * fraction);
      if (is_signed) values.push_back(-(scale * fraction));
    }
  }
  std::sort(values.begin(), values.end());
  return values;
}

std::vector<float> table_values(StateTable table, int bits) {
  std::vector<float> values;
  if (table == StateTable::kLinearUnsigned || table == StateTable::kPower2Unsigned) {
    const int count = 1 << bits;
    for (int i = 1; i <= count; ++i) {
      const float value = static_cast<float>(i) / static_cast<float>(count);
      values.push_back(table == StateTable::kLinearUnsigned ? value : value * value);
    }
    return values;
  }
  values = dynamic_exponent(bits, table == StateTable::kDeSigned);
  if (table == StateTable::kDeUnsignedNo0) values[0] = values[1];
  return values;
}

void fill_first_codes(CodeBook& book) {
  const auto count = std::size_t{1} << book.bits;
  for (std::uint32_t key = 0; key < 65536; ++key) {
    const std::uint32_t ascending = key << 16;
    const float least = std::bit_cast<float>(ascending ^ (key < 32768 ? 0xFFFFFFFFU : 0x80000000U));
    const float* end = book.midpoints.data() + count - 1;
    const float* found = std::lower_bound<const float*>(book.midpoints.data(), end, least);
    if (std::isnan(least)) found = end;
    const auto code = found - book.midpoints.data();
    book.first_code[key] = static_cast<std::uint8_t>(code);
    QZO_CHECK(key == 0 || std::isnan(least) || code - book.first_code[key - 1] <= 1 || key == 32768, "cell ", key);
  }
}

std::unique_ptr<const CodeBook> make_book(StateTable table, int bits) {
  auto book = std::make_unique<CodeBook>();
  book->table = table;
  book->bits = bits;
  const std::vector<float> values = table_values(table, bits);
  QZO_CHECK(values.size() == std::size_t{1} << bits, values.size());
  std::copy(values.begin(), values.end(), book->values.begin());
  book->midpoints.fill(std::numeric_limits<float>::infinity());
  for (std::size_t i = 0; i + 1 < values.size(); ++i) book->midpoints[i] = (values[i] + values[i + 1]) * 0.5F;
  if (bits == 8) fill_first_codes(*book);
  return book;
}

constexpr int kTables = 5;

}  // namespace

const CodeBook& code_book(StateTable table, int bits) {
  QZO_CHECK(bits == 4 || bits == 8, "bits ", bits);
  QZO_CHECK(static_cast<int>(table) < kTables);
  static const std::vector<std::unique_ptr<const CodeBook>> books = [] {
    std::vector<std::unique_ptr<const CodeBook>> made;
    for (int i = 0; i < kTables; ++i)
      for (const int width : {4, 8}) made.push_back(make_book(static_cast<StateTable>(i), width));
    return made;
  }();
  return *books[static_cast<std::size_t>(table) * 2 + (bits == 8 ? 1 : 0)];
}

std::span<const float> state_table(StateTable table, int bits) {
  return {code_book(table, bits).values.data(), std::size_t{1} << bits};
}

std::span<const float> state_midpoints(StateTable table, int bits) {
  return {code_book(table, bits).midpoints.data(), (std::size_t{1} << bits) - 1};
}

StateLayout state_layout(const StateCodec& codec, std::span<const std::int64_t> shape) {
  QZO_CHECK(codec.bits == 4 || codec.bits == 8 || codec.bits == 32, "bits ", codec.bits);
  StateLayout layout;
  layout.elements = 1;
  for (const std::int64_t dimension : shape) {
    QZO_CHECK(dimension >= 0, "dimension ", dimension);
    QZO_CHECK(!__builtin_mul_overflow(layout.elements, dimension, &layout.elements), "elements");
  }
  if (codec.bits == 32) {
    layout.values = layout.elements;
    return layout;
  }
  layout.code_bytes = codec.bits == 8 ? layout.elements : layout.elements / 2 + layout.elements % 2;
  if (codec.norm == StateNorm::kRank1 && shape.size() > 1) {
    layout.axis_scales.assign(shape.begin(), shape.end());
    for (const std::int64_t dimension : shape) layout.scales += dimension;
    return layout;
  }
  QZO_CHECK(codec.block >= 16 && codec.block <= 1024 && std::has_single_bit(static_cast<std::uint64_t>(codec.block)),
            "block ", codec.block);
  layout.scales = (layout.elements + codec.block - 1) / codec.block;
  return layout;
}

}  // namespace qzo::kernels
