#pragma once
// A tokenizer whose merges a test can see: the longest of a few pieces that fits, single bytes otherwise.

#include <string>
#include <utility>
#include <vector>

#include "qzo/tokenizer/tokenizer.h"

namespace qzo::tasks::testing {

class GreedyTokenizer final : public tokenizer::Tokenizer {
 public:
  static constexpr std::int32_t kBos = 1000;
  static constexpr std::int32_t kFirstPiece = 256;  // below: bytes

  explicit GreedyTokenizer(std::vector<std::string> pieces = {}) : pieces_(std::move(pieces)) {}

  bool has_bos = true;
  bool puts_bos = false;

  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<std::int32_t> ids;
    while (!text.empty()) {
      std::size_t length = 1;
      std::int32_t id = static_cast<unsigned char>(text[0]);
      for (std::size_t i = 0; i < pieces_.size(); ++i) {
        if (pieces_[i].size() <= length || !text.starts_with(pieces_[i])) continue;
        length = pieces_[i].size();
        id = kFirstPiece + static_cast<std::int32_t>(i);
      }
      ids.push_back(id);
      text.remove_prefix(length);
    }
    return ids;
  }
  [[nodiscard]] std::string decode(const std::vector<std::int32_t>& ids, bool skip_special) const override {
    std::string text;
    for (const std::int32_t id : ids) {
      if (id == kBos) {
        text += skip_special ? "" : "<s>";
      } else if (id >= kFirstPiece) {
        text += pieces_.at(static_cast<std::size_t>(id - kFirstPiece));
      } else {
        text += static_cast<char>(id);
      }
    }
    return text;
  }
  [[nodiscard]] std::int32_t vocabulary_size() const override { return kBos + 1; }
  [[nodiscard]] std::optional<std::int32_t> bos() const override {
    return has_bos ? std::optional(kBos) : std::nullopt;
  }
  [[nodiscard]] std::optional<std::int32_t> eos() const override { return std::nullopt; }
  [[nodiscard]] bool adds_bos() const override { return puts_bos; }
  [[nodiscard]] std::string description() const override { return "greedy"; }

 private:
  std::vector<std::string> pieces_;
};

}  // namespace qzo::tasks::testing
