#pragma once
// Recipe -> objects that belong together, each owned once: checkpoint, tokenizer, model, task, examples.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "qzo/cli/examples.h"
#include "qzo/config/load.h"
#include "qzo/io/checkpoint.h"
#include "qzo/models/causal_lm.h"
#include "qzo/models/trainable_lm.h"
#include "qzo/objectives/classification.h"
#include "qzo/tokenizer/tokenizer.h"
#include "qzo/train/loop.h"

namespace qzo::cli {

// A checkpoint with its model; the checkpoint outlives the model, which points into its mapped files.
struct LoadedModel {
  std::unique_ptr<io::Checkpoint> checkpoint;
  std::unique_ptr<models::CausalLm> model;
  std::unique_ptr<models::TrainableLm> adapters;  // that were read with it; null: none
  std::uint64_t metadata_bytes = 0;               // resident growth while the checkpoint was opened
};
// Weights loaded, of how many.
using LoadProgress = std::function<void(std::int64_t done, std::int64_t total)>;
// Opens, loads and validates every weight; nothing is marked for training yet. `path` as for find_checkpoint; a
// folder with an adapter (adapter_config.json, PEFT's layout) gives its base with the adapter on it.
LoadedModel load_model(const std::filesystem::path& path, const quant::LoadOptions& options,
                       const LoadProgress& progress = {});

// Whether the checkpoint brings a tokenizer at all, usable or not.
bool has_tokenizer(const io::Checkpoint& checkpoint);
// A folder's tokenizer files, or the vocabulary inside a GGUF file. UserError if it has more tokens than `model`.
std::unique_ptr<tokenizer::Tokenizer> load_tokenizer(const io::Checkpoint& checkpoint, const models::CausalLm& model);

// Growth of resident memory while parts were loaded whose size no formula gives: for the memory table.
struct MeasuredBytes {
  std::uint64_t vocabulary = 0;  // metadata of the checkpoint and tokenizer
  std::uint64_t data = 0;        // tables and encoded examples
};

struct Assembly {
  config::LoadedConfig config;  // "auto" resolved, defaults of the format filled in
  LoadedModel base;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer;
  tasks::ClassificationTask task;
  Examples examples;
  MeasuredBytes measured;
};

// Everything short of a step; marks what is trained. Model, settings and data are looked at even if one of them fails:
// one UserError reports all of it.
Assembly assemble(config::LoadedConfig config, const LoadProgress& progress = {});

// The formats of what is trained: "gptq", or "q4_0, q4_1" if there are several.
std::string trained_formats(models::CausalLm& model);

// Settings in the types of the parts that use them.
quant::LoadOptions quant_options(const config::RunConfig& config);
objectives::ObjectiveOptions evaluation_options(const config::RunConfig& config);  // fp32
objectives::ObjectiveOptions training_options(const config::RunConfig& config);    // model.precision, not "auto"
kernels::EpsMode eps_mode(const config::RunConfig& config);
train::LoopSettings loop_settings(const Assembly& assembly);

// The first examples of the training set, as many as a step takes: what is measured on.
std::span<const tasks::Example> sample_batch(const Assembly& assembly);

}  // namespace qzo::cli
