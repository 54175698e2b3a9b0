#pragma once
// Cuts a normalised section of text into the words that the model encodes one by one.

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tokenizer/regex.h"

namespace qzo::tokenizer {

struct Word {
  std::string_view text;
  bool at_start = false;  // begins where the whole text begins
};

// `words` point into the caller's text or into `changed`, where steps that rewrite words put them.
struct Words {
  std::vector<Word> words;
  std::deque<std::string> changed;
};

// Thread-safe. Steps never leave an empty word.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void apply(Words& words) const = 0;
};
using PreTokenizerPtr = std::unique_ptr<PreTokenizer>;

enum class SplitBehaviour { kIsolated, kRemoved, kMergedWithPrevious, kMergedWithNext, kContiguous };
enum class Invert { kNo, kYes };  // kYes: what the pattern does not match counts as the match

PreTokenizerPtr make_split(std::variant<std::string, Regex> pattern, SplitBehaviour behaviour, Invert invert);

enum class DigitGroups { kWhole, kSingle };
PreTokenizerPtr make_digits(DigitGroups groups);

// Puts a space in front of each word that does not begin with one (ByteLevel's add_prefix_space).
PreTokenizerPtr make_prefix_space();

enum class PrependScheme { kAlways, kFirst, kNever };
// Spaces become `mark`, which `scheme` may also put in front; `split`: a word begins at every mark.
struct MetaspaceOptions {
  std::string mark;
  PrependScheme scheme = PrependScheme::kAlways;
  bool split = true;
};
PreTokenizerPtr make_metaspace(MetaspaceOptions options);

PreTokenizerPtr make_pre_tokenizer_sequence(std::vector<PreTokenizerPtr> steps);

}  // namespace qzo::tokenizer
