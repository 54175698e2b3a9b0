#pragma once
// Tokens that are found in the text itself, before the model sees it.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/trie.h"

namespace qzo::tokenizer {

struct AddedToken {
  std::int32_t id = 0;
  std::string text;
  bool special = false;      // decode() may leave it out
  bool normalized = false;   // searched in the normalised text instead of the raw one
  bool left_strip = false;   // swallows the white space before it
  bool right_strip = false;  // ... and behind it
  bool single_word = false;  // not inside of a word
};

// A stretch of text: an added token (id >= 0) or what lies between (id < 0).
struct Section {
  std::string_view text;
  std::int32_t id = -1;
};

// Finds added tokens: from left to right, the longest of those that begin at a place. Thread-safe after construction.
class AddedTokenFinder {
 public:
  // `searched` is what stands in the text for it (the normalised form of token.text, say). Empty texts are never found;
  // of two tokens with the same text the first counts.
  void add(const AddedToken& token, std::string_view searched);

  [[nodiscard]] bool empty() const { return tokens_.empty(); }
  // Covers `text` in order; sections between tokens are not empty. Clears `sections` first.
  void split(std::string_view text, std::vector<Section>& sections) const;

 private:
  Trie searched_;  // to places in tokens_
  std::vector<AddedToken> tokens_;
  std::array<bool, 256> begins_token_{};  // most bytes of a text need no look into the trie
};

}  // namespace qzo::tokenizer
