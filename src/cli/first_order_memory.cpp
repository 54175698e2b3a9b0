#include "qzo/cli/first_order_memory.h"

#include <algorithm>
#include <numeric>

#include <ATen/ATen.h>

#include "qzo/cli/table.h"
#include "qzo/core/text.h"

namespace qzo::cli {
namespace {

using core::text;

// Of the examples that take most rows, as many as are computed together.
std::int64_t longest_rows(const std::vector<tasks::Example>& examples, std::int64_t together) {
  std::vector<std::int64_t> lengths;
  for (const tasks::Example& example : examples) lengths.push_back(example.tokens());
  std::sort(lengths.rbegin(), lengths.rend());
  lengths.resize(std::min(lengths.size(), static_cast<std::size_t>(together)));
  return std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
}

std::int64_t most_scored(const std::vector<tasks::Example>& examples, std::int64_t together) {
  std::int64_t most = 0;
  for (const tasks::Example& example : examples) {
    std::int64_t scored = example.single_token() ? 1 : 0;
    if (scored == 0) {
      for (const auto& candidate : example.candidates) scored += static_cast<std::int64_t>(candidate.size());
    }
    most = std::max(most, scored);
  }
  return most * together;
}

}  // namespace

MemoryPlan first_order_memory(const Assembly& assembly, FirstOrderProblem& problem, const optim::Optimizer& optimizer,
                              std::uint64_t runtime_bytes) {
  const config::RunConfig& values = assembly.config.values;
  const MemoryInputs base = memory_inputs(assembly, runtime_bytes);
  const models::ModelSummary& model = assembly.base.model->summary();
  std::uint64_t weights = 0, gradients = 0;
  for (const models::TrainedTensor& tensor : problem.trainable().tensors()) {
    weights += tensor.values.nbytes();
    gradients += tensor.gradient.nbytes();
  }
  const std::int64_t batch = values.train.batch_size, micro = values.method.micro_batch;
  const std::int64_t together = micro == 0 ? batch : std::min(micro, batch);
  const std::int64_t rows = longest_rows(assembly.examples.train, together);
  const models::ActivationFloats floats = models::activation_floats(model);
  const std::int64_t layers_kept = values.method.recompute ? 1 : model.layers;
  const auto activations =
      static_cast<std::uint64_t>(4 * rows * (floats.per_row * layers_kept + floats.layer_input * model.layers));
  const std::int64_t scored = most_scored(assembly.examples.train, together);
  // Logits, their logarithms, and the gradients of both.
  const auto logits = static_cast<std::uint64_t>(16 * scored * model.vocabulary);
  // Checkpoints are written from where things are; the exported copy of full weights is not.
  const std::uint64_t exported = values.method.adapter == "lora" ? 0 : weights;
  MemoryPlan plan;
  plan.rows = {
      {"checkpoint, mapped", base.mapped_bytes, "what is not trained is read where it is"},
      {"trained weights", weights, values.method.weights},
      {"gradients", gradients, "fp32"},
      {"states of the optimizer", static_cast<std::uint64_t>(optimizer.state_bytes()),
       text(optimizer.name(), ": ", fixed(optimizer.bytes_per_parameter(), 3), " bytes a parameter")},
      {"scales of frozen weights", base.master_bytes + base.side_bytes, "with zeros, minima and group indices"},
      {"unpacked panels", base.scratch_bytes, "all threads"},
      {"activations of a micro-batch", activations,
       text(rows, " rows: the ", together, " longest examples; ",
            values.method.recompute ? "computed again on the way back" : "kept for all layers")},
      {"logits", logits, text(scored, " rows")},
      {"copy for the export", exported > activations + logits ? exported - activations - logits : 0,
       "beyond activations and logits"},
      {"metadata and tokenizer", base.measured.vocabulary, "measured"},
      {"tables and examples", base.measured.data, "measured"},
      {"program and libraries", base.runtime_bytes, "measured at start"},
  };
  return plan;
}

}  // namespace qzo::cli
