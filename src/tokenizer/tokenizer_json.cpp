#include "tokenizer/tokenizer_json.h"

#include <algorithm>
#include <utility>

#include "qzo/core/text.h"

#include "tokenizer/bpe_vocabulary.h"
#include "tokenizer/components_json.h"
#include "tokenizer/unigram.h"

namespace qzo::tokenizer {

namespace {

std::int32_t checked_id(const JsonNode& node, std::int64_t id) {
  if (id < 0 || id >= kMostTokens) node.fail(core::text("expected an id from 0 to ", kMostTokens - 1, ", found ", id));
  return static_cast<std::int32_t>(id);
}

// Old files leave the type out.
std::string model_type(const JsonNode& model) {
  if (const auto type = model.find("type")) return type->string();
  if (model.find("merges")) return "BPE";
  return model.at("vocab").value().is_array() ? "Unigram" : "WordPiece";
}

void refuse_unless_empty(const JsonNode& model, const std::string& key) {
  const auto affix = model.find(key);
  if (affix && !affix->string().empty()) {
    affix->fail(core::quoted(affix->string()) + " is not implemented; only vocabularies without it are");
  }
}

void refuse_dropout(const JsonNode& model) {
  const auto dropout = model.find("dropout");
  if (dropout && !(dropout->value().is_number() && dropout->value().get<double>() == 0.0)) {
    dropout->fail("merge dropout makes the same text give different ids and is not implemented; set it to null");
  }
}

std::vector<MergeText> parse_merges(const JsonNode& node) {
  std::vector<MergeText> out;
  for (const JsonNode& item : node.items()) {
    if (item.value().is_string()) {
      out.push_back(split_merge(item.string(), item.where()));
      continue;
    }
    const std::vector<JsonNode> pair = item.items();
    if (pair.size() != 2) item.fail(core::text("expected two tokens, found ", pair.size()));
    out.push_back({pair[0].string(), pair[1].string()});
  }
  return out;
}

std::optional<std::int32_t> unknown_token(const JsonNode& model, const std::vector<std::string>& tokens) {
  const auto name = model.find("unk_token");
  if (!name) return std::nullopt;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (!tokens[id].empty() && tokens[id] == name->string()) return static_cast<std::int32_t>(id);
  }
  name->fail(core::text(core::quoted(name->string()), " is not in the vocabulary"));
}

// Hugging Face silently prefers the vocabulary's id; the file's author can hardly have meant either.
void refuse_contradicting_ids(const JsonNode& model, const PipelineParts& parts) {
  TextMap<std::size_t> ids;
  for (std::size_t id = 0; id < parts.tokens.size(); ++id) ids.emplace(parts.tokens[id], id);
  for (const AddedToken& token : parts.added_tokens) {
    const auto other = ids.find(token.text);
    if (other != ids.end() && other->second != static_cast<std::size_t>(token.id)) {
      model.fail(core::text("the added token ", core::quoted(token.text), " has the id ", token.id,
                            ", but in the vocabulary it has ", other->second));
    }
  }
}

// "vocab": [["piece", score], ...]
std::vector<UnigramPiece> parse_pieces(const JsonNode& vocabulary) {
  std::vector<UnigramPiece> pieces;
  for (const JsonNode& item : vocabulary.items()) {
    const std::vector<JsonNode> pair = item.items();
    if (pair.size() != 2 || !pair[1].value().is_number()) item.fail("expected a token and its score");
    pieces.push_back(
        {pair[0].string(), checked_id(item, static_cast<std::int64_t>(pieces.size())), pair[1].value().get<double>()});
  }
  if (pieces.empty()) vocabulary.fail("there are no tokens");
  return pieces;
}

void parse_unigram(const JsonNode& model, PipelineParts& parts) {
  const std::vector<UnigramPiece> pieces = parse_pieces(model.at("vocab"));
  double least = 0;
  for (const UnigramPiece& piece : pieces) {
    parts.tokens.push_back(piece.text);
    least = std::min(least, piece.score);
  }
  if (model.boolean("byte_fallback", false)) {
    model.fail("byte_fallback of a Unigram model is not implemented; use its tokenizer.model");
  }
  const std::int64_t unknown = model.at("unk_id").integer();
  if (unknown < 0 || unknown >= static_cast<std::int64_t>(pieces.size())) {
    model.fail(core::text("unk_id is ", unknown, ", but there are ", pieces.size(), " tokens"));
  }
  parts.kind = "Unigram";
  parts.model = std::make_unique<Unigram>(
      pieces, UnigramOptions{.unknown = static_cast<std::int32_t>(unknown), .unknown_score = least - kUnknownPenalty});
}

void parse_bpe(const JsonNode& model, Alphabet alphabet, PipelineParts& parts) {
  refuse_unless_empty(model, "continuing_subword_prefix");
  refuse_dropout(model);
  parts.tokens = parse_vocabulary(model.at("vocab"));
  parts.kind = alphabet == Alphabet::kBytes ? "byte-level BPE" : "BPE";
  BpeOptions options{.alphabet = alphabet,
                     .ignore_merges = model.boolean("ignore_merges", false),
                     .byte_fallback = model.boolean("byte_fallback", false),
                     .fuse_unknown = model.boolean("fuse_unk", false),
                     .unknown = unknown_token(model, parts.tokens),
                     .word_end = model.string("end_of_word_suffix", "")};
  if (!options.word_end.empty() && alphabet != Alphabet::kBytes) {
    model.fail("end_of_word_suffix without the pre-tokenizer ByteLevel is not implemented");
  }
  if (options.byte_fallback && alphabet == Alphabet::kBytes) {
    model.fail("byte_fallback together with the pre-tokenizer ByteLevel is not implemented");
  }
  parts.model = make_bpe(parts.tokens, parse_merges(model.at("merges")), options, model.where());
}

}  // namespace

