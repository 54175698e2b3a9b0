#include "qzo/quantize/quantize.h"

#include <utility>

#include <ATen/ATen.h>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/models/layer_walk.h"
#include "qzo/quantize/grouped_codes.h"
#include "qzo/quantize/hessian.h"

#include "quantize/dense_values.h"
#include "quantize/output.h"

namespace qzo::quantize {
namespace {

// Samples go through the model together up to here: enough for the products, little for the memory.
constexpr std::int64_t kRowsPerPass = 2048;

// The samples at one place of the walk.
struct Samples {
  std::vector<models::PackedBatch> batches;
  std::vector<at::Tensor> states;  // residual streams
};

Samples embedded(models::LayerWalk& walk, const std::vector<std::vector<std::int32_t>>& sequences) {
  Samples samples;
  for (const std::vector<std::int32_t>& sequence : sequences) {
    const auto length = static_cast<std::int64_t>(sequence.size());
    if (samples.batches.empty() || samples.batches.back().rows() + length > kRowsPerPass)
      samples.batches.emplace_back();
    samples.batches.back().add(sequence);
  }
  // Copies: what the model returns lies in buffers of its own, longer ones at times.
  for (const models::PackedBatch& batch : samples.batches) samples.states.push_back(walk.embed(batch).clone());
  return samples;
}

at::Tensor first_rows(const models::PackedBatch& batch) {
  std::vector<std::int64_t> rows;
  for (const models::Segment& segment : batch.segments) rows.push_back(segment.begin);
  return at::tensor(rows);
}

bool is_transposed(const io::Checkpoint& source, const quant::PackedWeight& weight) {
  const io::TensorEntry* entry = source.tensors.find(weight.name + ".weight");
  return weight.format == "dense" && entry != nullptr &&
         entry->shape != std::vector<std::int64_t>{weight.codes.out, weight.codes.in};
}

// A matrix in GPT-2's orientation shows in shapes only where it is not square: one for all.
std::vector<WeightShape> shapes_of(const io::Checkpoint& source, const std::vector<models::Block>& blocks,
                                   const Options& options) {
  std::vector<WeightShape> shapes;
  bool transposed = false;
  const auto add = [&](const nn::Linear& linear) {
    const quant::PackedWeight& weight = linear.weight;
    if (weight.format != "dense" && !options.requantize) {
      throw core::UserError(core::text(source.tensors.where(), ": ", weight.name, " is quantized already (",
                                       weight.format, "), expected fp16, bf16 or fp32: give the dense model, or ",
                                       "--requantize to start from what the stored codes stand for"));
    }
    transposed = transposed || is_transposed(source, weight);
    shapes.push_back({weight.name, weight.codes.out, weight.codes.in});
  };
  for (const models::Block& block : blocks) {
    for (const nn::Linear* linear : block.first) add(*linear);
    add(*block.last);
  }
  for (WeightShape& shape : shapes) shape.transposed = transposed;
  return shapes;
}

class Job {
 public:
  Job(const io::Checkpoint& source, models::CausalLm& model, const Target& target, const Options& options,
      const std::filesystem::path& destination)
      : target_(target),
        options_(options),
        walk_(models::layer_walk(model)),
        blocks_(walk_.blocks()),
        shapes_(shapes_of(source, blocks_, options)),
        output_(source, target, shapes_, destination) {
    QZO_CHECK(options.samples.empty() || target.can_calibrate(), target.name(), " is not calibrated");
  }

  Report run() {
    samples_ = embedded(walk_, options_.samples);
    for (std::size_t block = 0; block < blocks_.size(); ++block) run_block(block);
    output_.commit();
    show({});
    report_.weights = static_cast<std::int64_t>(shapes_.size());
    report_.source_bytes = output_.source_bytes();
    report_.bytes = output_.bytes();
    report_.weight_error = squared_weights_ > 0 ? squared_errors_ / squared_weights_ : 0;
    report_.output_error /= static_cast<double>(std::max<std::int64_t>(1, report_.weights));
    return report_;
  }

 private:
  bool calibrated() const { return !samples_.states.empty(); }

  void run_block(std::size_t index) {
    models::Block& block = blocks_[index];
    // Weights of the file, put back when the samples have left the block.
    std::vector<std::pair<nn::Linear*, quant::PackedWeight>> originals;
    const auto quantize_all = [&](const std::vector<nn::Linear*>& linears, const at::Tensor& hessian) {
      for (nn::Linear* linear : linears) {
        const at::Tensor values = quantize_one(linear->weight, hessian);
        if (!calibrated()) continue;
        quant::PackedWeight quantized = dense_weight(linear->weight.name, values);
        originals.emplace_back(linear, std::exchange(linear->weight, std::move(quantized)));
      }
    };
    quantize_all(block.first, hessian_of(*block.first.front(), [&](const at::Tensor& x, const models::PackedBatch&) {
                   return walk_.entrance(index, x);
                 }));
    quantize_all({block.last}, hessian_of(*block.last, [&](const at::Tensor& x, const models::PackedBatch& batch) {
                   return walk_.inner(index, x, batch);
                 }));
    for (std::size_t i = 0; i < samples_.states.size(); ++i)
      samples_.states[i] = walk_.advance(index, std::move(samples_.states[i]), samples_.batches[i]);
    for (auto& [linear, weight] : originals) linear->weight = std::move(weight);
  }

  // Undefined without samples. `input_of`: what enters the linear.
  template <class InputOf>
  at::Tensor hessian_of(const nn::Linear& linear, const InputOf& input_of) {
    if (!calibrated()) return {};
    show(linear.weight.name);
    Hessian hessian(linear.weight.codes.in);
    for (std::size_t i = 0; i < samples_.states.size(); ++i) {
      const at::Tensor x = input_of(samples_.states[i], samples_.batches[i]);
      hessian.add(x);
      if (options_.first_token > 1)
        hessian.add(x.index_select(0, first_rows(samples_.batches[i])), options_.first_token - 1);
    }
    return std::move(hessian).mean();
  }

  at::Tensor quantize_one(const quant::PackedWeight& weight, const at::Tensor& hessian) {
    show(weight.name);
    const at::Tensor dense = dense_values(weight);
    const WeightShape& shape = shapes_[static_cast<std::size_t>(done_)];
    const Encoded encoded = target_.encode(shape, dense, hessian);
    squared_weights_ += at::square(dense).sum(at::kDouble).item<double>();
    squared_errors_ += at::square(dense - encoded.values).sum(at::kDouble).item<double>();
    if (hessian.defined()) report_.output_error += relative_error(dense, encoded.values, hessian);
    report_.parameters += dense.numel();
    output_.write(shape, encoded);
    ++done_;
    return encoded.values;
  }

  void show(const std::string& weight) const {
    if (options_.progress) options_.progress({done_, static_cast<std::int64_t>(shapes_.size()), weight});
  }

  const Target& target_;
  const Options& options_;
  models::LayerWalk& walk_;
  std::vector<models::Block> blocks_;
  std::vector<WeightShape> shapes_;  // in the order of the walk
  Output output_;
  Samples samples_;
  std::int64_t done_ = 0;
  double squared_weights_ = 0, squared_errors_ = 0;
  Report report_;
};

}  // namespace

Report quantize(const io::Checkpoint& source, models::CausalLm& model, const Target& target, const Options& options,
                const std::filesystem::path& destination) {
  return Job(source, model, target, options, destination).run();
}

}  // namespace qzo::quantize
