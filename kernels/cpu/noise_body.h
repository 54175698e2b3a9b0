#pragma once
// Philox4x32-10 and Box-Muller over kBlock quads at a time, in plain loops that the compiler turns into vector code.

#include "qzo/core/gaussian.h"

#include "cpu/noise.h"

namespace qzo::kernels {
namespace {

constexpr int kBlock = 32;

struct Words {
  alignas(64) std::uint32_t word[4][kBlock];
};

inline void philox_block(const NoiseStream& stream, std::uint64_t first_quad, Words& c) {
  for (int i = 0; i < kBlock; ++i) {
    const std::uint64_t quad = first_quad + static_cast<std::uint64_t>(i);
    c.word[0][i] = static_cast<std::uint32_t>(quad);
    c.word[1][i] = stream.tag | static_cast<std::uint32_t>((quad >> 32) & 0xFFFFU);
    c.word[2][i] = stream.tensor;
    c.word[3][i] = stream.seed_high;
  }
  std::uint32_t key_low = stream.key_low;
  std::uint32_t key_high = stream.key_high;
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < kBlock; ++i) {
      const std::uint64_t product0 = std::uint64_t{0xD2511F53U} * c.word[0][i];
      const std::uint64_t product1 = std::uint64_t{0xCD9E8D57U} * c.word[2][i];
      c.word[0][i] = static_cast<std::uint32_t>(product1 >> 32) ^ c.word[1][i] ^ key_low;
      c.word[1][i] = static_cast<std::uint32_t>(product1);
      c.word[2][i] = static_cast<std::uint32_t>(product0 >> 32) ^ c.word[3][i] ^ key_high;
      c.word[3][i] = static_cast<std::uint32_t>(product0);
    }
    key_low += 0x9E3779B9U;
    key_high += 0xBB67AE85U;
  }
}

// The pairs of core::gaussian_pair. The square root may set errno as far as gcc knows, which would keep the whole loop
// from becoming vector code, so it stands alone.
inline void gaussian_block(const std::uint32_t* w0, const std::uint32_t* w1, float* first, float* second) {
  alignas(64) float radius[kBlock];
  for (int i = 0; i < kBlock; ++i) radius[i] = core::squared_radius_of_word(w0[i]);
  for (int i = 0; i < kBlock; ++i) radius[i] = __builtin_sqrtf(radius[i]);
  for (int i = 0; i < kBlock; ++i) {
    const core::Direction direction = core::direction_of_word(w1[i]);
    first[i] = radius[i] * direction.cosine;
    second[i] = radius[i] * direction.sine;
  }
}

inline void fill_quads(const NoiseStream& stream, std::uint64_t first_quad, std::int64_t quads, float* out) {
  Words words;
  alignas(64) float normals[4][kBlock];
  for (std::int64_t done = 0; done < quads; done += kBlock) {
    philox_block(stream, first_quad + static_cast<std::uint64_t>(done), words);
    gaussian_block(words.word[0], words.word[1], normals[0], normals[1]);
    gaussian_block(words.word[2], words.word[3], normals[2], normals[3]);
    const std::int64_t count = quads - done < kBlock ? quads - done : kBlock;
    for (std::int64_t i = 0; i < count; ++i) {
      for (int j = 0; j < 4; ++j) out[(done + i) * 4 + j] = normals[j][i];
    }
  }
}

inline void fill_words(const NoiseStream& stream, std::uint64_t first_quad, std::int64_t quads, std::uint32_t* out) {
  Words words;
  for (std::int64_t done = 0; done < quads; done += kBlock) {
    philox_block(stream, first_quad + static_cast<std::uint64_t>(done), words);
    const std::int64_t count = quads - done < kBlock ? quads - done : kBlock;
    for (std::int64_t i = 0; i < count; ++i) {
      for (int j = 0; j < 4; ++j) out[(done + i) * 4 + j] = words.word[j][i];
    }
  }
}

inline void perturb(const float* s, const float* z, std::int64_t count, float eps, bool relative, float* plus,
                    float* minus) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float e = relative ? eps * z[i] : eps;
    const float factor = relative ? s[i] : z[i];
    if (plus != nullptr) plus[i] = __builtin_fmaf(e, factor, s[i]);
    if (minus != nullptr) minus[i] = __builtin_fmaf(-e, factor, s[i]);
  }
}

inline void update(float* s, const float* z, std::int64_t count, float c, bool relative, float floor, bool is_signed) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float before = s[i];
    const float step = relative ? c * z[i] : c;
    const float moved = __builtin_fmaf(-step, relative ? before : z[i], before);
    const float bound = before < floor ? before : floor;
    s[i] = !is_signed && before > 0 && moved < bound ? bound : moved;
  }
}

constexpr NoiseVariant kNoiseVariant{&fill_quads, &fill_words, &perturb, &update};

}  // namespace
}  // namespace qzo::kernels
