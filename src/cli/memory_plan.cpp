#include "qzo/cli/memory_plan.h"

#include <algorithm>
#include <numeric>

#include "qzo/cli/table.h"
#include "qzo/core/memory.h"
#include "qzo/core/text.h"
#include "qzo/core/thread_pool.h"
#include "qzo/kernels/quant_matmul.h"
#include "qzo/kernels/scale_late.h"

namespace qzo::cli {
namespace {

using core::text;

std::uint64_t bytes_of(std::int64_t count, std::int64_t size) { return static_cast<std::uint64_t>(count * size); }

// Tokens that every prompt begins with.
std::int64_t common_beginning(const Examples& examples) {
  const std::vector<std::int32_t>* first = nullptr;
  std::size_t common = 0;
  for (const auto* part : {&examples.train, &examples.dev}) {
    for (const tasks::Example& example : *part) {
      if (first == nullptr) {
        first = &example.prompt;
        common = first->size();
      }
      const auto end = first->begin() + static_cast<std::ptrdiff_t>(common);
      const auto differ = std::mismatch(first->begin(), end, example.prompt.begin(), example.prompt.end()).first;
      common = static_cast<std::size_t>(differ - first->begin());
    }
  }
  return static_cast<std::int64_t>(common);
}

// Rows of the longest batch that the data allows, as passes of at most max_tokens_per_pass. More may be shared than
// what all prompts begin with; less cannot.
std::int64_t longest_pass(const MemoryInputs& inputs) {
  const auto count =
      std::min(inputs.lengths.size(), static_cast<std::size_t>(std::max<std::int64_t>(inputs.batch_size, 1)));
  const auto end = inputs.lengths.begin() + static_cast<std::ptrdiff_t>(count);
  if (count == 0) return 0;
  const std::int64_t tokens = std::accumulate(inputs.lengths.begin(), end, std::int64_t{0}) -
                              static_cast<std::int64_t>(count - 1) * inputs.common_tokens;
  if (inputs.max_tokens_per_pass == 0) return tokens;
  // An example is never cut in two.
  return std::min(tokens, std::max(inputs.max_tokens_per_pass, inputs.lengths.front()));
}

// fp32 tensors alive at once in the fuller half of a decoder layer, in floats per row (models/decoder/decoder.cpp):
// residual stream and normed input; then q, k, v, mixed values and their projection; or that projection, gate, up and
// down.
std::int64_t floats_per_row(const models::ModelSummary& model) {
  const std::int64_t query = model.heads * model.head_dim;
  const std::int64_t attention = 2 * query + 2 * model.kv_heads * model.head_dim + model.hidden;
  const std::int64_t mlp = model.hidden + model.intermediate + std::max(model.intermediate, model.hidden);
  return 2 * model.hidden + std::max(attention, mlp);
}

std::uint64_t activation_bytes(const MemoryInputs& inputs, std::int64_t rows) {
  std::uint64_t bytes = bytes_of(rows * floats_per_row(inputs.model), 4);
  bytes += bytes_of(rows * std::max(inputs.model.hidden, inputs.model.intermediate), inputs.bytes_per_rounded);
  return bytes;
}

template <class Items>
std::uint64_t size_in_memory(const Items& items) {
  return items.size() * sizeof(typename Items::value_type);
}

// What one sign takes where a master serves several groups (quant::effective_scales).
std::uint64_t spread_bytes(const quant::PackedWeight& weight) {
  if (weight.groups_per_master == 1) return 0;
  const std::int64_t groups = weight.codes.out * (weight.codes.in / weight.codes.group);
  return bytes_of(groups, weight.minimum.empty() ? 4 : 8);
}

}  // namespace

std::uint64_t MemoryPlan::total() const {
  std::uint64_t sum = 0;
  for (const MemoryRow& row : rows) sum += row.bytes;
  return sum;
}

MemoryInputs memory_inputs(const Assembly& assembly, std::uint64_t runtime_bytes) {
  const config::RunConfig& values = assembly.config.values;
  MemoryInputs out;
  out.runtime_bytes = runtime_bytes;
  for (const core::MappedFile& file : assembly.base.checkpoint->tensors.files())
    out.mapped_bytes += file.bytes().size();
  out.model = assembly.base.model->summary();
  // Activations once more as a product wants them (kernels/cpu/late_matmul.cpp); "auto" may choose any.
  const std::string& precision = values.model.precision;
  out.bytes_per_rounded = precision == "fp32" ? 0 : precision == "int8" ? 2 : 4;
  const auto threads = static_cast<std::uint64_t>(core::thread_count());
  for (const quant::PackedWeight* weight : assembly.base.model->weights()) {
    out.master_bytes += size_in_memory(weight->scales);
    out.side_bytes += size_in_memory(weight->minimum) + size_in_memory(weight->owned_codes) +
                      size_in_memory(weight->owned_zeros) + size_in_memory(weight->owned_group_of) +
                      size_in_memory(weight->constant_groups) + size_in_memory(weight->part_scales) +
                      size_in_memory(weight->part_minimums);
    const std::uint64_t scales =
        size_in_memory(weight->scales) + size_in_memory(weight->minimum) + spread_bytes(*weight);
    if (weight->trainable) out.scale_buffer_bytes = std::max(out.scale_buffer_bytes, 2 * scales);
    const std::uint64_t scratch = std::max(kernels::matmul_scratch_bytes(weight->codes), kernels::late_scratch_bytes());
    out.scratch_bytes = std::max(out.scratch_bytes, threads * scratch);
  }
  const Examples& examples = assembly.examples;
  out.measured = assembly.measured;
  out.stacked_signs = values.zo.signs == "stacked";
  out.batch_size = values.train.batch_size;
  out.max_tokens_per_pass = values.train.max_tokens_per_pass;
  for (const auto* part : {&examples.train, &examples.dev}) {
    for (const tasks::Example& example : *part) out.lengths.push_back(example.tokens());
  }
  std::sort(out.lengths.rbegin(), out.lengths.rend());
  out.common_tokens = common_beginning(examples);
  return out;
}

MemoryPlan plan_memory(const MemoryInputs& inputs) {
  const std::int64_t tokens = longest_pass(inputs);
  const std::int64_t rows = tokens * (inputs.stacked_signs ? 2 : 1);
  const std::uint64_t activations = activation_bytes(inputs, rows);
  // When the best checkpoint is read back its scales stand in memory twice, and then once more in the file's own type;
  // activations are gone by then.
  const std::uint64_t read_back = inputs.master_bytes + inputs.master_bytes / 2;
  MemoryPlan plan;
  plan.rows = {
      {"checkpoint, mapped", inputs.mapped_bytes, "codes and dense weights, read where they are"},
      {"master scales", inputs.master_bytes, "fp32"},
      {"zeros, minima, group indices", inputs.side_bytes, ""},
      {"s+ and s- of a layer", inputs.scale_buffer_bytes, "reused"},
      {"unpacked panels", inputs.scratch_bytes, "all threads"},
      {"activations of a pass", activations,
       text(rows, " rows: longest batch, ", tokens, " tokens", inputs.stacked_signs ? " x 2 signs" : "",
            inputs.common_tokens > 0 ? text("; the first ", inputs.common_tokens, " of every prompt once") : "")},
      {"reading back the best checkpoint", read_back > activations ? read_back - activations : 0,
       "beyond the activations"},
      {"metadata and tokenizer", inputs.measured.vocabulary, "measured"},
      {"tables and examples", inputs.measured.data, "measured"},
      {"program and libraries", inputs.runtime_bytes, "measured at start"},
  };
  return plan;
}

std::vector<Remedy> memory_remedies(const MemoryInputs& inputs) {
  const std::uint64_t total = plan_memory(inputs).total();
  std::vector<Remedy> out;
  const auto consider = [&](const std::string& change, const MemoryInputs& changed) {
    const std::uint64_t less = plan_memory(changed).total();
    if (less < total) out.push_back({change, total - less});
  };
  if (inputs.stacked_signs) {
    MemoryInputs sequential = inputs;
    sequential.stacked_signs = false;
    consider("zo.signs \"sequential\" (same result, slower)", sequential);
  }
  if (!inputs.lengths.empty()) {
    MemoryInputs split = inputs;
    split.max_tokens_per_pass = std::max(inputs.lengths.front(), longest_pass(inputs) / 4);
    consider(text("train.max_tokens_per_pass ", split.max_tokens_per_pass, " (same result, slower)"), split);
  }
  if (inputs.batch_size > 1) {
    MemoryInputs smaller = inputs;
    smaller.batch_size = inputs.batch_size / 2;
    consider(text("train.batch_size ", smaller.batch_size, " (another trajectory)"), smaller);
  }
  std::stable_sort(out.begin(), out.end(), [](const Remedy& a, const Remedy& b) { return a.saving > b.saving; });
  return out;
}

std::uint64_t usable_memory() { return core::available_bytes() + core::resident_bytes(); }

std::string memory_text(const MemoryPlan& plan, std::uint64_t usable) {
  Table table({"component", "bytes", "remark"}, LastColumn::kRemarks);
  for (const MemoryRow& row : plan.rows) table.add({row.component, core::human_bytes(row.bytes), row.note});
  table.add({"total / usable", core::human_bytes(plan.total()) + " / " + core::human_bytes(usable),
             plan.total() <= usable ? "OK" : "NOT ENOUGH"});
  return table.str();
}

std::string memory_text(const MemoryInputs& inputs, std::uint64_t usable) {
  const MemoryPlan plan = plan_memory(inputs);
  std::string out = memory_text(plan, usable);
  if (plan.total() <= usable) return out;
  out += text("short of ", core::human_bytes(plan.total() - usable), "; what would save memory:\n");
  for (const Remedy& remedy : memory_remedies(inputs))
    out += text("  ", remedy.change, ": ", core::human_bytes(remedy.saving), "\n");
  return out;
}

}  // namespace qzo::cli
