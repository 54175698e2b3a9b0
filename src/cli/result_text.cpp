#include "qzo/cli/result_text.h"

#include "qzo/cli/table.h"
#include "qzo/core/text.h"
#include "qzo/train/json_values.h"

namespace qzo::cli {
namespace {

using core::text;

void add_row(Table& table, const std::string& name, const tasks::Metrics& metrics) {
  table.add({name, grouped(metrics.count), text(fixed(100 * metrics.accuracy, 1), " ± ", percent(metrics.accuracy_se)),
             text(fixed(metrics.loss, 4), " ± ", fixed(metrics.loss_se, 4)), fixed(metrics.auc, 4)});
}

}  // namespace

std::string result_text(const train::LoopResult& result, std::uint64_t steps, std::uint64_t planned_memory,
                        const HeldOut* held_out) {
  Table table({"", "n", "accuracy", "loss", "AUC"});
  add_row(table, "dev, before", result.zero_shot);
  add_row(table, text("dev, best (step ", result.best_step, ")"), result.best);
  if (held_out != nullptr && held_out->name != "dev") {
    add_row(table, held_out->name + ", before", held_out->base);
    add_row(table, held_out->name + ", tuned", held_out->tuned);
  }
  std::string out = table.str();
  if (held_out != nullptr && held_out->base_at_tuned_threshold) {
    out += text(held_out->name, ", before, with the threshold between the answers set on the training labels: ",
                percent(*held_out->base_at_tuned_threshold), " (what removing label bias alone gives)\n");
  }
  out += text(result.steps_done, " of ", steps, " steps, ", fixed(result.seconds_per_step, 3), " s each, ",
              result.skipped, " skipped; peak memory ", core::human_bytes(result.peak_memory), ", planned ",
              core::human_bytes(planned_memory), "\n");
  return out;
}

core::Json held_out_json(const HeldOut& held_out) {
  core::Json out = {{"split", held_out.name},
                    {"base", train::metrics_json(held_out.base)},
                    {"tuned", train::metrics_json(held_out.tuned)}};
  if (held_out.base_at_tuned_threshold) {
    out["base_accuracy_at_threshold_of_training_labels"] = train::number_json(*held_out.base_at_tuned_threshold);
  }
  return out;
}

}  // namespace qzo::cli
