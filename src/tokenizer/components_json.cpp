#include "tokenizer/components_json.h"

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "qzo/core/text.h"

#include "tokenizer/base64.h"
#include "tokenizer/charsmap.h"
#include "tokenizer/known_patterns.h"

namespace qzo::tokenizer {

namespace {

const std::string& type_of(const JsonNode& node) { return node.at("type").string(); }

[[noreturn]] void not_implemented(const JsonNode& node, const char* component, const char* implemented) {
  node.fail(core::text("the ", component, " ", core::quoted(type_of(node)),
                       " is not implemented (implemented: ", implemented, ")"));
}

// {"String": ...} or {"Regex": ...}
std::variant<std::string, Regex> pattern_of(const JsonNode& node) {
  const JsonNode pattern = node.at("pattern");
  if (const auto literal = pattern.find("String")) return literal->string();
  if (const auto regex = pattern.find("Regex")) return Regex(regex->string(), regex->where());
  pattern.fail("expected a member \"String\" or \"Regex\"");
}

NormalizerPtr replace_normalizer(const JsonNode& node) {
  const std::string& content = node.at("content").string();
  return std::visit([&](auto&& wanted) { return make_replace(std::forward<decltype(wanted)>(wanted), content); },
                    pattern_of(node));
}

Sides strip_sides(const JsonNode& node) {
  const bool left = node.boolean("strip_left", true);
  const bool right = node.boolean("strip_right", true);
  if (left) return right ? Sides::kBoth : Sides::kLeft;
  return right ? Sides::kRight : Sides::kNone;
}

NormalizerPtr precompiled_normalizer(const JsonNode& node) {
  const JsonNode text = node.at("precompiled_charsmap");
  const auto bytes = decode_base64(text.string());
  if (!bytes) text.fail("expected base64");
  return make_precompiled(Charsmap(*bytes, text.where()));
}

NormalizerPtr normalizer_of(const JsonNode& node) {
  const std::string& type = type_of(node);
  if (type == "NFC") return make_normal_form(NormalForm::kNfc);
  if (type == "NFD") return make_normal_form(NormalForm::kNfd);
  if (type == "NFKC") return make_normal_form(NormalForm::kNfkc);
  if (type == "NFKD") return make_normal_form(NormalForm::kNfkd);
  if (type == "Lowercase") return make_lowercase();
  if (type == "Prepend") return make_prepend(node.at("prepend").string());
  if (type == "Replace") return replace_normalizer(node);
  if (type == "Strip") return make_strip(strip_sides(node));
  if (type == "Precompiled") return precompiled_normalizer(node);
  if (type == "Sequence") {
    std::vector<NormalizerPtr> steps;
    for (const JsonNode& step : node.at("normalizers").items()) steps.push_back(normalizer_of(step));
    return make_normalizer_sequence(std::move(steps));
  }
  not_implemented(node, "normalizer",
                  "Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Prepend, Replace, Strip, Precompiled");
}

SplitBehaviour behaviour_of(const JsonNode& node) {
  const JsonNode behaviour = node.at("behavior");
  const std::string& name = behaviour.string();
  if (name == "Isolated") return SplitBehaviour::kIsolated;
  if (name == "Removed") return SplitBehaviour::kRemoved;
  if (name == "MergedWithPrevious") return SplitBehaviour::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehaviour::kMergedWithNext;
  if (name == "Contiguous") return SplitBehaviour::kContiguous;
  behaviour.fail(core::text("expected Isolated, Removed, MergedWithPrevious, MergedWithNext or Contiguous, found ",
                            core::quoted(name)));
}

// Files from before 2023 say add_prefix_space instead of prepend_scheme.
PrependScheme prepend_scheme_of(const JsonNode& node) {
  const bool adds = node.boolean("add_prefix_space", true);
  const auto scheme = node.find("prepend_scheme");
  if (!scheme) return adds ? PrependScheme::kAlways : PrependScheme::kNever;
  const std::string& name = scheme->string();
  if (name == "never") return PrependScheme::kNever;
  if (!adds) scheme->fail(core::text(core::quoted(name), " contradicts add_prefix_space false"));
  if (name == "always") return PrependScheme::kAlways;
  if (name == "first") return PrependScheme::kFirst;
  scheme->fail("expected always, first or never, found " + core::quoted(name));
}

void append_pre_tokenizer(const JsonNode& node, std::vector<PreTokenizerPtr>& steps, bool& byte_level) {
  if (byte_level) node.fail("a step behind ByteLevel is not implemented; ByteLevel must be the last");
  const std::string& type = type_of(node);
  if (type == "Sequence") {
    for (const JsonNode& step : node.at("pretokenizers").items()) append_pre_tokenizer(step, steps, byte_level);
  } else if (type == "ByteLevel") {
    byte_level = true;
    if (node.boolean("add_prefix_space", true)) steps.push_back(make_prefix_space());
    // Absent means true: files older than the option always cut by the pattern.
    if (node.boolean("use_regex", true)) {
      steps.push_back(
          make_split(Regex(std::string(kGpt2Pattern), node.where()), SplitBehaviour::kIsolated, Invert::kNo));
    }
  } else if (type == "Split") {
    const Invert invert = node.boolean("invert", false) ? Invert::kYes : Invert::kNo;
    steps.push_back(make_split(pattern_of(node), behaviour_of(node), invert));
  } else if (type == "Digits") {
    steps.push_back(make_digits(node.boolean("individual_digits", false) ? DigitGroups::kSingle : DigitGroups::kWhole));
  } else if (type == "WhitespaceSplit") {
    steps.push_back(
        make_split(Regex(std::string(kSpacesPattern), node.where()), SplitBehaviour::kRemoved, Invert::kNo));
  } else if (type == "Metaspace") {
    steps.push_back(make_metaspace({.mark = node.at("replacement").string(),
                                    .scheme = prepend_scheme_of(node),
                                    .split = node.boolean("split", true)}));
  } else {
    not_implemented(node, "pre-tokenizer", "Sequence, ByteLevel, Split, Digits, Metaspace, WhitespaceSplit");
  }
}

std::size_t count_of(const JsonNode& node) {
  const std::int64_t count = node.integer();
  if (count < 0) node.fail(core::text("expected a number that is not negative, found ", count));
  return static_cast<std::size_t>(count);
}

DecoderPtr decoder_of(const JsonNode& node) {
  const std::string& type = type_of(node);
  if (type == "ByteLevel") return make_byte_level_decoder();
  if (type == "ByteFallback") return make_byte_fallback();
  if (type == "Fuse") return make_fuse();
  if (type == "Replace") return make_replace_decoder(pattern_of(node), node.at("content").string());
  if (type == "Strip") {
    return make_strip_decoder(node.at("content").string(), count_of(node.at("start")), count_of(node.at("stop")));
  }
  if (type == "Metaspace") return make_metaspace_decoder(node.at("replacement").string(), prepend_scheme_of(node));
  if (type == "Sequence") {
    std::vector<DecoderPtr> steps;
    for (const JsonNode& step : node.at("decoders").items()) steps.push_back(decoder_of(step));
    return make_decoder_sequence(std::move(steps));
  }
  not_implemented(node, "decoder", "Sequence, ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace");
}

std::optional<std::int64_t> template_leading_token(const JsonNode& node) {
  const std::vector<JsonNode> pieces = node.at("single").items();
  if (pieces.empty()) return std::nullopt;
  const auto special = pieces.front().find("SpecialToken");
  if (!special) return std::nullopt;
  const JsonNode ids = node.at("special_tokens").at(special->at("id").string()).at("ids");
  const std::vector<JsonNode> list = ids.items();
  if (list.size() != 1) ids.fail("expected one id");
  return list.front().integer();
}

// "cls": ["<s>", 0]
std::int64_t roberta_leading_token(const JsonNode& node) {
  const JsonNode pair = node.at("cls");
  const std::vector<JsonNode> items = pair.items();
  if (items.size() != 2) pair.fail("expected a token and its id");
  return items[1].integer();
}

}  // namespace

NormalizerPtr parse_normalizer(const std::optional<JsonNode>& node) { return node ? normalizer_of(*node) : nullptr; }

ParsedPreTokenizer parse_pre_tokenizer(const std::optional<JsonNode>& node) {
  ParsedPreTokenizer out;
  std::vector<PreTokenizerPtr> steps;
  if (node) append_pre_tokenizer(*node, steps, out.byte_level);
  if (!steps.empty()) out.step = make_pre_tokenizer_sequence(std::move(steps));
  return out;
}

DecoderPtr parse_decoder(const std::optional<JsonNode>& node) { return node ? decoder_of(*node) : nullptr; }

std::optional<std::int64_t> parse_leading_token(const std::optional<JsonNode>& node) {
  if (!node) return std::nullopt;
  const std::string& type = type_of(*node);
  if (type == "ByteLevel") return std::nullopt;  // touches offsets only
  if (type == "TemplateProcessing") return template_leading_token(*node);
  if (type == "RobertaProcessing") return roberta_leading_token(*node);
  if (type == "Sequence") {
    std::optional<std::int64_t> leading;
    // A later step puts its token in front of those of the earlier ones.
    for (const JsonNode& step : node->at("processors").items()) {
      if (const auto token = parse_leading_token(step)) leading = token;
    }
    return leading;
  }
  not_implemented(*node, "post-processor", "Sequence, ByteLevel, TemplateProcessing, RobertaProcessing");
}

}  // namespace qzo::tokenizer
