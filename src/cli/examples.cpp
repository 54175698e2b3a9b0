#include "qzo/cli/examples.h"

#include <algorithm>

#include "qzo/core/error.h"
#include "qzo/core/hash.h"
#include "qzo/core/text.h"
#include "qzo/data/reader.h"
#include "qzo/data/sampler.h"

namespace qzo::cli {
namespace {

using Rows = std::vector<std::int64_t>;

std::int64_t row_count(const data::Table& table) { return static_cast<std::int64_t>(table.rows.size()); }

// MeZO evaluates on the first `most` of a permuted file.
Rows at_most(const config::DataConfig& data, const data::Table& table, std::int64_t most) {
  Rows rows = data::legacy_permutation(static_cast<std::uint32_t>(data.subset_seed), row_count(table));
  rows.resize(static_cast<std::size_t>(std::min(most, row_count(table))));
  return rows;
}

data::Split train_and_dev(const config::DataConfig& data, const data::Table& table) {
  const std::int64_t dev = data.dev.empty() ? data.num_dev : 0;
  return data::choose_train_dev(static_cast<std::uint32_t>(data.subset_seed), row_count(table), data.num_train, dev,
                                table.file.string());
}

void update(core::Xxh3& hash, const std::vector<std::int32_t>& ids) {
  const auto count = static_cast<std::uint64_t>(ids.size());
  hash.update(std::as_bytes(std::span(&count, 1)));
  hash.update(std::as_bytes(std::span(ids)));
}

}  // namespace

tasks::ClassificationTask make_task(const config::TaskConfig& task) {
  if (!task.name.empty()) return tasks::builtin_task(task.name);
  return {"custom", task.prompt, task.candidates, task.labels, task.label_field};
}

std::vector<std::string> prompt_fields(const std::string& prompt) {
  std::vector<std::string> fields;
  for (std::size_t open = prompt.find('{'); open != std::string::npos; open = prompt.find('{', open + 1)) {
    const std::size_t close = prompt.find('}', open);
    if (close == std::string::npos) break;
    std::string name = prompt.substr(open + 1, close - open - 1);
    if (std::find(fields.begin(), fields.end(), name) == fields.end()) fields.push_back(std::move(name));
  }
  return fields;
}

tasks::EncodeOptions encode_options(const config::DataConfig& data) {
  const tasks::Bos bos = data.bos == "none"     ? tasks::Bos::kNone
                         : data.bos == "always" ? tasks::Bos::kAlways
                                                : tasks::Bos::kModel;
  return {.max_length = data.max_length, .bos = bos};
}

Examples load_examples(const config::DataConfig& data, const tasks::ClassificationTask& task,
                       const tokenizer::Tokenizer& tokenizer, const tasks::EncodeOptions& options) {
  Examples out;
  const auto encode = [&](const data::Table& table, const Rows& rows) {
    return tasks::encode_all(task, table, rows, tokenizer, options, &out.counts);
  };
  const data::Table train = data::read_table(data.train);
  const data::Split split = train_and_dev(data, train);
  out.train = encode(train, split.train);
  if (data.dev.empty()) {
    out.dev = encode(train, split.dev);
  } else {
    const data::Table dev = data::read_table(data.dev);
    out.dev = encode(dev, at_most(data, dev, data.num_dev));
  }
  if (!data.test.empty()) {
    const data::Table test = data::read_table(data.test);
    out.test = encode(test, at_most(data, test, data.num_test));
  }
  return out;
}

std::vector<tasks::Example> load_split(const config::DataConfig& data, const tasks::ClassificationTask& task,
                                       const tokenizer::Tokenizer& tokenizer, const tasks::EncodeOptions& options,
                                       Split split) {
  if (split == Split::kTrain || (split == Split::kDev && data.dev.empty())) {
    const data::Table table = data::read_table(data.train);
    const data::Split rows = train_and_dev(data, table);
    return tasks::encode_all(task, table, split == Split::kTrain ? rows.train : rows.dev, tokenizer, options);
  }
  const auto& file = split == Split::kDev ? data.dev : data.test;
  if (file.empty()) {
    throw core::UserError("the recipe names no test file. Add data.test, or score another part with --split dev");
  }
  const data::Table table = data::read_table(file);
  return tasks::encode_all(task, table, at_most(data, table, split == Split::kDev ? data.num_dev : data.num_test),
                           tokenizer, options);
}

std::uint64_t examples_hash(const Examples& examples) {
  core::Xxh3 hash;
  for (const auto* part : {&examples.train, &examples.dev}) {
    const auto count = static_cast<std::uint64_t>(part->size());
    hash.update(std::as_bytes(std::span(&count, 1)));
    for (const tasks::Example& example : *part) {
      update(hash, example.prompt);
      for (const auto& candidate : example.candidates) update(hash, candidate);
      update(hash, {example.label});
    }
  }
  return hash.digest();
}

}  // namespace qzo::cli
