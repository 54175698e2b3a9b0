#pragma once
// AdamW on 4-bit moments in one pass: a block of 128 elements is decoded, updated and, while the next one is updated,
// encoded. The bits are those of decode_chunk, adamw_chunk and encode_chunk one after the other.
//
// No division finds a code. A quotient is a product with the reciprocal of the scale, right to some units of the last
// place, and a block in which a quotient comes that close to a midpoint is encoded again by encode_chunk. So is a block
// whose scale is 0 or so small or large that the reciprocal says nothing.

#include "cpu/optim_body.h"

namespace qzo::kernels {
namespace {

// Codes of the signed table. The magnitude n is mapped to w = kSlope n + kOffset, whose exponent and first bit of the
// fraction number eleven cells, none of which holds two midpoints; cell and sign choose the midpoint to compare with.
template <class L>
class SignedCells {
 public:
  static constexpr float kSlope = 1.15F, kOffset = 0x1p-5F;
  static constexpr float kDoubt = 1e-6F;  // w and its midpoint are off by less than 3e-7
  static constexpr int kFirstCell = 0x3D000000 >> 22, kLastCell = 0x3F800000 >> 22;

  explicit SignedCells(const CodeBook& book) {
    static const Tables tables(book);
    for (int i = 0; i < 2; ++i) {
      minus_middles[i] = L::sub(L::zero(), L::load(tables.middle + 16 * i));
      codes[i] = L::float_of(L::load_words(tables.above + 16 * i));
    }
  }
  // `factor`: kSlope / scale. `closest` falls to the smallest distance to a midpoint.
  typename L::Words operator()(typename L::Floats x, typename L::Floats factor, typename L::Floats& closest) const {
    const auto bits = L::bits_of(x);
    const auto magnitude = L::float_of(L::bit_and(bits, L::broadcast_word(0x7FFFFFFFU)));
    const auto w = L::fma(magnitude, factor, L::broadcast(kOffset));
    const auto slot = L::merge(L::broadcast_word(15), L::shift_right(L::bits_of(w), 22), L::shift_right(bits, 27));
    const auto distance = L::fma(x, factor, L::lookup_pair(minus_middles[0], minus_middles[1], slot));
    closest = L::least_magnitude(closest, distance);
    const auto below = L::shift_right_signed(L::bits_of(distance), 31);  // -1
    return L::add(L::bits_of(L::lookup_pair(codes[0], codes[1], slot)), below);
  }
  typename L::Floats minus_middles[2], codes[2];

 private:
  struct Tables {  // by cell; above 0, then below
    explicit Tables(const CodeBook& book) {
      for (int i = 0; i < 32; ++i) middle[i] = 8, above[i] = 0;  // the midpoint 8 has all below it
      for (int sign = 0; sign < 2; ++sign) {
        int code = 7;
        for (int cell = kFirstCell; cell <= kLastCell; ++cell) {
          const int slot = (cell & 15) + 16 * sign;
          above[slot] = static_cast<std::uint32_t>(code + 1);
          if (code == (sign == 0 ? 15 : 0)) continue;
          const float n = book.midpoints[static_cast<std::size_t>(sign == 0 ? code : code - 1)];
          const float w = __builtin_fmaf(n < 0 ? -n : n, kSlope, kOffset);
          if (static_cast<int>(__builtin_bit_cast(std::uint32_t, w) >> 22) != cell) continue;
          middle[slot] = n * kSlope;
          if (sign == 1) above[slot] = static_cast<std::uint32_t>(code);
          code += sign == 0 ? 1 : -1;
        }
      }
    }
    alignas(64) float middle[32];
    alignas(64) std::uint32_t above[32];
  };
};

// Codes of the linear table: midpoints (i + 1.5) / 16, so the code is the integer next to 16 n, less one. It is rounded
// by adding a number whose last place is 1, and stands in the last bits of the sum.
struct LinearSteps {
  static constexpr float kSlope = 16;
  static constexpr float kDoubt = 0.5F - 4e-6F;  // 16 n is off by less than 2e-6
  static constexpr float kFirst = 0x1.8p23F;     // the sum for code 0
  static constexpr std::uint32_t kExcess = __builtin_bit_cast(std::uint32_t, kFirst);

