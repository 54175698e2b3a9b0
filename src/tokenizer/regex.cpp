#include "tokenizer/regex.h"

#include <array>
#include <mutex>
#include <utility>

#include <oniguruma.h>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "tokenizer/known_patterns.h"
#include "tokenizer/unicode.h"

namespace qzo::tokenizer {

namespace {

const OnigUChar* pointer(std::string_view text) { return reinterpret_cast<const OnigUChar*>(text.data()); }

void initialise_engine() {
  static std::once_flag once;
  std::call_once(once, [] {
    std::array<OnigEncoding, 1> encodings = {ONIG_ENCODING_UTF8};
    onig_initialize(encodings.data(), static_cast<int>(encodings.size()));
    // Patterns come from files: neither endless backtracking nor deep recursion may hang or crash the program.
    onig_set_retry_limit_in_match(10'000'000);
    onig_set_retry_limit_in_search(1'000'000'000);
    onig_set_parse_depth_limit(256);
  });
}

std::string engine_message(int code, OnigErrorInfo* info) {
  std::array<OnigUChar, ONIG_MAX_ERROR_MESSAGE_LEN> buffer{};
  const int length = onig_error_code_to_str(buffer.data(), code, info);
  return {reinterpret_cast<const char*>(buffer.data()), static_cast<std::size_t>(length)};
}

// Frees what the engine allocated inside a region on the stack.
struct Region {
  OnigRegion value{};
  Region() = default;
  ~Region() { onig_region_free(&value, 0); }
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
};

}  // namespace

Regex::Regex(const std::string& pattern, std::string source, Engine engine) : source_(std::move(source)) {
  if (engine == Engine::kFastest) known_ = known_pattern(pattern);
  if (known_ != nullptr) return;
  initialise_engine();
  regex_t* compiled = nullptr;
  OnigErrorInfo info{};
  const int code = onig_new(&compiled, pointer(pattern), pointer(pattern) + pattern.size(), ONIG_OPTION_NONE,
                            ONIG_ENCODING_UTF8, ONIG_SYNTAX_DEFAULT, &info);
  if (code != ONIG_NORMAL) {
    throw core::UserError(core::text(source_, ": the pattern ", core::quoted(pattern),
                                     " does not compile: ", engine_message(code, &info)));
  }
  compiled_ = std::shared_ptr<regex_t>(compiled, onig_free);
}

void Regex::find_all(std::string_view text, std::vector<Range>& matches) const {
  if (known_ != nullptr) return known_(text, matches);
  matches.clear();
  Region region;
  const OnigUChar* begin = pointer(text);
  const OnigUChar* end = begin + text.size();
  for (std::size_t from = 0; from <= text.size();) {
    const int at = onig_search(compiled_.get(), begin, end, begin + from, end, &region.value, ONIG_OPTION_NONE);
    if (at == ONIG_MISMATCH) return;
    if (at < 0) {
      throw core::UserError(core::text(source_, ": the pattern gave up on a text of ", text.size(),
                                       " bytes: ", engine_message(at, nullptr)));
    }
    const Range match{static_cast<std::size_t>(region.value.beg[0]), static_cast<std::size_t>(region.value.end[0])};
    const bool empty = match.begin == match.end;
    if (!empty || matches.empty() || matches.back().end != match.end) matches.push_back(match);
    from = match.end;
    if (empty) from += from < text.size() ? character_length(text[from]) : 1;
  }
}

}  // namespace qzo::tokenizer
