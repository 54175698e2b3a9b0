#include <algorithm>
#include <string_view>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/tasks/classification.h"

#include "tasks/prompt_template.h"

namespace qzo::tasks {

namespace {

using core::text;
using core::UserError;
using Ids = std::vector<std::int32_t>;

std::size_t common_prefix(const Ids& a, const Ids& b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

// Spaces at both ends, then every blank in front.
std::string_view without_outer_blanks(std::string_view whole) {
  const std::size_t last = whole.find_last_not_of(' ');
  whole = whole.substr(0, last == std::string_view::npos ? 0 : last + 1);
  return whole.substr(std::min(whole.find_first_not_of(" \t\r\n\v\f"), whole.size()));
}

// What is the same for every row of a data set.
class Encoder {
 public:
  Encoder(const ClassificationTask& task, const tokenizer::Tokenizer& tokenizer, const EncodeOptions& options,
          EncodeCounts* counts)
      : task_(task), prompt_(task.prompt), tokenizer_(tokenizer), options_(options), counts_(counts) {
    QZO_CHECK(task.candidates.size() >= 2, task.candidates.size(), " candidates");
    QZO_CHECK(task.labels.empty() || task.labels.size() == task.candidates.size(), task.labels.size(), " labels for ",
              task.candidates.size(), " candidates");
    if (options.bos == Bos::kAlways && !tokenizer.bos()) {
      throw UserError("data.bos is \"always\", but the tokenizer has no BOS token; use \"model\" or \"none\"");
    }
  }

  [[nodiscard]] Example labelled(const data::Row& row, const std::filesystem::path& file) const {
    const std::string where = text(file.string(), ":", row.line);
    Example example = unlabelled(row.fields, where);
    example.label = label_index(row.fields, where);
    example.line = row.line;
    return example;
  }

  [[nodiscard]] Example unlabelled(const Fields& fields, const std::string& where) const {
    const std::string whole_prompt = readable(prompt_.render(fields, where));
    const Ids prompt = ids_of(whole_prompt);
    std::vector<Ids> wholes;
    std::size_t shared = prompt.size();
    for (const std::string& candidate : task_.candidates) {
      const Ids& whole = wholes.emplace_back(ids_of(whole_prompt + candidate));
      if (whole.size() <= prompt.size()) {
        throw UserError(text(where, ": the candidate ", core::quoted(candidate),
                             " adds no token to the prompt, so there is nothing to score; change task.candidates or "
                             "the end of task.prompt"));
      }
      shared = std::min(shared, common_prefix(prompt, whole));
    }
    Example example;
    for (const Ids& whole : wholes) add_candidate(example, whole, shared, where);
    example.unscored = static_cast<std::int64_t>(prompt.size() - shared);
    if (example.unscored > 0 && counts_ != nullptr) ++counts_->merged_boundary;
    example.prompt = cut({prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(shared)}, example, where);
    return example;
  }

 private:
  [[nodiscard]] std::string readable(const std::string& prompt) const {
    return options_.wrap ? options_.wrap(std::string(without_outer_blanks(prompt))) : prompt;
  }
  [[nodiscard]] Ids ids_of(const std::string& whole) const {
    return tokenizer_.encode(options_.wrap ? std::string_view(whole) : without_outer_blanks(whole));
  }

  void add_candidate(Example& example, const Ids& whole, std::size_t shared, const std::string& where) const {
    Ids ids(whole.begin() + static_cast<std::ptrdiff_t>(shared), whole.end());
    const auto same = std::find(example.candidates.begin(), example.candidates.end(), ids);
    if (same != example.candidates.end()) {
      const auto first = static_cast<std::size_t>(same - example.candidates.begin());
      throw UserError(text(where, ": the candidates ", core::quoted(task_.candidates[first]), " and ",
                           core::quoted(task_.candidates[example.candidates.size()]),
                           " are the same tokens behind this prompt; make task.candidates differ"));
    }
    example.candidates.push_back(std::move(ids));
  }

  // BOS in front, and from the left no more than max_length leaves to the prompt.
  [[nodiscard]] Ids cut(Ids prompt, const Example& example, const std::string& where) const {
    std::size_t longest = 0;
    for (const Ids& candidate : example.candidates) longest = std::max(longest, candidate.size());
    const bool bos =
        !options_.wrap && (options_.bos == Bos::kAlways ||
                           (options_.bos == Bos::kModel && tokenizer_.adds_bos() && tokenizer_.bos().has_value()));
    if (prompt.empty() && !bos) {
      throw UserError(text(where,
                           ": nothing stands in front of the answer, neither a prompt nor BOS; check the fields of "
                           "task.prompt, or set data.bos to \"always\""));
    }
    const std::int64_t room = options_.max_length - static_cast<std::int64_t>(longest) - (bos ? 1 : 0);
    if (static_cast<std::int64_t>(prompt.size()) > room) {
      if (room < 1) {
        throw UserError(text(where, ": the answer has ", longest, " tokens and data.max_length is ",
                             options_.max_length, ", so nothing of the prompt would be left; raise data.max_length"));
      }
      if (options_.wrap) {
        throw UserError(text(where, ": prompt and answer have ", prompt.size() + longest,
                             " tokens in the chat template and ", "data.max_length is ", options_.max_length,
                             "; a chat is not cut: raise data.max_length"));
      }
      prompt.erase(prompt.begin(), prompt.end() - room);
      if (counts_ != nullptr) ++counts_->truncated;
    }
    if (bos) prompt.insert(prompt.begin(), *tokenizer_.bos());
    return prompt;
  }

  [[nodiscard]] std::int32_t label_index(const Fields& fields, const std::string& where) const {
    const std::string& value = field_value(fields, task_.label_field, where, "task.label_field");
    std::string known;
    for (std::size_t i = 0; i < task_.candidates.size(); ++i) {
      const std::string label = task_.labels.empty() ? std::to_string(i) : task_.labels[i];
      if (label == value) return static_cast<std::int32_t>(i);
      known += (known.empty() ? "" : ", ") + core::quoted(label);
    }
    throw UserError(text(where, ": the label ", core::quoted(value), " is none of ", known,
                         "; list the labels of the data in task.labels, one for each candidate"));
  }

  const ClassificationTask& task_;
  PromptTemplate prompt_;
  const tokenizer::Tokenizer& tokenizer_;
  const EncodeOptions& options_;
  EncodeCounts* counts_;
};

}  // namespace

std::int64_t Example::tokens() const {
  auto rows = static_cast<std::int64_t>(prompt.size());
  // The last token of a candidate is predicted, never computed.
  for (const Ids& candidate : candidates) rows += static_cast<std::int64_t>(candidate.size()) - 1;
  return rows;
}

bool Example::single_token() const {
  return std::all_of(candidates.begin(), candidates.end(), [](const Ids& ids) { return ids.size() == 1; });
}

Example encode(const ClassificationTask& task, const data::Row& row, const std::filesystem::path& file,
               const tokenizer::Tokenizer& tokenizer, const EncodeOptions& options, EncodeCounts* counts) {
  return Encoder(task, tokenizer, options, counts).labelled(row, file);
}

std::vector<Example> encode_all(const ClassificationTask& task, const data::Table& table,
                                const std::vector<std::int64_t>& rows, const tokenizer::Tokenizer& tokenizer,
                                const EncodeOptions& options, EncodeCounts* counts) {
  const Encoder encoder(task, tokenizer, options, counts);
  std::vector<Example> out;
  out.reserve(rows.size());
  for (const std::int64_t row : rows) {
    QZO_CHECK(row >= 0 && row < static_cast<std::int64_t>(table.rows.size()), "row ", row, " of ", table.rows.size());
    out.push_back(encoder.labelled(table.rows[static_cast<std::size_t>(row)], table.file));
  }
  return out;
}

Example encode_text(const ClassificationTask& task, const std::map<std::string, std::string>& fields,
                    const tokenizer::Tokenizer& tokenizer, const EncodeOptions& options) {
  return Encoder(task, tokenizer, options, nullptr).unlabelled(fields, "the text given");
}

}  // namespace qzo::tasks
