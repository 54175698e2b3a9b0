#include "config/validate.h"

#include <algorithm>

#include "qzo/config/load.h"
#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "config/field.h"

namespace qzo::config {
namespace {

using core::text;

class Rulebook {
 public:
  Rulebook(const LoadedConfig& config, const std::set<std::string>& unusable) : config_(config), unusable_(unusable) {}

  std::vector<std::string> problems() {
    required();
    train();
    method();
    zo();
    task();
    chat_template();
    paths();
    return std::move(problems_);
  }

 private:
  [[nodiscard]] bool usable(std::initializer_list<const char*> keys) const {
    return std::none_of(keys.begin(), keys.end(), [this](const char* key) { return unusable_.contains(key); });
  }
  [[nodiscard]] bool stated(const std::string& key) const {
    return config_.sources.at(key) != Source::kDefault || unusable_.contains(key);
  }

  void required() {
    for (const Field& field : all_fields()) {
      if (field.rules.required && !stated(field.key)) {
        problems_.push_back(text("\"", field.key, "\" is missing. ", field.rules.text));
      }
      const Value value = field.get(config_.values);
      const auto* path = std::get_if<std::filesystem::path>(&value);
      if (field.rules.required && path != nullptr && path->empty() && stated(field.key) &&
          usable({field.key.c_str()})) {
        problems_.push_back(text("\"", field.key, "\" is empty. ", field.rules.text));
      }
    }
  }

  void train() {
    const TrainConfig& train = config_.values.train;
    if (usable({"train.warmup", "train.steps"}) && train.warmup > train.steps) {
      problems_.push_back(text("train.warmup is ", train.warmup, ", longer than train.steps = ", train.steps,
                               ". Shorten the warm-up or raise train.steps."));
    }
    if (usable({"train.batch_size", "data.num_train"}) && train.batch_size > config_.values.data.num_train) {
      problems_.push_back(text("train.batch_size is ", train.batch_size,
                               ", more than data.num_train = ", config_.values.data.num_train,
                               " examples. Lower train.batch_size or raise data.num_train."));
    }
  }

  // Settings of one method say nothing to another.
  void method() {
    const RunConfig& values = config_.values;
    const MethodConfig& method = values.method;
    if (!usable({"method.name"})) return;
    for (const Field& field : all_fields()) {
      if (!stated(field.key)) continue;
      if (method.first_order() && field.group() == "zo") {
        problems_.push_back(text(field.key, " is stated, but method.name is \"", method.name,
                                 "\": probes and scales belong to \"qzo\". Remove ", field.key,
                                 ", or set method.name to \"qzo\"."));
      }
      if (!method.first_order() && field.group() == "method" && field.key != "method.name") {
        problems_.push_back(text(field.key, " is stated, but method.name is \"qzo\", which has no gradients. Remove ",
                                 field.key, ", or set method.name to an optimizer such as \"adamw4bit_rank1\"."));
      }
    }
    if (!method.first_order()) return;
    if (!stated("train.lr")) {
      problems_.push_back(text("train.lr must be stated for method.name \"", method.name,
                               "\": 1e-5 is a start for all weights with AdamW, 2e-4 for adapters."));
    }
    if (values.model.precision != "auto" && values.model.precision != "fp32") {
      problems_.push_back(text("model.precision is \"", values.model.precision, "\", but method.name \"", method.name,
                               "\" computes in fp32. Remove model.precision."));
    }
    if (method.adapter != "lora") {
      for (const char* key : {"method.rank", "method.alpha"}) {
        if (stated(key))
          problems_.push_back(text(key, " is stated, but method.adapter is \"none\". Set it to \"lora\"."));
      }
    }
    if (method.weights == "fp32" && stated("method.stochastic_rounding")) {
      problems_.emplace_back(
          "method.stochastic_rounding is stated, but method.weights is \"fp32\", which is not rounded. Remove it.");
    }
    if (usable({"method.micro_batch", "train.batch_size"}) && method.micro_batch > values.train.batch_size) {
      problems_.push_back(text("method.micro_batch is ", method.micro_batch,
                               ", more than train.batch_size = ", values.train.batch_size, ". Lower it."));
    }
  }

