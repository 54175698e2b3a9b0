#include "tokenizer/decoder.h"

#include <charconv>
#include <optional>
#include <utility>

#include "tokenizer/normalizer.h"
#include "tokenizer/unicode.h"

namespace qzo::tokenizer {

namespace {

class ByteLevel final : public Decoder {
 public:
  void apply(std::vector<TokenText>& tokens) const override {
    for (TokenText& token : tokens) {
      if (token.added) continue;
      if (auto bytes = characters_to_bytes(token.text)) token.text = *std::move(bytes);
    }
  }
};

std::optional<char> byte_of(const std::string& token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(token.data() + 3, token.data() + 5, value, 16);
  if (error != std::errc() || end != token.data() + 5) return std::nullopt;
  return static_cast<char>(value);
}

class ByteFallback final : public Decoder {
 public:
  void apply(std::vector<TokenText>& tokens) const override {
    for (TokenText& token : tokens) {
      if (const auto byte = byte_of(token.text)) token.text.assign(1, *byte);
    }
  }
};

class Fuse final : public Decoder {
 public:
  void apply(std::vector<TokenText>& tokens) const override {
    TokenText all;
    for (const TokenText& token : tokens) all.text += token.text;
    tokens.clear();
    tokens.push_back(std::move(all));
  }
};

class Replace final : public Decoder {
 public:
  Replace(std::variant<std::string, Regex> wanted, std::string replacement)
      : wanted_(std::move(wanted)), replacement_(std::move(replacement)) {}
  void apply(std::vector<TokenText>& tokens) const override {
    for (TokenText& token : tokens) {
      // A pattern needs valid UTF-8, which tokens in the middle of a character are not.
      if (std::holds_alternative<Regex>(wanted_)) token.text = replace_invalid_utf8(token.text);
      token.text =
          std::visit([&](const auto& wanted) { return replace_all(token.text, wanted, replacement_); }, wanted_);
    }
  }

 private:
  std::variant<std::string, Regex> wanted_;
  std::string replacement_;
};

class Strip final : public Decoder {
 public:
  Strip(std::string content, std::size_t begin, std::size_t end)
      : content_(std::move(content)), begin_(begin), end_(end) {}
  void apply(std::vector<TokenText>& tokens) const override {
    if (content_.empty()) return;
    for (TokenText& token : tokens) {
      std::string_view text = token.text;
      for (std::size_t i = 0; i < begin_ && text.starts_with(content_); ++i) text.remove_prefix(content_.size());
      for (std::size_t i = 0; i < end_ && text.ends_with(content_); ++i) text.remove_suffix(content_.size());
      token.text = std::string(text);
    }
  }

 private:
  std::string content_;
  std::size_t begin_;
  std::size_t end_;
};

class Metaspace final : public Decoder {
 public:
  Metaspace(std::string mark, PrependScheme scheme) : mark_(std::move(mark)), scheme_(scheme) {}
  void apply(std::vector<TokenText>& tokens) const override {
    const char* first = scheme_ == PrependScheme::kNever ? " " : "";
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      tokens[i].text = replace_all(tokens[i].text, mark_, i == 0 ? first : " ");
    }
  }

 private:
  std::string mark_;
  PrependScheme scheme_;
};

class Sequence final : public Decoder {
 public:
  explicit Sequence(std::vector<DecoderPtr> steps) : steps_(std::move(steps)) {}
  void apply(std::vector<TokenText>& tokens) const override {
    for (const DecoderPtr& step : steps_) step->apply(tokens);
  }

 private:
  std::vector<DecoderPtr> steps_;
};

}  // namespace

DecoderPtr make_byte_level_decoder() { return std::make_unique<ByteLevel>(); }
DecoderPtr make_byte_fallback() { return std::make_unique<ByteFallback>(); }
DecoderPtr make_fuse() { return std::make_unique<Fuse>(); }
DecoderPtr make_replace_decoder(std::variant<std::string, Regex> wanted, std::string replacement) {
  return std::make_unique<Replace>(std::move(wanted), std::move(replacement));
}
DecoderPtr make_strip_decoder(std::string content, std::size_t begin, std::size_t end) {
  return std::make_unique<Strip>(std::move(content), begin, end);
}
DecoderPtr make_metaspace_decoder(std::string mark, PrependScheme scheme) {
  return std::make_unique<Metaspace>(std::move(mark), scheme);
}
DecoderPtr make_decoder_sequence(std::vector<DecoderPtr> steps) { return std::make_unique<Sequence>(std::move(steps)); }

}  // namespace qzo::tokenizer
