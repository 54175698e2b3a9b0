#include "tasks/prompt_template.h"

#include "qzo/core/error.h"
#include "qzo/core/text.h"

namespace qzo::tasks {

using core::text;
using core::UserError;

namespace {

std::string_view stripped(std::string_view value) {
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  const std::size_t begin = value.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return value.substr(begin, value.find_last_not_of(kBlanks) - begin + 1);
}

}  // namespace

PromptTemplate::PromptTemplate(std::string_view pattern) : texts_(1) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if ((c == '{' || c == '}') && pattern.substr(i + 1, 1) == std::string_view(&c, 1)) {
      texts_.back() += c;
      ++i;
    } else if (c == '{') {
      const std::size_t end = pattern.find('}', i);
      if (end == std::string_view::npos || end == i + 1) {
        throw UserError(text("task.prompt: ", core::quoted(pattern.substr(i)),
                             " is no field name in braces; write {{ for a brace"));
      }
      fields_.emplace_back(pattern.substr(i + 1, end - i - 1));
      texts_.emplace_back();
      i = end;
    } else if (c == '}') {
      throw UserError(text("task.prompt: a closing brace without an opening one in ", core::quoted(pattern),
                           "; write }} for a brace"));
    } else {
      texts_.back() += c;
    }
  }
}

std::string PromptTemplate::render(const std::map<std::string, std::string>& values, const std::string& where) const {
  std::string out = texts_[0];
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    const auto found = values.find(fields_[i]);
    if (found == values.end()) {
      std::vector<std::string> names;
      std::string list;
      for (const auto& [name, value] : values) {
        names.push_back(name);
        list += (list.empty() ? "" : ", ") + name;
      }
      const std::string nearest = core::nearest_name(fields_[i], names);
      throw UserError(text(where, ": the prompt wants the field ", core::quoted(fields_[i]), ", the row has ", list,
                           ".", nearest.empty() ? "" : text(" Did you mean {", nearest, "}?")));
    }
    out += stripped(found->second);
    out += texts_[i + 1];
  }
  return out;
}

}  // namespace qzo::tasks
