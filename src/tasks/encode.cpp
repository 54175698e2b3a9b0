#include <algorithm>

#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/tasks/classification.h"

#include "tasks/prompt_template.h"

namespace qzo::tasks {

namespace {

using core::text;
using core::UserError;
using Ids = std::vector<std::int32_t>;

// Ids of the candidate behind the prompt. A tokenizer may merge the end of the prompt with the beginning of the answer;
// then, as MeZO does, the last (full - prompt) tokens are the answer: they are scored behind the prompt's own tokens.
Ids continuation(const Ids& prompt, const Ids& full, EncodeCounts* counts) {
  if (full.size() <= prompt.size()) return {};
  if (!std::equal(prompt.begin(), prompt.end(), full.begin()) && counts != nullptr) ++counts->merged_boundary;
  return {full.begin() + static_cast<std::ptrdiff_t>(prompt.size()), full.end()};
}

bool puts_bos(const tokenizer::Tokenizer& tokenizer, const EncodeOptions& options) {
  switch (options.bos) {
    case Bos::kNone:
      return false;
    case Bos::kAlways:
      if (!tokenizer.bos()) {
        throw UserError("data.bos is \"always\", but the tokenizer has no BOS token; use \"model\" or \"none\"");
      }
      return true;
    case Bos::kModel:
      break;
  }
  return tokenizer.adds_bos() && tokenizer.bos().has_value();
}

// Cut from the left; BOS stays in front, the answer is never touched.
void truncate(Ids& prompt, bool has_bos, std::int64_t longest_answer, const EncodeOptions& options,
              const std::string& where, EncodeCounts* counts) {
  const auto length = static_cast<std::int64_t>(prompt.size());
  const std::int64_t room = options.max_length - longest_answer;
  if (length <= room) return;
  const std::int64_t kept = room - (has_bos ? 1 : 0);
  if (kept < 1) {
    throw UserError(text(where, ": the answer has ", longest_answer, " tokens and data.max_length is ",
                         options.max_length, ", so nothing of the prompt would be left. Raise data.max_length."));
  }
  Ids cut(prompt.end() - kept, prompt.end());
  if (has_bos) cut.insert(cut.begin(), prompt.front());
  prompt = std::move(cut);
  if (counts != nullptr) ++counts->truncated;
}

Example encode_prompt(const ClassificationTask& task, const std::string& prompt_text, const std::string& where,
                      const tokenizer::Tokenizer& tokenizer, const EncodeOptions& options, EncodeCounts* counts) {
  Example example;
  example.prompt = tokenizer.encode(prompt_text);
  std::int64_t longest = 0;
  for (const std::string& candidate : task.candidates) {
    Ids answer = continuation(example.prompt, tokenizer.encode(prompt_text + candidate), counts);
    if (answer.empty()) {
      throw UserError(text(where, ": the candidate ", core::quoted(candidate),
                           " adds no token behind the prompt, so there is nothing to score. Reword task.candidates or "
                           "the end of task.prompt."));
    }
    longest = std::max(longest, static_cast<std::int64_t>(answer.size()));
    example.candidates.push_back(std::move(answer));
  }
  const bool has_bos = puts_bos(tokenizer, options);
  if (has_bos) example.prompt.insert(example.prompt.begin(), *tokenizer.bos());
  if (example.prompt.empty()) {
    throw UserError(
        text(where, ": the prompt is empty and no BOS token stands in front of it, so the answer has no context"));
  }
  truncate(example.prompt, has_bos, longest, options, where, counts);
  return example;
}

std::int32_t label_index(const ClassificationTask& task, const data::Row& row, const std::string& where) {
  const auto found = row.fields.find(task.label_field);
  if (found == row.fields.end()) {
    throw UserError(
        text(where, ": the label column ", core::quoted(task.label_field), " is missing; set task.label_field"));
  }
  std::string known;
  for (std::size_t i = 0; i < task.candidates.size(); ++i) {
    const std::string label = task.labels.empty() ? std::to_string(i) : task.labels[i];
    if (label == found->second) return static_cast<std::int32_t>(i);
    known += (known.empty() ? "" : ", ") + core::quoted(label);
  }
  throw UserError(text(where, ": the label ", core::quoted(found->second), " is none of ", known, "; see task.labels"));
}

}  // namespace

std::int64_t Example::tokens() const {
  auto rows = static_cast<std::int64_t>(prompt.size());
  // The last token of a candidate is predicted, never computed.
  for (const auto& candidate : candidates) rows += static_cast<std::int64_t>(candidate.size()) - 1;
  return rows;
}

bool Example::single_token() const {
  return std::all_of(candidates.begin(), candidates.end(), [](const Ids& ids) { return ids.size() == 1; });
}

Example encode(const ClassificationTask& task, const data::Row& row, const std::filesystem::path& file,
               const tokenizer::Tokenizer& tokenizer, const EncodeOptions& options, EncodeCounts* counts) {
  const std::string where = text(file.string(), ":", row.line);
  Example example =
      encode_prompt(task, PromptTemplate(task.prompt).render(row.fields, where), where, tokenizer, options, counts);
  example.label = label_index(task, row, where);
  example.line = row.line;
  return example;
}

std::vector<Example> encode_all(const ClassificationTask& task, const data::Table& table,
                                const std::vector<std::int64_t>& rows, const tokenizer::Tokenizer& tokenizer,
                                const EncodeOptions& options, EncodeCounts* counts) {
  std::vector<Example> out;
  out.reserve(rows.size());
  for (const std::int64_t row : rows) {
    out.push_back(encode(task, table.rows[static_cast<std::size_t>(row)], table.file, tokenizer, options, counts));
  }
  return out;
}

Example encode_text(const ClassificationTask& task, const std::map<std::string, std::string>& fields,
                    const tokenizer::Tokenizer& tokenizer, const EncodeOptions& options) {
  return encode_prompt(task, PromptTemplate(task.prompt).render(fields, "the text given"), "the text given", tokenizer,
                       options, nullptr);
}

}  // namespace qzo::tasks
