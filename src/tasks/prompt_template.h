#pragma once
// "{sentence} It was": text with field names in braces; {{ and }} stand for braces themselves.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace qzo::tasks {

class PromptTemplate {
 public:
  // UserError on an unclosed or empty name.
  explicit PromptTemplate(std::string_view pattern);

  [[nodiscard]] const std::vector<std::string>& fields() const { return fields_; }
  // Values are stripped of surrounding blanks. `where` ("train.tsv:12") names the row if a field is missing.
  [[nodiscard]] std::string render(const std::map<std::string, std::string>& values, const std::string& where) const;

 private:
  std::vector<std::string> texts_;  // one more than fields_
  std::vector<std::string> fields_;
};

}  // namespace qzo::tasks
