#pragma once
// A text-classification task: prompt template with field names, one candidate answer per label, a label column.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "qzo/data/reader.h"
#include "qzo/tokenizer/tokenizer.h"

namespace qzo::tasks {

struct ClassificationTask {
  std::string name;  // "sst2", or "custom"
  std::string
      prompt;  // "{sentence} It was": {field} is replaced by that column, stripped of surrounding blanks; {{, }}
  std::vector<std::string> candidates;  // appended to the prompt: " terrible", " great"; at least two
  std::vector<std::string> labels;      // value of the label column for each candidate; empty = "0", "1", ...
  std::string label_field = "label";
};

// Built-in tasks (sst2: MeZO's prompt). UserError listing the names if unknown.
ClassificationTask builtin_task(const std::string& name);
std::vector<std::string> builtin_task_names();

// Names of the {fields} of a prompt, each once, in order. UserError if the template is malformed.
std::vector<std::string> prompt_fields(const std::string& prompt);

struct Example {
  std::vector<std::int32_t> prompt;                   // with BOS in front where asked
  std::vector<std::vector<std::int32_t>> candidates;  // ids that follow the prompt, at least one each
  std::int32_t label = 0;                             // index into candidates
  std::int64_t line = 0;                              // in the data file
  std::int64_t unscored = 0;  // leading ids of every candidate that are context only (merged boundary, see encode)

  [[nodiscard]] std::int64_t tokens() const;  // rows that its candidates, continuing one prompt, ask for
  [[nodiscard]] bool single_token() const;    // every candidate is one token: all share the prompt's sequence
};

enum class Bos { kModel, kNone, kAlways };

struct EncodeOptions {
  std::int64_t max_length =
      2048;  // prompt + longest candidate; the prompt is cut from the left, BOS and answer are kept
  Bos bos = Bos::kModel;
  // Empty, or what the model reads in place of a prompt: the prompt inside its chat template, with every special token,
  // ending where the answer begins. Then BOS is not added and nothing is cut, as the template would lose its head.
  std::function<std::string(const std::string& prompt)> wrap = {};
};

struct EncodeCounts {
  std::int64_t truncated = 0;        // examples whose prompt was cut
  std::int64_t merged_boundary = 0;  // examples whose prompt was merged with a candidate
};

// MeZO's rules. Of the prompt and of each prompt + candidate, spaces at both ends and all blanks in front are dropped
// before they are encoded ("Answer: " + "yes" gives "Answer:" and "Answer: yes"). A candidate has as many tokens as its
// text adds to the prompt's; the last so many are scored. Inside a chat template (options.wrap) the prompt alone is
// stripped.
//
// If a tokenizer merges the end of the prompt with the beginning of a candidate, the prompt's ids are no prefix of the
// whole. Then `prompt` ends where all encodings of the example still agree, the candidates carry the rest, and
// `unscored` says how much of it is context: each candidate is read as the tokenizer wrote it.
//
// UserError with file and line: field missing, label unknown, no answer token left, two candidates of the same ids,
// max_length too small for the answer, or for a prompt that must not be cut.
Example encode(const ClassificationTask& task, const data::Row& row, const std::filesystem::path& file,
               const tokenizer::Tokenizer& tokenizer, const EncodeOptions& options, EncodeCounts* counts = nullptr);
std::vector<Example> encode_all(const ClassificationTask& task, const data::Table& table,
                                const std::vector<std::int64_t>& rows, const tokenizer::Tokenizer& tokenizer,
                                const EncodeOptions& options, EncodeCounts* counts = nullptr);
// A sentence of one's own: only the prompt fields are needed (label is 0).
Example encode_text(const ClassificationTask& task, const std::map<std::string, std::string>& fields,
                    const tokenizer::Tokenizer& tokenizer, const EncodeOptions& options);

}  // namespace qzo::tasks
