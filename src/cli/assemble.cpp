#include "qzo/cli/assemble.h"

#include <algorithm>
#include <array>
#include <functional>
#include <set>

#include "qzo/cli/adapter.h"
#include "qzo/cli/chat_prompt.h"
#include "qzo/cli/environment.h"
#include "qzo/cli/locate.h"
#include "qzo/core/error.h"
#include "qzo/core/hash.h"
#include "qzo/core/memory.h"
#include "qzo/core/text.h"

namespace qzo::cli {
namespace {

using core::text;

tokenizer::GgufVocabulary gguf_vocabulary(const io::GgufMetadata& metadata) {
  tokenizer::GgufVocabulary out;
  out.file = metadata.file;
  out.model = metadata.string("tokenizer.ggml.model");
  if (const auto* pre = metadata.find_string("tokenizer.ggml.pre")) out.pre = *pre;
  if (const auto* tokens = metadata.find_strings("tokenizer.ggml.tokens")) out.tokens = *tokens;
  if (const auto* scores = metadata.find_numbers("tokenizer.ggml.scores")) out.scores = *scores;
  if (const auto* types = metadata.find_integers("tokenizer.ggml.token_type")) out.token_types = *types;
  if (const auto* merges = metadata.find_strings("tokenizer.ggml.merges")) out.merges = *merges;
  out.bos = metadata.find_integer("tokenizer.ggml.bos_token_id");
  out.eos = metadata.find_integer("tokenizer.ggml.eos_token_id");
  out.unknown = metadata.find_integer("tokenizer.ggml.unknown_token_id");
  out.add_bos = metadata.find_bool("tokenizer.ggml.add_bos_token");
  out.add_space_prefix = metadata.find_bool("tokenizer.ggml.add_space_prefix");
  return out;
}

// Growth of resident memory since `before`; none if memory was given back meanwhile.
std::uint64_t growth_since(std::uint64_t before) {
  const std::uint64_t now = core::resident_bytes();
  return now > before ? now - before : 0;
}

// Runs stages that may fail independently and reports their problems together.
class Stages {
 public:
  void run(const std::function<void()>& stage) {
    try {
      stage();
    } catch (const core::UserError& error) {
      problems_.emplace_back(error.what());
    }
  }
  void finish() const {
    if (problems_.empty()) return;
    if (problems_.size() == 1) throw core::UserError(problems_.front());
    std::string message = text(problems_.size(), " problems:");
    for (std::size_t i = 0; i < problems_.size(); ++i) message += text("\n  ", i + 1, ". ", problems_[i]);
    throw core::UserError(message);
  }

