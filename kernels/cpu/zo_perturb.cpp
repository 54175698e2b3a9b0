#include "qzo/kernels/zo_perturb.h"

#include <algorithm>
#include <array>

#include "qzo/core/check.h"
#include "qzo/core/thread_pool.h"

#include "cpu/noise.h"
#include "cpu/select.h"

namespace qzo::kernels {

namespace {

constexpr std::int64_t kChunk = 2048;  // elements of a tensor handled at a time; the noise of a chunk stays in L1

const NoiseVariant& active_noise() { return select(noise_portable, noise_avx2, noise_avx512); }

// Calls body(first, z) for every chunk of [0, count), in parallel.
template <class Body>
void for_each_chunk(std::int64_t count, const Noise& noise, std::uint32_t tensor, const Body& body) {
  constexpr std::int64_t kChunksPerPiece = 8;
  constexpr std::int64_t kPiece = kChunk * kChunksPerPiece;
  core::parallel_for((count + kPiece - 1) / kPiece, [&](std::int64_t piece, int) {
    std::array<float, kChunk> z;
    const std::int64_t end = std::min(count, (piece + 1) * kPiece);
    for (std::int64_t first = piece * kPiece; first < end; first += kChunk) {
      const std::span<float> chunk(z.data(), static_cast<std::size_t>(std::min(kChunk, end - first)));
      noise.fill(tensor, first, chunk);
      body(first, std::span<const float>(chunk));
    }
  });
}

}  // namespace

void PhiloxNoise::fill(std::uint32_t tensor, std::int64_t first, std::span<float> out) const {
  QZO_CHECK(first >= 0, "first element ", first);
  if (out.empty()) return;
  const NoiseStream stream{static_cast<std::uint32_t>(key_.seed), key_.step,
                           static_cast<std::uint32_t>(key_.direction) << 24, tensor,
                           static_cast<std::uint32_t>(key_.seed >> 32)};
  const auto fill_quads = active_noise().fill_quads;
  const auto begin = static_cast<std::uint64_t>(first);
  std::size_t done = 0;
  const auto part_of_quad = [&](std::uint64_t element) {
    std::array<float, 4> quad;
    fill_quads(stream, element / 4, 1, quad.data());
    for (std::uint64_t j = element % 4; j < 4 && done < out.size(); ++j) out[done++] = quad[j];
  };
  if (begin % 4 != 0) part_of_quad(begin);
  if (const std::size_t quads = (out.size() - done) / 4; quads > 0) {
    fill_quads(stream, (begin + done) / 4, static_cast<std::int64_t>(quads), out.data() + done);
    done += quads * 4;
  }
  if (done < out.size()) part_of_quad(begin + done);
}

void perturb(std::span<const float> master, const Probe& probe, std::uint32_t tensor, float* plus, float* minus) {
  QZO_CHECK(probe.noise != nullptr);
  const auto perturb_values = active_noise().perturb;
  for_each_chunk(static_cast<std::int64_t>(master.size()), *probe.noise, tensor,
                 [&](std::int64_t first, std::span<const float> z) {
                   perturb_values(master.data() + first, z.data(), static_cast<std::int64_t>(z.size()), probe.eps,
                                  probe.mode == EpsMode::kRelative, plus == nullptr ? nullptr : plus + first,
                                  minus == nullptr ? nullptr : minus + first);
                 });
}

void update(std::span<float> master, const Noise& noise, std::uint32_t tensor, const UpdateRule& rule) {
  const auto update_values = active_noise().update;
  for_each_chunk(static_cast<std::int64_t>(master.size()), noise, tensor,
                 [&](std::int64_t first, std::span<const float> z) {
                   update_values(master.data() + first, z.data(), static_cast<std::int64_t>(z.size()), rule.lr_times_d,
                                 rule.mode == EpsMode::kRelative, rule.floor, rule.signed_scales);
                 });
}

}  // namespace qzo::kernels
