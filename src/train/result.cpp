#include "train/result.h"

#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/memory.h"
#include "qzo/train/json_values.h"

namespace qzo::train {
namespace {

core::Json metrics_at(const std::optional<tasks::Metrics>& metrics, std::optional<std::uint64_t> step) {
  if (!metrics || !step) return nullptr;
  core::Json json = metrics_json(*metrics);
  json["step"] = *step;
  return json;
}

}  // namespace

LoopResult make_result(const LoopState& state) {
  LoopResult result;
  result.steps_done = state.steps_done;
  result.zero_shot = state.zero_shot.value_or(tasks::Metrics{});
  result.best = state.best.value_or(tasks::Metrics{});
  result.best_step = state.best_step;
  result.skipped = state.skipped;
  result.seconds_per_step = state.seconds_per_step();
  result.peak_memory = core::peak_resident_bytes();
  return result;
}

void write_result(const core::RunFolder& folder, const LoopState& state, const LoopSettings& settings,
                  const std::string& status, const std::string& reason, const optim::Optimizer* optimizer) {
  core::Json json;
  json["status"] = status;
  json["exit_reason"] = reason;
  json["steps_done"] = state.steps_done;
  json["steps"] = settings.steps;
  json["best_metric"] = settings.best_metric;
  json["zero_shot"] = metrics_at(state.zero_shot, 0);
  json["best"] = metrics_at(state.best, state.best_step);
  json["final"] = metrics_at(state.last, state.evaluated_step);
  json["skipped"] = state.skipped;
  json["clip_share"] = state.clip_share();
  json[settings.first_order ? "grad_norm_rms" : "d_rms"] = number_json(state.d_rms());
  json["total_tokens"] = state.tokens;
  json["seconds_per_step"] = state.seconds_per_step();
  json["peak_memory"] = core::peak_resident_bytes();
  if (optimizer != nullptr) {
    json["optimizer"] = {{"name", optimizer->name()},
                         {"state_bytes", optimizer->state_bytes()},
                         {"bytes_per_parameter", optimizer->bytes_per_parameter()}};
  }
  core::write_file_atomically(folder.result(), json.dump(1) + "\n");
}

std::optional<LoopResult> read_finished_result(const core::RunFolder& folder, std::uint64_t steps) {
  if (!std::filesystem::exists(folder.result())) return std::nullopt;
  const std::string source = folder.result().string();
  try {
    const core::Json json = core::read_json(folder.result());
    if (!json.is_object() || !json.contains("status") || json.at("status") != "done") return std::nullopt;
    LoopResult result;
    result.steps_done = read_count(json, "steps_done", source);
    if (result.steps_done != steps) return std::nullopt;
    const auto zero_shot = read_optional_metrics(json, "zero_shot", source);
    const auto best = read_optional_metrics(json, "best", source);
    if (!zero_shot || !best) return std::nullopt;
    result.zero_shot = *zero_shot;
    result.best = *best;
    result.best_step = read_count(json.at("best"), "step", source);
    result.skipped = read_count(json, "skipped", source);
    result.seconds_per_step = read_number(json, "seconds_per_step", source);
    result.peak_memory = read_count(json, "peak_memory", source);
    return result;
  } catch (const core::UserError&) {
    return std::nullopt;
  }
}

}  // namespace qzo::train