  // kExcess + code. `factor`: kSlope / scale; infinite for scale 0, which gives the last code. `furthest` rises to the
  // largest distance to an integer.
  template <class L>
  static typename L::Words code(typename L::Floats x, typename L::Floats factor, typename L::Floats& furthest) {
    const auto sum = L::fma(x, factor, L::broadcast(kFirst - 1));
    const auto distance = L::fma(x, factor, L::sub(L::broadcast(kFirst - 1), sum));
    furthest = L::most_magnitude(furthest, distance);
    return L::bits_of(L::max(L::min(sum, L::broadcast(kFirst + 15)), L::broadcast(kFirst)));
  }
};

// Encodes block `block` of a chunk again, with divisions.
template <class L>
void encode_block(CodeChunk chunk, std::int64_t block, const float* x) {
  chunk.codes += block * kNibbleBlock / 2;
  chunk.count = kNibbleBlock;
  if (chunk.block_scales != nullptr) chunk.block_scales += block;
  encode_chunk<L>(chunk, x);
}

template <class L>
inline typename L::Floats rank1_value(typename L::Floats entry, const float* last, typename L::Floats row) {
  return L::mul(entry, L::min(L::load(last), row));
}

template <class L, SecondMoment kSecond>
class NibbleStep {
 public:
  explicit NibbleStep(const AdamwChunk& rule, const NibbleChunk& moments)
      : c_(rule), moments_(moments), cells_(*moments.m.book), table_m_(L::load(moments.m.book->values.data())) {
    if constexpr (!kFactored) table_v_ = L::load(moments.v.book->values.data());
    updated_.block = encoded_.block = moments.block;
  }
  void run() {
    const std::int64_t blocks = c_.count / kNibbleBlock;
    if (blocks < 2) {
      if (blocks == 0) return;
      pass<true, false>(0);
      pass<false, true>(2);
      return;
    }
    pass<true, false>(0);
    pass<true, false>(1);
    for (std::int64_t block = 2; block < blocks; ++block) pass<true, true>(block);
    pass<false, true>(blocks);
    pass<false, true>(blocks + 1);
  }

 private:
  using Floats = typename L::Floats;
  using Words = typename L::Words;
  static constexpr bool kBlock = kSecond == SecondMoment::kBlock, kRank1 = kSecond == SecondMoment::kRank1;
  static constexpr bool kFactored = kSecond == SecondMoment::kFactored;

  struct Fresh {  // moments of a block, not encoded yet
    alignas(64) float m[kNibbleBlock];
    alignas(64) float v[kNibbleBlock];
    float scale_m = 0, scale_v = 0, factor_m = 0, factor_v = 0;
  };

  struct Place {  // of a block among the rows
    std::int64_t row = 0, block = 0;
    [[nodiscard]] std::int64_t column() const { return block * kNibbleBlock; }
    void advance(std::int64_t row_blocks) {
      if (++block == row_blocks) block = 0, ++row;
    }
  };

  // Updates `block` and encodes the one two before it.
  template <bool kUpdate, bool kEncode>
  inline __attribute__((always_inline)) void pass(std::int64_t block) {
    Fresh& fresh = fresh_[block % 4];
    const Fresh& done = fresh_[(block - 2) % 4];
    const std::int64_t first = block * kNibbleBlock, before = first - 2 * kNibbleBlock;
    auto decode_m = table_m_, decode_v = table_v_;
    auto most_m = L::zero(), most_v = L::zero();
    auto row = L::zero(), row_factor = L::zero();
    const float* columns = nullptr;
    const float* column_factors = nullptr;
    if constexpr (kUpdate && !kBlock) {
      row = L::broadcast(moments_.before.rows[updated_.row]);
      columns = moments_.before.columns + updated_.column();
      updated_.advance(moments_.row_blocks);
    }
    const Place place = encoded_;
    if constexpr (kEncode && kRank1) {
      row_factor = L::broadcast(moments_.factors.rows[place.row]);
      column_factors = moments_.factors.columns + place.column();
      encoded_.advance(moments_.row_blocks);
    }
    if constexpr (kUpdate) {
      decode_m = L::mul(L::mul(table_m_, L::broadcast(moments_.m.block_scales[block])), L::broadcast(c_.beta1));
      if constexpr (kBlock)
        decode_v = L::mul(L::mul(table_v_, L::broadcast(moments_.v.block_scales[block])), L::broadcast(c_.beta2));
    }
    auto closest_m = L::broadcast(8.0F), furthest_v = L::zero();
    auto factor_m = L::zero(), factor_v = L::zero();
    if constexpr (kEncode) {
      factor_m = L::broadcast(done.factor_m);
      if constexpr (kBlock) factor_v = L::broadcast(done.factor_v);
    }
    for (std::int64_t quarter = 0; quarter < kNibbleBlock; quarter += 4 * kGroup) {
      Words codes_m[4], codes_v[4], old_m[4], old_v[4];
      if constexpr (kUpdate) {
        L::load_nibbles4(moments_.m.codes + (first + quarter) / 2, old_m);
        if constexpr (!kFactored) L::load_nibbles4(moments_.v.codes + (first + quarter) / 2, old_v);
      }
#pragma GCC unroll 4
      for (int j = 0; j < 4; ++j) {
        const std::int64_t i = quarter + j * kGroup;
        if constexpr (kUpdate) {
          const auto g = L::load(c_.g + first + i);
          const auto m = L::fma(L::broadcast(c_.rest1), g, L::lookup(decode_m, old_m[j]));
          auto v = L::zero();
          if constexpr (kFactored) v = L::mul(row, L::load(columns + i));
          if constexpr (kBlock) v = L::lookup(decode_v, old_v[j]);
          if constexpr (kRank1)
            v = L::mul(L::broadcast(c_.beta2), rank1_value<L>(L::lookup(decode_v, old_v[j]), columns + i, row));
          if constexpr (!kFactored) v = L::fma(L::mul(L::broadcast(c_.rest2), g), g, v);  // as next_second
          move(first + i, m, v);
          L::store(fresh.m + i, m);
          most_m = L::most_magnitude(most_m, m);
          if constexpr (!kFactored) L::store(fresh.v + i, v);
          if constexpr (kBlock) most_v = L::most_magnitude(most_v, v);
        }
        if constexpr (kEncode) {
          codes_m[j] = cells_(L::load(done.m + i), factor_m, closest_m);
          if constexpr (kRank1) factor_v = L::max(L::load(column_factors + i), row_factor);
          if constexpr (!kFactored) codes_v[j] = LinearSteps::code<L>(L::load(done.v + i), factor_v, furthest_v);
        }
      }
      if constexpr (kEncode) {
        L::store_nibbles4(moments_.m.codes + (before + quarter) / 2, codes_m, 0);
        if constexpr (!kFactored)
          L::store_nibbles4(moments_.v.codes + (before + quarter) / 2, codes_v, LinearSteps::kExcess);
      }
    }
    if constexpr (kUpdate) {
      fresh.scale_m = moments_.m.block_scales[block] = L::reduce_max(most_m);
      fresh.factor_m = SignedCells<L>::kSlope / fresh.scale_m;
      if constexpr (kBlock) {
        fresh.scale_v = moments_.v.block_scales[block] = L::reduce_max(most_v);
        fresh.factor_v = LinearSteps::kSlope / fresh.scale_v;
      }
    }
    if constexpr (kEncode) {
      const auto doubt_m = L::greater(L::broadcast_word(__builtin_bit_cast(std::uint32_t, SignedCells<L>::kDoubt)),
                                      magnitude(closest_m));
      if (!has_reciprocal(done.scale_m) || L::any(doubt_m)) encode_block<L>(moments_.m, block - 2, done.m);
      if constexpr (!kFactored) {
        const auto doubt_v = L::greater(magnitude(furthest_v),
                                        L::broadcast_word(__builtin_bit_cast(std::uint32_t, LinearSteps::kDoubt)));
        if ((kBlock && !has_reciprocal(done.scale_v)) || L::any(doubt_v)) encode_second(block - 2, place, done.v);
      }
    }
  }

