#include "tokenizer/tiktoken.h"

#include <array>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "tokenizer/base64.h"
#include "tokenizer/named_pre_tokenizers.h"
#include "tokenizer/unicode.h"

namespace qzo::tokenizer {

namespace {

constexpr std::size_t kLlama3Ranks = 128'000;
constexpr std::size_t kSpecialTokens = 256;
constexpr std::array<std::string_view, 12> kNamedSpecialTokens = {"<|begin_of_text|>",
                                                                  "<|end_of_text|>",
                                                                  "<|reserved_special_token_0|>",
                                                                  "<|reserved_special_token_1|>",
                                                                  "<|finetune_right_pad_id|>",
                                                                  "<|step_id|>",
                                                                  "<|start_header_id|>",
                                                                  "<|end_header_id|>",
                                                                  "<|eom_id|>",
                                                                  "<|eot_id|>",
                                                                  "<|python_tag|>",
                                                                  "<|image|>"};

struct Line {
  std::string token;
  std::size_t rank;
};

std::optional<Line> parse_line(std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  auto token = decode_base64(line.substr(0, space));
  std::size_t rank = 0;
  const std::string_view number = line.substr(space + 1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), rank);
  if (!token || number.empty() || error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  return Line{*std::move(token), rank};
}

std::string_view next_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

// Tokens as bytes, by rank.
std::vector<std::string> parse_ranks(std::string_view bytes, const std::string& source) {
  std::vector<std::string> tokens;
  while (!bytes.empty()) {
    const std::string_view text = next_line(bytes);
    if (text.empty()) continue;
    auto line = parse_line(text);
    if (!line || line->rank != tokens.size()) {
      throw core::UserError(core::text(source, ": expected a token in base64, a space and the rank ", tokens.size(),
                                       ", found ", core::quoted(text)));
    }
    tokens.push_back(std::move(line->token));
  }
  if (tokens.size() != kLlama3Ranks) {
    throw core::UserError(core::text(source, ": holds ", tokens.size(), " ranks; only Llama-3's ", kLlama3Ranks,
                                     " are implemented. Use a checkpoint with a tokenizer.json instead"));
  }
  return tokens;
}

std::string special_token_name(std::size_t index) {
  if (index < kNamedSpecialTokens.size()) return std::string(kNamedSpecialTokens[index]);
  // Numbers 0 and 1 stand among the named ones.
  return core::text("<|reserved_special_token_", index - kNamedSpecialTokens.size() + 2, "|>");
}

}  // namespace

bool looks_like_tiktoken(std::string_view bytes) { return parse_line(next_line(bytes)).has_value(); }

PipelineParts parse_tiktoken(std::string_view bytes, const std::string& source) {
  const std::vector<std::string> tokens = parse_ranks(bytes, source);
  TextMap<std::int32_t> ids;
  std::vector<std::uint32_t> ranks;
  PipelineParts parts;
  for (const std::string& token : tokens) {
    ranks.push_back(static_cast<std::uint32_t>(ranks.size()));
    if (!ids.emplace(token, static_cast<std::int32_t>(ranks.back())).second) {
      throw core::UserError(core::text(source, ": the token of rank ", ranks.back(), " is there twice"));
    }
    std::string& text = parts.tokens.emplace_back();
    for (const char c : token) text += byte_characters()[static_cast<unsigned char>(c)];
  }
  NamedPreTokenizer named = named_pre_tokenizer("llama-bpe", source);
  parts.source = source;
  parts.kind = "byte-level BPE";
  parts.pre_tokenizer_name = "llama-bpe";
  parts.pre_tokenizer = std::move(named.pre_tokenizer);
  const std::vector<MergeRule> rules = implied_merges(ids, ranks, Alphabet::kBytes);
  const BpeOptions options{.alphabet = Alphabet::kBytes, .ignore_merges = named.ignore_merges, .unknown = {}};
  parts.model = std::make_unique<Bpe>(std::move(ids), rules, options);
  parts.decoder = make_byte_level_decoder();
  for (std::size_t i = 0; i < kSpecialTokens; ++i) {
    parts.added_tokens.push_back(
        {.id = static_cast<std::int32_t>(kLlama3Ranks + i), .text = special_token_name(i), .special = true});
  }
  parts.bos = parts.added_tokens[0].id;
  parts.eos = parts.added_tokens[1].id;
  parts.adds_bos = named.adds_bos;
  return parts;
}

}  // namespace qzo::tokenizer
