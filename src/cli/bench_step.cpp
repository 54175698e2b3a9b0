#include <algorithm>
#include <iostream>
#include <memory>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "qzo/cli/table.h"
#include "qzo/cli/training_problem.h"
#include "qzo/core/memory.h"
#include "qzo/core/profile.h"
#include "qzo/core/text.h"
#include "qzo/core/thread_pool.h"
#include "qzo/objectives/classification.h"
#include "qzo/ops/linear.h"

#include "cli/bench.h"
#include "cli/bench_peaks.h"
#include "cli/synthetic_checkpoint.h"

namespace qzo::cli {
namespace {

// What is stepped: a recipe's model and batch, or synthetic ones.
struct Subject {
  std::unique_ptr<io::Checkpoint> checkpoint;  // synthetic only; outlives the model
  std::unique_ptr<models::CausalLm> own_model;
  std::vector<tasks::Example> own_examples;
  models::CausalLm* model = nullptr;
  std::span<const tasks::Example> batch;
  zo::QzoSettings zo;
  objectives::ObjectiveOptions objective;
};

Subject subject_of(Assembly& assembly) {
  Subject subject;
  subject.model = assembly.base.model.get();
  subject.batch = sample_batch(assembly);
  subject.zo = loop_settings(assembly).zo;
  subject.objective = evaluation_options(assembly.config.values);
  return subject;
}

// Random tokens, so that sequences have nothing in common; two candidates of one token each.
std::vector<tasks::Example> random_examples(const BenchArguments& arguments, std::int64_t vocabulary) {
  std::vector<tasks::Example> examples;
  std::uint32_t state = 1;
  for (std::int64_t i = 0; i < arguments.sequences; ++i) {
    tasks::Example example;
    for (std::int64_t t = 0; t < arguments.tokens; ++t) {
      state = state * 1664525U + 1013904223U;  // Numerical Recipes
      example.prompt.push_back(static_cast<std::int32_t>((state >> 8) % static_cast<std::uint32_t>(vocabulary)));
    }
    example.candidates = {{0}, {1}};
    example.label = static_cast<std::int32_t>(i % 2);
    examples.push_back(std::move(example));
  }
  return examples;
}

Subject synthetic_subject(const BenchArguments& arguments) {
  Subject subject;
  const double making = seconds_of(
      [&] { subject.checkpoint = synthetic_checkpoint(arguments.shape, arguments.format, arguments.group); });
  const double loading = seconds_of([&] {
    subject.own_model = models::load_causal_lm(*subject.checkpoint);
    models::select_trainable(*subject.own_model, {"*"}, {});
  });
  std::cout << core::text(arguments.shape, " ", arguments.format, ", random weights: made in ", fixed(making, 1),
                          " s, loaded in ", fixed(loading, 1), " s; ", arguments.sequences, " sequences of ",
                          arguments.tokens, " tokens\n")
            << std::flush;
  subject.model = subject.own_model.get();
  subject.own_examples = random_examples(arguments, subject.model->summary().vocabulary);
  subject.batch = subject.own_examples;
  subject.zo.eps_mode = kernels::EpsMode::kRelative;
  return subject;
}

struct Times {
  std::array<std::vector<double>, core::kParts> parts;
  std::vector<double> update, whole;
  double operations = 0;  // of the matrix products of a step
};

// One batch again and again, always at the same scales: the learning rate is 0, but the update does its work.
Times measure(const Subject& subject, ops::Precision precision, int repeats) {
  objectives::ObjectiveOptions options = subject.objective;
  options.precision = precision;
  objectives::Classification objective(*subject.model, options);
  std::vector<zo::TrainableScales> tensors = trainable_scales(*subject.model);
  Times out;
  for (int i = -1; i < repeats; ++i) {  // the first one warms up
    double forward = 0;
    const double whole = seconds_of([&] {
      zo::qzo_step(subject.zo, static_cast<std::uint64_t>(i + 1), 0.0, tensors, [&](const kernels::Probe& probe) {
        core::start_profile();
        zo::LossPair losses;
        forward += seconds_of([&] { losses = objective.loss(subject.batch, probe); });
        const auto seconds = core::stop_profile();
        out.operations = core::counted_operations();
        if (i >= 0)
          for (std::size_t p = 0; p < core::kParts; ++p) out.parts[p].push_back(seconds[p]);
        return losses;
      });
    });
    if (i < 0) continue;
    out.update.push_back(whole - forward);
    out.whole.push_back(whole);
  }
  return out;
}

// Seconds that a step spends on unpacking: products of one row a sign do nothing else worth mentioning.
double unpack_seconds(const Subject& subject, ops::Precision precision, double operations) {
  double weights = 0, seconds = 0;
  for (const quant::PackedWeight* weight : subject.model->decoder_linears())
    weights += static_cast<double>(weight->codes.out) * static_cast<double>(weight->codes.in);
  const auto rows = static_cast<std::int64_t>(operations / (2 * weights));
  quant::ScaleBuffers buffers;
  for (const quant::PackedWeight* weight : subject.model->decoder_linears()) {
    const at::Tensor x = at::zeros({2, weight->codes.in});
    const kernels::ScaleView scales = quant::effective_scales(*weight, {}, buffers).plus;
    const auto times = static_cast<double>(ops::unpackings(weight->codes, rows, precision));
    seconds += times * seconds_of([&] {
                 ops::quant_linear(x, weight->codes, scales, scales, 1, {}, precision, weight->chunks);
               });
  }
  return seconds;
}

std::string cell(double seconds, double whole) {
  return core::text(fixed(1000 * seconds, 1), " (", percent(seconds / whole, 0), ")");
}

}  // namespace

core::Json bench_step(const BenchArguments& arguments, Assembly* assembly) {
  const Subject subject = assembly != nullptr ? subject_of(*assembly) : synthetic_subject(arguments);
  const int threads = core::thread_count();
  at::set_num_threads(threads);
  const Peaks peaks = measure_peaks(threads);
  at::set_num_threads(1);
  std::cout << peaks.text() << "\n" << std::flush;
  Table table({"ms a step", "whole", "spread", "matmul", "of it unpacking", "noise", "attention", "elementwise", "head",
               "other", "update", "GFLOP/s", "/ dense bf16", "/ dense fp32"});
  core::Json results = core::Json::array();
  for (const ops::Precision precision : chosen_precisions(arguments)) {
    const Times times = measure(subject, precision, arguments.repeats);
    const Spread whole = spread_of(times.whole);
    const double unpack = unpack_seconds(subject, precision, times.operations);
    const double rate = 1e-9 * times.operations / whole.median;
    std::vector<std::string> row = {ops::precision_name(precision), fixed(1000 * whole.median, 0),
                                    core::text(fixed(1000 * whole.least, 0), "-", fixed(1000 * whole.most, 0))};
    core::Json parts = {{"update", spread_of(times.update).median}, {"unpack_of_matmul", unpack}};
    for (std::size_t p = 0; p < core::kParts; ++p) {
      const double median = spread_of(times.parts[p]).median;
      parts[core::part_name(static_cast<core::Part>(p))] = median;
      row.push_back(cell(median, whole.median));
      if (static_cast<core::Part>(p) == core::Part::kMatmul) row.push_back(cell(unpack, whole.median));
    }
    row.push_back(cell(spread_of(times.update).median, whole.median));
    row.insert(row.end(), {fixed(rate, 0), fixed(rate / peaks.dense_bf16, 2), fixed(rate / peaks.dense_fp32, 2)});
    table.add(row);
    results.push_back({{"precision", ops::precision_name(precision)},
                       {"threads", threads},
                       {"seconds", whole.median},
                       {"seconds_least", whole.least},
                       {"seconds_most", whole.most},
                       {"gflops", rate},
                       {"ratio_to_dense_bf16", rate / peaks.dense_bf16},
                       {"ratio_to_dense_fp32", rate / peaks.dense_fp32},
                       {"parts", parts}});
  }
  std::cout << table.str() << "peak resident memory " << core::human_bytes(core::peak_resident_bytes()) << "\n";
  return {{"results", results}, {"peaks", peaks.json()}, {"peak_resident_bytes", core::peak_resident_bytes()}};
}

}  // namespace qzo::cli
