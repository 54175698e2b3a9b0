#include "tokenizer/sentencepiece_normalizer.h"

#include <utility>

namespace qzo::tokenizer {

namespace {

class SentencePieceNormalizer final : public Normalizer {
 public:
  explicit SentencePieceNormalizer(SentencePieceNormalizerOptions options)
      : options_(std::move(options)), space_(options_.escape_spaces ? kSpaceMark : " ") {}

  void apply(std::string& text) const override {
    std::string_view rest = text;
    if (options_.remove_extra_spaces) {
      while (!rest.empty()) {
        const Charsmap::Match next = first_of(rest);
        if (next.replacement != " ") break;
        rest.remove_prefix(next.length);
      }
    }
    std::string out;
    out.reserve(text.size() + text.size() / 4 + space_.size());
    if (options_.dummy_prefix && !rest.empty()) out += space_;
    bool after_space = options_.remove_extra_spaces;
    while (!rest.empty()) {
      const Charsmap::Match next = first_of(rest);
      std::string_view piece = next.replacement;
      while (after_space && piece.starts_with(' ')) piece.remove_prefix(1);
      if (!piece.empty()) {
        append(piece, out);
        after_space = options_.remove_extra_spaces && piece.ends_with(' ');
      }
      rest.remove_prefix(next.length);
    }
    while (options_.remove_extra_spaces && out.ends_with(space_)) out.resize(out.size() - space_.size());
    text = std::move(out);
  }

 private:
  // What the text begins with, as it shall be written.
  [[nodiscard]] Charsmap::Match first_of(std::string_view text) const {
    if (const Trie::Match kept = options_.kept->longest(text); kept.length > 0) {
      return {kept.length, text.substr(0, kept.length)};
    }
    const Charsmap::Match mapped = options_.map->longest(text);
    if (mapped.length > 0) return mapped;
    const std::size_t length = character_length(text.front());
    return {length, text.substr(0, length)};
  }

  void append(std::string_view piece, std::string& out) const {
    for (const char c : piece) {
      if (c == ' ') {
        out += space_;
      } else {
        out += c;
      }
    }
  }

  SentencePieceNormalizerOptions options_;
  std::string_view space_;
};

}  // namespace

NormalizerPtr make_sentencepiece_normalizer(SentencePieceNormalizerOptions options) {
  return std::make_unique<SentencePieceNormalizer>(std::move(options));
}

}  // namespace qzo::tokenizer
