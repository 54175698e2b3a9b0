#pragma once
// "{sentence} It was": text with field names in braces; {{ and }} stand for braces themselves.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace qzo::tasks {

using Fields = std::map<std::string, std::string>;

// UserError if `name` is absent. `where` ("train.tsv:12") names the row, `reader` what asks for it ("task.prompt").
const std::string& field_value(const Fields& fields, const std::string& name, const std::string& where,
                               const std::string& reader);

class PromptTemplate {
 public:
  // UserError on an unclosed, empty or nested name.
  explicit PromptTemplate(std::string_view pattern);

  // In order; a name that is used twice stands here twice.
  [[nodiscard]] const std::vector<std::string>& fields() const { return fields_; }
  // Values are stripped of surrounding blanks and never parsed again, so they may hold braces.
  [[nodiscard]] std::string render(const Fields& values, const std::string& where) const;

 private:
  std::vector<std::string> texts_;  // one more than fields_
  std::vector<std::string> fields_;
};

}  // namespace qzo::tasks