 private:
  std::vector<std::string> problems_;
};

}  // namespace

quant::LoadOptions quant_options(const config::RunConfig& config) {
  quant::LoadOptions options;
  options.minimum_rule = config.zo.minimum == "fixed" ? quant::MinimumRule::kFixed : quant::MinimumRule::kTied;
  if (config.model.gptq_zero_version == "v1") options.gptq_zero_version = quant::ZeroVersion::kV1;
  if (config.model.gptq_zero_version == "v2") options.gptq_zero_version = quant::ZeroVersion::kV2;
  return options;
}

objectives::ObjectiveOptions evaluation_options(const config::RunConfig& config) {
  objectives::ObjectiveOptions options;
  options.stacked_signs = config.zo.signs == "stacked";
  options.max_tokens_per_pass = config.train.max_tokens_per_pass;
  return options;
}

objectives::ObjectiveOptions training_options(const config::RunConfig& config) {
  objectives::ObjectiveOptions options = evaluation_options(config);
  options.precision = ops::precision_from(config.model.precision);
  return options;
}

LoadedModel load_model(const std::filesystem::path& path, const quant::LoadOptions& options,
                       const LoadProgress& progress) {
  const std::filesystem::path place = find_checkpoint(path);
  if (is_adapter(place)) return load_with_adapter(place, options);
  LoadedModel out;
  const std::uint64_t before = core::resident_bytes();
  out.checkpoint = std::make_unique<io::Checkpoint>(io::open_checkpoint(place));
  out.metadata_bytes = growth_since(before);
  models::ModelLoadOptions load_options;
  load_options.quant = options;
  load_options.progress = progress;
  out.model = models::load_causal_lm(*out.checkpoint, load_options);
  return out;
}

bool has_tokenizer(const io::Checkpoint& checkpoint) {
  if (checkpoint.kind == io::CheckpointKind::kGguf) return checkpoint.metadata.has("tokenizer.ggml.model");
  return std::ranges::any_of(std::array{"tokenizer.json", "tokenizer.model", "vocab.json"},
                             [&](const char* file) { return std::filesystem::exists(checkpoint.root / file); });
}

std::unique_ptr<tokenizer::Tokenizer> load_tokenizer(const io::Checkpoint& checkpoint, const models::CausalLm& model) {
  auto tokenizer = checkpoint.kind == io::CheckpointKind::kGguf
                       ? tokenizer::from_gguf(gguf_vocabulary(checkpoint.metadata))
                       : tokenizer::from_folder(checkpoint.root);
  // Fewer is common (padded embeddings); more would read past the embedding.
  if (tokenizer->vocabulary_size() > model.summary().vocabulary) {
    throw core::UserError(text(checkpoint.root.string(), ": the tokenizer has ", tokenizer->vocabulary_size(),
                               " tokens, but the embedding only ", model.summary().vocabulary,
                               " rows. Tokenizer and weights are not of the same model."));
  }
  return tokenizer;
}

std::string trained_formats(models::CausalLm& model) {
  std::set<std::string> formats;
  for (const quant::PackedWeight* weight : model.weights()) {
    if (weight->trainable) formats.insert(weight->format);
  }
  std::string out;
  for (const std::string& format : formats) out += (out.empty() ? "" : ", ") + format;
  return out;
}

Assembly assemble(config::LoadedConfig config, const LoadProgress& progress) {
  Assembly out;
  out.config = std::move(config);
  config::check_files(out.config);
  const config::RunConfig& values = out.config.values;

  Stages stages;
  stages.run([&] { out.task = make_task(values.task); });
  stages.run([&] {
    out.base = load_model(values.model.path, quant_options(values), progress);
    const std::uint64_t before = core::resident_bytes();
    out.tokenizer = load_tokenizer(*out.base.checkpoint, *out.base.model);
    out.measured.vocabulary = out.base.metadata_bytes + growth_since(before);
  });
  stages.run([&] {
    if (out.base.model == nullptr) return;
    if (values.method.first_order()) return config::resolve_auto(out.config, "model.precision", "fp32");
    models::select_trainable(*out.base.model, values.zo.include, values.zo.exclude);
    config::apply_format_defaults(out.config, trained_formats(*out.base.model));
  });
  stages.run([&] {
    if (out.tokenizer == nullptr || out.task.prompt.empty()) return;
    const std::uint64_t before = core::resident_bytes();
    out.examples = load_examples(values.data, out.task, *out.tokenizer,
                                 encode_options(values, *out.base.checkpoint, *out.tokenizer));
    out.measured.data = growth_since(before);
  });
  stages.finish();
  return out;
}

kernels::EpsMode eps_mode(const config::RunConfig& config) {
  return config.zo.eps_mode == "relative" ? kernels::EpsMode::kRelative : kernels::EpsMode::kAbsolute;
}

std::span<const tasks::Example> sample_batch(const Assembly& assembly) {
  const std::vector<tasks::Example>& train = assembly.examples.train;
  return {train.data(), std::min(train.size(), static_cast<std::size_t>(assembly.config.values.train.batch_size))};
}

train::LoopSettings loop_settings(const Assembly& assembly) {
  const config::RunConfig& values = assembly.config.values;
  train::LoopSettings out;
  out.zo.eps = values.zo.eps;
  out.zo.eps_mode = eps_mode(values);
  out.zo.clip = values.zo.clip;
  out.zo.floor = values.zo.floor;
  out.zo.directions = static_cast<int>(values.zo.directions);
  out.zo.seed = static_cast<std::uint64_t>(values.train.seed);
  out.steps = static_cast<std::uint64_t>(values.train.steps);
  out.first_order = values.method.first_order();
  out.lr = values.train.lr;
  out.schedule = values.train.schedule == "linear"   ? zo::Schedule::kLinear
                 : values.train.schedule == "cosine" ? zo::Schedule::kCosine
                                                     : zo::Schedule::kConstant;
  out.warmup = static_cast<std::uint64_t>(values.train.warmup);
  out.batch_size = values.train.batch_size;
  out.eval_every = static_cast<std::uint64_t>(values.train.eval_every);
  out.save_every = static_cast<std::uint64_t>(values.train.save_every);
  out.log_every = static_cast<std::uint64_t>(values.train.log_every);
  out.sync_every = static_cast<std::uint64_t>(values.train.sync_every);
  out.keep_last = static_cast<int>(values.train.keep_last);
  out.best_metric = values.train.best_metric;
  out.nonfinite_limit = static_cast<int>(values.train.nonfinite_limit);
  out.longest_first = values.train.longest_first;
  out.tensorboard = values.output.tensorboard;
  const std::array<std::uint64_t, 2> identity = {config::trajectory_hash(values), examples_hash(assembly.examples)};
  out.config_hash = core::xxh3_64(std::as_bytes(std::span(identity)));
  out.config_json = config::effective_json(assembly.config).dump(2) + "\n";
  out.environment_json = environment_json(values.model.precision).dump(2) + "\n";
  return out;
}

}  // namespace qzo::cli
