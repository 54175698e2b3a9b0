#pragma once
// Tokens that are found in the text itself, before the model sees it.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

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
  AddedTokenFinder();

  // `searched` is what stands in the text for it (the normalised form of token.text, say). Empty texts are never found.
  void add(const AddedToken& token, std::string_view searched);

  [[nodiscard]] bool empty() const { return tokens_.empty(); }
  // Covers `text` in order; sections between tokens are not empty. Clears `sections` first.
  void split(std::string_view text, std::vector<Section>& sections) const;

 private:
  struct Found {
    std::size_t length = 0;
    const AddedToken* token = nullptr;
  };
  [[nodiscard]] Found longest_at(std::string_view text, std::size_t at) const;

  // A trie over bytes: child = children_[node << 8 | byte]; node 0 is the root, tokens_ is by node.
  std::unordered_map<std::uint64_t, std::uint32_t> children_;
  std::unordered_map<std::uint32_t, AddedToken> tokens_;
  std::uint32_t nodes_ = 1;
  std::array<bool, 256> begins_token_{};
};

}  // namespace qzo::tokenizer
