#include "qzo/zo/qzo.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "qzo/core/check.h"
#include "qzo/core/hash.h"

namespace qzo::zo {

namespace {

// A narrower word in the key must never make two probes share their noise.
kernels::NoiseKey noise_key(std::uint64_t seed, std::uint64_t step, std::uint32_t direction) {
  QZO_CHECK(step <= std::numeric_limits<std::uint32_t>::max(), "step ", step, " does not fit the noise key");
  QZO_CHECK(direction <= std::numeric_limits<std::uint8_t>::max(), "direction ", direction);
  return {seed, static_cast<std::uint32_t>(step), static_cast<std::uint8_t>(direction)};
}

float& frozen_value(const TrainableScales& tensor, std::int64_t index) {
  QZO_CHECK(index >= 0 && index < static_cast<std::int64_t>(tensor.values.size()), tensor.name, ": frozen element ",
            index, " of ", tensor.values.size());
  return tensor.values[static_cast<std::size_t>(index)];
}

void mark_skipped(std::span<StepRecord> records) {
  for (StepRecord& record : records) {
    record.skipped = true;
    record.d_applied = 0;
  }
}

}  // namespace

StepRecord make_record(const QzoSettings& settings, std::uint64_t step, std::uint32_t direction, double lr,
                       LossPair losses) {
  StepRecord record;
  record.step = step;
  record.seed = settings.seed;
  record.direction = direction;
  record.lr = static_cast<float>(lr / settings.directions);
  record.loss_plus = static_cast<float>(losses.plus);
  record.loss_minus = static_cast<float>(losses.minus);
  record.d_raw = static_cast<float>((losses.plus - losses.minus) / (2 * settings.eps));
  if (!std::isfinite(record.loss_plus) || !std::isfinite(record.loss_minus) || !std::isfinite(record.d_raw)) {
    record.skipped = true;
    return record;
  }
  record.d_applied = record.d_raw;
  if (settings.clip) {
    const auto bound = static_cast<float>(*settings.clip);
    record.d_applied = std::clamp(record.d_raw, -bound, bound);
    record.clipped = record.d_applied != record.d_raw;
  }
  return record;
}

void apply_record(const StepRecord& record, kernels::EpsMode mode, double floor, std::span<TrainableScales> tensors,
                  const kernels::Noise& noise) {
  if (record.skipped) return;
  kernels::UpdateRule rule;
  rule.lr_times_d = record.lr * record.d_applied;
  rule.mode = mode;
  rule.floor = static_cast<float>(floor);
  std::vector<float> kept;
  for (TrainableScales& tensor : tensors) {
    kept.clear();
    for (const std::int64_t index : tensor.frozen) kept.push_back(frozen_value(tensor, index));
    rule.signed_scales = tensor.signed_scales;
    kernels::update(tensor.values, noise, tensor.id, rule);
    for (std::size_t i = 0; i < kept.size(); ++i) frozen_value(tensor, tensor.frozen[i]) = kept[i];
  }
}

void apply_record(const StepRecord& record, kernels::EpsMode mode, double floor, std::span<TrainableScales> tensors) {
  apply_record(record, mode, floor, tensors,
               kernels::PhiloxNoise(noise_key(record.seed, record.step, record.direction)));
}

std::vector<StepRecord> qzo_step(const QzoSettings& settings, std::uint64_t step, double lr,
                                 std::span<TrainableScales> tensors, const LossFunction& loss,
                                 const NoiseFactory& noise_for,
                                 const std::function<void(std::span<const StepRecord>)>& before_update) {
  QZO_CHECK(settings.directions >= 1 && settings.directions <= 256, "directions ", settings.directions);
  std::vector<StepRecord> records;
  std::vector<std::unique_ptr<kernels::Noise>> noises;
  for (std::uint32_t direction = 0; direction < static_cast<std::uint32_t>(settings.directions); ++direction) {
    const kernels::NoiseKey key = noise_key(settings.seed, step, direction);
    noises.push_back(noise_for ? noise_for(key) : std::make_unique<kernels::PhiloxNoise>(key));
    const kernels::Probe probe{noises.back().get(), static_cast<float>(settings.eps), settings.eps_mode,
                               kernels::Signs::kBoth};
    records.push_back(make_record(settings, step, direction, lr, loss(probe)));
  }
  if (std::any_of(records.begin(), records.end(), [](const StepRecord& record) { return record.skipped; })) {
    mark_skipped(records);
  }
  if (before_update) before_update(records);
  for (std::size_t i = 0; i < records.size(); ++i) {
    apply_record(records[i], settings.eps_mode, settings.floor, tensors, *noises[i]);
  }
  return records;
}

std::uint64_t scales_checksum(std::span<const TrainableScales> tensors) {
  core::Xxh3 hash;
  for (const TrainableScales& tensor : tensors) hash.update(std::as_bytes(tensor.values));
  return hash.digest();
}

}  // namespace qzo::zo
