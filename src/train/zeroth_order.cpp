#include "train/zeroth_order.h"

#include <chrono>

#include "qzo/core/check.h"

namespace qzo::train {

JournalHeader ZerothOrder::journal_header() {
  return {.tensor_hash = tensor_order_hash(problem_.tensors()),
          .floor = static_cast<float>(settings_.floor),
          .eps_mode = settings_.eps_mode,
          .directions = static_cast<std::uint32_t>(settings_.directions)};
}

Method::Step ZerothOrder::step(std::uint64_t step, double lr, std::span<const std::int64_t> batch,
                               const std::function<void(std::span<const zo::StepRecord>)>& before_update) {
  using Clock = std::chrono::steady_clock;
  Step out;
  const auto loss = [&](const kernels::Probe& probe) {
    const auto begin = Clock::now();
    const zo::LossPair losses = problem_.loss(batch, probe);
    out.forward_seconds += std::chrono::duration<double>(Clock::now() - begin).count();
    return losses;
  };
  out.records = zo::qzo_step(settings_, step, lr, problem_.tensors(), loss, {}, before_update);
  return out;
}

void ZerothOrder::replay(std::span<const zo::StepRecord> records) {
  for (const zo::StepRecord& record : records) {
    zo::apply_record(record, settings_.eps_mode, static_cast<float>(settings_.floor), problem_.tensors());
  }
}

}  // namespace qzo::train
