#pragma once
// The step before splitting: rewrites a section of text (what stands between added tokens).

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/regex.h"
#include "tokenizer/unicode.h"

namespace qzo::tokenizer {

// Valid UTF-8 in, valid UTF-8 out. Thread-safe.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void apply(std::string& text) const = 0;
};
using NormalizerPtr = std::unique_ptr<Normalizer>;

NormalizerPtr make_normal_form(NormalForm form);
NormalizerPtr make_lowercase();
NormalizerPtr make_prepend(std::string prefix);  // nothing is put in front of an empty text
NormalizerPtr make_replace(std::string wanted, std::string replacement);
NormalizerPtr make_replace(Regex wanted, std::string replacement);
NormalizerPtr make_normalizer_sequence(std::vector<NormalizerPtr> steps);

enum class Sides { kNone, kLeft, kRight, kBoth };
NormalizerPtr make_strip(Sides sides);  // white space

// Every occurrence from left to right; an empty `wanted` is nowhere.
std::string replace_all(std::string_view text, std::string_view wanted, std::string_view replacement);
std::string replace_all(std::string_view text, const Regex& wanted, std::string_view replacement);

}  // namespace qzo::tokenizer