std::vector<std::string> parse_vocabulary(const JsonNode& node) {
  std::vector<std::string> tokens;
  for (const auto& [text, value] : node.object()) {
    if (!value.is_number_integer()) node.fail(core::text("the id of ", core::quoted(text), " is not an integer"));
    const auto id = static_cast<std::size_t>(checked_id(node, value.get<std::int64_t>()));
    if (id >= tokens.size()) tokens.resize(id + 1);
    if (!tokens[id].empty()) {
      node.fail(core::text("the id ", id, " is given to ", core::quoted(tokens[id]), " and to ", core::quoted(text)));
    }
    tokens[id] = text;
  }
  return tokens;
}

AddedToken parse_added_token(const JsonNode& node, std::int64_t id) {
  return {.id = checked_id(node, id),
          .text = node.at("content").string(),
          .special = node.boolean("special", false),
          .normalized = node.boolean("normalized", true),
          .left_strip = node.boolean("lstrip", false),
          .right_strip = node.boolean("rstrip", false),
          .single_word = node.boolean("single_word", false)};
}

PipelineParts parse_tokenizer_json(const JsonNode& root, const std::string& source) {
  PipelineParts parts;
  parts.source = source;
  const JsonNode model = root.at("model");
  ParsedPreTokenizer pre_tokenizer = parse_pre_tokenizer(root.find("pre_tokenizer"));
  if (const std::string type = model_type(model); type == "BPE") {
    parse_bpe(model, pre_tokenizer.byte_level ? Alphabet::kBytes : Alphabet::kCharacters, parts);
  } else if (type == "Unigram" && !pre_tokenizer.byte_level) {
    parse_unigram(model, parts);
  } else {
    model.fail(core::text("model type ", core::quoted(type),
                          " is not implemented (implemented: BPE, and Unigram without ",
                          "the pre-tokenizer ByteLevel)"));
  }
  parts.normalizer = parse_normalizer(root.find("normalizer"));
  parts.pre_tokenizer = std::move(pre_tokenizer.step);
  parts.decoder = parse_decoder(root.find("decoder"));
  if (const auto added = root.find("added_tokens")) {
    for (const JsonNode& token : added->items()) {
      parts.added_tokens.push_back(parse_added_token(token, token.at("id").integer()));
    }
    refuse_contradicting_ids(model.at("vocab"), parts);
  }
  if (const auto leading = parse_leading_token(root.find("post_processor"))) {
    parts.bos = checked_id(root, *leading);
    parts.adds_bos = true;
  }
  return parts;
}

}  // namespace qzo::tokenizer