  void zo() {
    const ZoConfig& zo = config_.values.zo;
    if (usable({"zo.eps", "zo.eps_mode"}) && zo.eps_mode == "relative" && zo.eps >= 1) {
      problems_.push_back(text("zo.eps is ", zo.eps,
                               " with zo.eps_mode \"relative\", so a probe would change scales by ",
                               "more than themselves. State zo.eps below 1 (0.01 is usual) or use \"absolute\"."));
    }
    if (usable({"zo.include"}) && zo.include.empty()) {
      problems_.emplace_back(
          "zo.include is empty, so nothing would be trained. Leave it out to train all quantized "
          "linears of the decoder layers.");
    }
    for (const auto& [key, globs] : {std::pair{"zo.include", &zo.include}, std::pair{"zo.exclude", &zo.exclude}}) {
      if (std::count(globs->begin(), globs->end(), "") > 0)
        problems_.push_back(text(key, " holds an empty pattern. Remove it."));
    }
  }

  void task() {
    const TaskConfig& task = config_.values.task;
    if (!usable({"task.name", "task.prompt", "task.candidates", "task.labels", "task.label_field"})) return;
    const bool built_in = !task.name.empty();
    if (built_in) {
      for (const char* key : {"task.prompt", "task.candidates", "task.labels", "task.label_field"}) {
        if (!stated(key)) continue;
        problems_.push_back(text("task.name is \"", task.name, "\", a built-in task, but ", key,
                                 " is stated too. Remove task.name for a task of your own, or ", key,
                                 " to use the built-in one."));
      }
      return;
    }
    if (task.prompt.empty()) {
      problems_.emplace_back(
          "\"task\" is missing. Name a built-in task (\"task\": \"sst2\") or state task.prompt and "
          "task.candidates.");
      return;
    }
    if (task.prompt.find('{') == std::string::npos) {
      problems_.push_back(text("task.prompt ", core::quoted(task.prompt),
                               " has no {field}, so every example would look the ",
                               "same. Name a column of the data in braces."));
    }
    candidates(task);
  }

  void candidates(const TaskConfig& task) {
    if (task.candidates.size() < 2) {
      problems_.push_back(text("task.candidates holds ", task.candidates.size(),
                               " answer(s), expected at least 2. State one ", "answer per label."));
    }
    if (!task.labels.empty() && task.labels.size() != task.candidates.size()) {
      problems_.push_back(text("task.labels holds ", task.labels.size(), " values, but task.candidates ",
                               task.candidates.size(),
                               ". State one label for each candidate, or remove task.labels to use \"0\", \"1\", ..."));
    }
    for (const auto& [key, list] :
         {std::pair{"task.candidates", &task.candidates}, std::pair{"task.labels", &task.labels}}) {
      if (std::count(list->begin(), list->end(), "") > 0)
        problems_.push_back(text(key, " holds an empty string. Fill or remove it."));
      for (auto entry = list->begin(); entry != list->end(); ++entry) {
        if (std::find(list->begin(), entry, *entry) == entry) continue;
        problems_.push_back(text(key, " holds ", core::quoted(*entry), " twice. Each must be different."));
      }
    }
    if (task.label_field.empty())
      problems_.emplace_back("task.label_field is empty. Name the label column of the data.");
  }

  void chat_template() {
    if (!usable({"task.chat_template", "data.bos"}) || !config_.values.task.chat_template) return;
    if (config_.values.data.bos != "always") return;
    problems_.emplace_back(
        "data.bos is \"always\", but with task.chat_template the template says whether BOS stands in front. Remove "
        "data.bos or task.chat_template.");
  }

  void paths() {
    const RunConfig& values = config_.values;
    if (!values.output.dir.empty() && values.output.dir == values.model.path) {
      problems_.emplace_back(
          "output.dir and model.path are the same; a run never writes into its base checkpoint. Choose "
          "another output.dir.");
    }
  }

  const LoadedConfig& config_;
  const std::set<std::string>& unusable_;
  std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> cross_field_problems(const LoadedConfig& config, const std::set<std::string>& unusable) {
  return Rulebook(config, unusable).problems();
}

void throw_problems(const std::vector<std::string>& problems, const std::string& file) {
  if (problems.empty()) return;
  if (problems.size() == 1) throw core::UserError(problems.front());
  std::string message = text(problems.size(), " problems in ", file, ":");
  for (std::size_t i = 0; i < problems.size(); ++i) message += text("\n  ", i + 1, ". ", problems[i]);
  throw core::UserError(message);
}

void check_files(const LoadedConfig& config) {
  std::vector<std::string> problems;
  for (const char* key : {"model.path", "data.train", "data.dev", "data.test"}) {
    const auto path = std::get<std::filesystem::path>(find_field(key)->get(config.values));
    std::error_code ignored;
    if (!path.empty() && !std::filesystem::exists(path, ignored)) {
      problems.push_back(
          text(key, ": there is no ", path.string(), ". Relative paths in a recipe start at its folder."));
    }
  }
  throw_problems(problems, config.file.string());
}

}  // namespace qzo::config
