#pragma once
// A pattern over UTF-8 in the syntax of Oniguruma, the engine that Hugging Face's tokenizers use.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct re_pattern_buffer;

namespace qzo::tokenizer {

// Bytes [begin, end) of a text.
struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
};

enum class Engine {
  kFastest,  // matchers written for the pattern (known_patterns.h) if there are any
  kOniguruma,
};

// Thread-safe after construction.
class Regex {
 public:
  // `source` names file and component in errors. UserError if the pattern does not compile.
  Regex(const std::string& pattern, std::string source, Engine engine = Engine::kFastest);

  // All matches from left to right, not overlapping; an empty match directly behind a match is left out. `text` must be
  // valid UTF-8. UserError if the engine gives up (a pattern that backtracks without end).
  void find_all(std::string_view text, std::vector<Range>& matches) const;

 private:
  void (*known_)(std::string_view text, std::vector<Range>& matches) = nullptr;
  std::shared_ptr<re_pattern_buffer> compiled_;  // null if known_ is not
  std::string source_;
};

}  // namespace qzo::tokenizer
