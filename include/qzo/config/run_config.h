#pragma once
// Every setting of a run, in the groups of the JSON file. The defaults stand here; bounds, choices, units and texts
// stand once in src/config/declarations.cpp: parser, ranges, JSON Schema and --describe come from them.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace qzo::config {

struct ModelConfig {
  std::filesystem::path path;
  std::string precision = "auto";          // auto | fp32 | bf16
  std::string gptq_zero_version = "auto";  // auto | v1 | v2
  int threads = 0;                         // 0 = all
};

struct ZoConfig {
  double eps = 0;                     // default depends on the format (GPTQ: 1e-3); others must state it
  std::string eps_mode = "absolute";  // absolute | relative
  std::optional<double> clip = 100;   // null = off
  double floor = 1e-7;
  std::int64_t directions = 1;
  std::string signs = "stacked";  // stacked | sequential
  std::string minimum = "tied";   // tied | fixed (GGUF blocks with a minimum)
  std::vector<std::string> include = {"*"};
  std::vector<std::string> exclude;
};

// What a run trains and with which optimizer. Everything but `name` belongs to the first-order ones.
struct MethodConfig {
  std::string name = "qzo";      // qzo | adamw32 | adamw4bit_rank1 | ...
  std::string adapter = "none";  // none: the weights themselves | lora
  std::string weights = "fp32";  // fp32 | bf16: of what is trained
  std::vector<std::string> include = {"*"};
  std::vector<std::string> exclude;
  std::int64_t rank = 8;  // lora
  double alpha = 16;      // lora
  std::int64_t micro_batch = 0;
  std::optional<double> max_norm = 1;  // null = off
  double weight_decay = 0;
  std::vector<std::string> no_decay = {"*norm*", "*.bias"};
  bool recompute = false;
  std::int64_t state_threshold = 4096;
  std::vector<std::string> full_precision;
  bool stochastic_rounding = true;

  [[nodiscard]] bool first_order() const { return name != "qzo"; }
};

struct TrainConfig {
  std::int64_t steps = 20000;
  double lr = 0;                      // default depends on the format (GPTQ: 1e-7); others must state it
  std::string schedule = "constant";  // constant | linear | cosine
  std::int64_t warmup = 0;
  std::int64_t batch_size = 16;
  std::int64_t max_tokens_per_pass = 0;
  std::int64_t seed = 0;
  std::int64_t eval_every = 4000, save_every = 1000, log_every = 1, sync_every = 50;
  std::int64_t keep_last = 2;
  std::string best_metric = "loss";  // loss | accuracy
  bool longest_first = true;
  std::int64_t nonfinite_limit = 10;
};

struct DataConfig {
  std::filesystem::path train;
  std::filesystem::path dev;   // empty: num_dev rows of the train file, by MeZO's rule
  std::filesystem::path test;  // scored by qzo-eval and, once, after training
  std::int64_t num_train = 1000, num_dev = 500, num_test = 1000;
  std::int64_t subset_seed = 0;
  std::int64_t max_length = 2048;
  std::string bos = "model";  // model | none | always
};

struct TaskConfig {
  std::string name;  // built-in; empty: the fields below
  std::string prompt;
  std::vector<std::string> candidates, labels;
  std::string label_field = "label";
  bool chat_template = false;  // the prompt inside the checkpoint's own chat template
};

struct OutputConfig {
  std::filesystem::path dir;
  bool tensorboard = true;
};

struct RunConfig {
  ModelConfig model;
  MethodConfig method;
  ZoConfig zo;
  TrainConfig train;
  DataConfig data;
  TaskConfig task;
  OutputConfig output;
};

enum class Source {
  kDefault,
  kFormatDefault,  // published for the checkpoint's format
  kDetected,       // "auto", resolved on this machine
  kFile,
  kCommandLine,
};

struct LoadedConfig {
  RunConfig values;
  std::filesystem::path file;
  std::map<std::string, Source> sources;  // by key path ("zo.eps"), every key
  std::map<std::string, int> lines;       // line in the file, for kFile
};

}  // namespace qzo::config
