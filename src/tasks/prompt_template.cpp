#include "tasks/prompt_template.h"

#include <algorithm>

#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/tasks/classification.h"

namespace qzo::tasks {

namespace {

using core::text;
using core::UserError;

std::string_view stripped(std::string_view value) {
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  const std::size_t begin = value.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return value.substr(begin, value.find_last_not_of(kBlanks) - begin + 1);
}

}  // namespace

const std::string& field_value(const Fields& fields, const std::string& name, const std::string& where,
                               const std::string& reader) {
  const auto found = fields.find(name);
  if (found != fields.end()) return found->second;
  std::vector<std::string> names;
  std::string list;
  for (const auto& [known, value] : fields) {
    names.push_back(known);
    list += (list.empty() ? "" : ", ") + core::quoted(known);
  }
  const std::string nearest = core::nearest_name(name, names);
  throw UserError(text(
      where, ": ", reader, " asks for the field ", core::quoted(name), ", the row has ", list.empty() ? "none" : list,
      ". ",
      nearest.empty() ? text("Change ", reader, " or the data.") : text("Did you mean ", core::quoted(nearest), "?")));
}

PromptTemplate::PromptTemplate(std::string_view pattern) : texts_(1) {
  while (!pattern.empty()) {
    const std::size_t brace = std::min(pattern.find_first_of("{}"), pattern.size());
    texts_.back() += pattern.substr(0, brace);
    pattern.remove_prefix(brace);
    if (pattern.starts_with("{{") || pattern.starts_with("}}")) {
      texts_.back() += pattern.front();
      pattern.remove_prefix(2);
    } else if (pattern.starts_with('}')) {
      throw UserError(text("task.prompt: the brace before ", core::quoted(pattern.substr(1)),
                           " closes nothing; write }} for a brace in the text"));
    } else if (pattern.starts_with('{')) {
      const std::size_t end = pattern.find_first_of("{}", 1);
      if (end == std::string_view::npos || end == 1 || pattern[end] == '{') {
        throw UserError(text("task.prompt: ", core::quoted(pattern),
                             " does not begin with a field name in braces; write {{ for a brace in the text"));
      }
      fields_.emplace_back(pattern.substr(1, end - 1));
      texts_.emplace_back();
      pattern.remove_prefix(end + 1);
    }
  }
}

std::string PromptTemplate::render(const Fields& values, const std::string& where) const {
  std::string out = texts_[0];
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    out += stripped(field_value(values, fields_[i], where, "task.prompt"));
    out += texts_[i + 1];
  }
  return out;
}

std::vector<std::string> prompt_fields(const std::string& prompt) {
  const PromptTemplate pattern(prompt);
  std::vector<std::string> names;
  for (const std::string& name : pattern.fields()) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

}  // namespace qzo::tasks
