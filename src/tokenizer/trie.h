#pragma once
// Texts by their bytes, to find all that begin at a place in one walk.

#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/pair_table.h"

namespace qzo::tokenizer {

class Trie {
 public:
  static constexpr std::int32_t kRoot = 0;
  static constexpr std::int32_t kNowhere = -1;

  // `value` >= 0; a text that is there already gets the new value. Not the empty text.
  void add(std::string_view text, std::int32_t value) {
    std::int32_t node = kRoot;
    for (const char byte : text) {
      std::int32_t child = step(node, byte);
      if (child == kNowhere) {
        child = static_cast<std::int32_t>(values_.size());
        children_.set(node, label(byte), {.rank = 0, .merged = child});
        values_.push_back(-1);
      }
      node = child;
    }
    values_[static_cast<std::size_t>(node)] = value;
  }

  [[nodiscard]] std::int32_t step(std::int32_t node, char byte) const {
    const Merge* child = children_.find(node, label(byte));
    return child == nullptr ? kNowhere : child->merged;
  }
  // Of the text that ends at `node`; -1 if none does.
  [[nodiscard]] std::int32_t value(std::int32_t node) const { return values_[static_cast<std::size_t>(node)]; }

  struct Match {
    std::size_t length = 0;  // bytes; 0: none
    std::int32_t value = -1;
  };
  [[nodiscard]] Match longest(std::string_view text) const {
    Match found;
    std::int32_t node = kRoot;
    for (std::size_t i = 0; i < text.size(); ++i) {
      node = step(node, text[i]);
      if (node == kNowhere) break;
      if (value(node) >= 0) found = {i + 1, value(node)};
    }
    return found;
  }

 private:
  static std::int32_t label(char byte) { return static_cast<unsigned char>(byte); }

  PairTable children_{0};  // (node, byte) to node
  std::vector<std::int32_t> values_ = {-1};
};

}  // namespace qzo::tokenizer
