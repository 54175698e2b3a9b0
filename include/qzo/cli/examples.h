#pragma once
// Task and data settings -> encoded examples.

#include <cstdint>
#include <string>
#include <vector>

#include "qzo/config/run_config.h"
#include "qzo/tasks/classification.h"
#include "qzo/tokenizer/tokenizer.h"

namespace qzo::cli {

tasks::ClassificationTask make_task(const config::TaskConfig& task);

// Names of the {fields} of a prompt, each once, in order.
std::vector<std::string> prompt_fields(const std::string& prompt);

// Without the chat template, which the checkpoint brings: chat_prompt.h.
tasks::EncodeOptions encode_options(const config::DataConfig& data);

enum class Split { kTrain, kDev, kTest };

struct Examples {
  std::vector<tasks::Example> train, dev, test;  // test is empty if no test file is named
  tasks::EncodeCounts counts;
};

// MeZO's choice of rows (data/sampler.h). A dev or test file gives at most num_dev or num_test rows.
Examples load_examples(const config::DataConfig& data, const tasks::ClassificationTask& task,
                       const tokenizer::Tokenizer& tokenizer, const tasks::EncodeOptions& options);
// One of them, without reading the other files. UserError for kTest if no test file is named.
std::vector<tasks::Example> load_split(const config::DataConfig& data, const tasks::ClassificationTask& task,
                                       const tokenizer::Tokenizer& tokenizer, const tasks::EncodeOptions& options,
                                       Split split);

// XXH3 over ids, labels and order of the training and dev examples: all that a trajectory sees of data, task and
// tokenizer, wherever the files lie.
std::uint64_t examples_hash(const Examples& examples);

}  // namespace qzo::cli
