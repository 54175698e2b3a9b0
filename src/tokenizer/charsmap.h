#pragma once
// SentencePiece's precompiled character map: byte sequences and what replaces them. A little-endian length, a trie of
// that many bytes (Darts-clone's double array) and the replacements, each ended by a zero byte.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/normalizer.h"

namespace qzo::tokenizer {

class Charsmap {
 public:
  // No bytes: an empty map. UserError naming `where` if the lengths do not fit; a damaged trie finds nothing.
  Charsmap(std::string_view bytes, const std::string& where);

  struct Match {
    std::size_t length = 0;  // bytes of the text that are replaced; 0: none
    std::string_view replacement;
  };
  [[nodiscard]] bool empty() const { return units_.empty(); }
  // Of the entries that `text` begins with.
  [[nodiscard]] Match longest(std::string_view text) const { return find(text, false); }
  [[nodiscard]] Match shortest(std::string_view text) const { return find(text, true); }

 private:
  [[nodiscard]] Match find(std::string_view text, bool first) const;
  [[nodiscard]] std::string_view replacement(std::uint32_t offset) const;

  std::vector<std::uint32_t> units_;
  std::string replacements_;
};

// "Precompiled" of tokenizer.json. Not SentencePiece's own longest match: Hugging Face looks up short grapheme
// clusters, then single characters, and takes the shortest entry.
NormalizerPtr make_precompiled(Charsmap map);

}  // namespace qzo::tokenizer
