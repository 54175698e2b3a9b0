#pragma once
// Probes of scales and the update with the same noise (QZO, arXiv 2505.13430, Algorithm 1; rules of the project in
// README).
//
//   absolute: s+- = s +- eps z              s' = s - (lr d) z
//   relative: s+- = s +- (eps z) s          s' = s - (lr d z) s
//
// Masters are never written by a probe. All arithmetic fp32 with explicit fma: same bits everywhere.

#include <cstdint>
#include <span>

namespace qzo::kernels {

// z = f(seed, step, direction, tensor, element) and nothing else: independent of threads, chunks, devices.
// Philox key = (seed low, step); counter = (element/4 low, element/4 high 16 | purpose 8 | direction 8, tensor, seed
// high); element e takes word pair of its quad: e%4 = 0,1 from words 0,1; e%4 = 2,3 from words 2,3 (cosine first).
struct NoiseKey {
  std::uint64_t seed = 0;
  std::uint32_t step = 0;
  std::uint8_t direction = 0;
};

class Noise {
 public:
  virtual ~Noise() = default;
  // z of elements [first, first + out.size()) of a tensor. Thread-safe.
  virtual void fill(std::uint32_t tensor, std::int64_t first, std::span<float> out) const = 0;
};

class PhiloxNoise final : public Noise {
 public:
  explicit PhiloxNoise(NoiseKey key) : key_(key) {}
  void fill(std::uint32_t tensor, std::int64_t first, std::span<float> out) const override;

 private:
  NoiseKey key_;
};

enum class EpsMode : std::uint8_t { kAbsolute, kRelative };
enum class Signs : std::uint8_t { kBoth, kPlus, kMinus };  // kBoth: twin pass, rows of both signs in one walk

struct Probe {
  const Noise* noise = nullptr;
  float eps = 0;
  EpsMode mode = EpsMode::kAbsolute;
  Signs signs = Signs::kBoth;
};

// Writes s+ and s- of one tensor (either pointer may be null). master, plus, minus: [count] fp32.
void perturb(std::span<const float> master, const Probe& probe, std::uint32_t tensor, float* plus, float* minus);

struct UpdateRule {
  float lr_times_d = 0;  // lr * clipped d, rounded once to fp32
  EpsMode mode = EpsMode::kAbsolute;
  float floor = 0;             // lower bound of positive scales
  bool signed_scales = false;  // GGUF d: sign is free, no floor
};

// In place. A positive scale never falls below min(floor, its value before): the floor never raises a scale.
void update(std::span<float> master, const Noise& noise, std::uint32_t tensor, const UpdateRule& rule);

}  // namespace qzo::kernels