  void encode_second(std::int64_t block, const Place& place, const float* v) const {
    alignas(64) float scales[kNibbleBlock];
    CodeChunk chunk = moments_.v;
    if constexpr (kRank1) {
      bounded_row(moments_.raised.columns + place.column(), moments_.raised.rows[place.row], kNibbleBlock, scales);
      chunk.scales = scales;
    }
    encode_block<L>(chunk, block, v);
  }
  static Words magnitude(Floats x) { return L::bit_and(L::bits_of(x), L::broadcast_word(0x7FFFFFFFU)); }

  void move(std::int64_t i, Floats m, Floats v) const {
    const auto denominator = L::fma(L::sqrt(v), L::broadcast(c_.root), L::broadcast(c_.eps));
    const auto theta = L::mul(L::load(c_.theta + i), L::broadcast(c_.decay));
    L::store(c_.theta + i, L::fma(L::broadcast(-c_.step), L::div(m, denominator), theta));
  }

  const AdamwChunk c_;
  const NibbleChunk moments_;
  const SignedCells<L> cells_;
  Floats table_m_, table_v_ = L::zero();
  Place updated_, encoded_;
  Fresh fresh_[4];
};

template <class L>
void adamw_nibbles(const AdamwChunk& rule, const NibbleChunk& moments) {
  switch (moments.second) {
    case SecondMoment::kBlock:
      return NibbleStep<L, SecondMoment::kBlock>(rule, moments).run();
    case SecondMoment::kRank1:
      return NibbleStep<L, SecondMoment::kRank1>(rule, moments).run();
    case SecondMoment::kFactored:
      return NibbleStep<L, SecondMoment::kFactored>(rule, moments).run();
  }
}

template <class L>
float raise_nibbles(const RaiseChunk& chunk, float* last) {
  // Copies: the compiler cannot know that `last` is not among what the chunk points at.
  const float* const gradient = chunk.g;
  const float* const scales = chunk.scales;
  const std::uint8_t* const nibbles = chunk.codes;
  const std::int64_t count = chunk.count;
  const auto table = L::load(chunk.book->values.data());
  const auto beta2 = L::broadcast(chunk.beta2), rest2 = L::broadcast(chunk.rest2);
  const auto row = L::broadcast(chunk.row_scale);
  auto most = L::zero();
  for (std::int64_t quarter = 0; quarter < count; quarter += 4 * kGroup) {
    typename L::Words codes[4];
    L::load_nibbles4(nibbles + quarter / 2, codes);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const std::int64_t i = quarter + j * kGroup;
      const auto g = L::load(gradient + i);
      const auto before = rank1_value<L>(L::lookup(table, codes[j]), scales + i, row);
      const auto v = L::fma(L::mul(rest2, g), g, L::mul(beta2, before));
      L::store(last + i, L::max(L::load(last + i), v));
      most = L::max(most, v);
    }
  }
  return L::reduce_max(most);
}

}  // namespace
}  // namespace qzo::kernels
