#include "tokenizer/sentencepiece_model.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "tokenizer/sentencepiece_normalizer.h"
#include "tokenizer/unigram.h"

namespace qzo::tokenizer {

namespace {

// Pieces that a user defined are cut out of the text first and never merged.
class WithFrozenPieces final : public Model {
 public:
  WithFrozenPieces(const std::vector<AddedToken>& pieces, std::unique_ptr<Model> model) : model_(std::move(model)) {
    for (const AddedToken& piece : pieces) finder_.add(piece, piece.text);
  }
  void encode(std::string_view word, std::vector<std::int32_t>& out) const override {
    std::vector<Section> sections;
    finder_.split(word, sections);
    for (const Section& section : sections) {
      if (section.id >= 0) {
        out.push_back(section.id);
      } else {
        model_->encode(section.text, out);
      }
    }
  }

 private:
  AddedTokenFinder finder_;
  std::unique_ptr<Model> model_;
};

void check_pieces(const SentencePieceModel& model) {
  if (model.pieces.empty() || model.pieces.size() > static_cast<std::size_t>(kMostTokens)) {
    throw core::UserError(
        core::text(model.source, ": has ", model.pieces.size(), " tokens; expected 1 to ", kMostTokens));
  }
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    const Piece& piece = model.pieces[id];
    if (!core::valid_utf8(piece.text) || piece.text.empty()) {
      throw core::UserError(core::text(model.source, ": token ", id, " is ",
                                       piece.text.empty() ? "empty" : "not valid UTF-8: " + core::quoted(piece.text)));
    }
    if (piece.score != piece.score) {
      throw core::UserError(core::text(model.source, ": the score of token ", id, " is not a number"));
    }
  }
}

// Of equal texts the first counts, as in SentencePiece's own table.
TextMap<std::int32_t> texts_of(const SentencePieceModel& model, PieceType type) {
  TextMap<std::int32_t> out;
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    if (model.pieces[id].type == type) out.emplace(model.pieces[id].text, static_cast<std::int32_t>(id));
  }
  return out;
}

// Merge priority of a piece: its place among the distinct scores, highest first.
std::vector<std::uint32_t> ranks_by_score(const std::vector<Piece>& pieces) {
  std::vector<std::size_t> order(pieces.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return pieces[a].score > pieces[b].score; });
  std::vector<std::uint32_t> ranks(pieces.size());
  for (std::size_t i = 1; i < order.size(); ++i) {
    ranks[order[i]] = ranks[order[i - 1]] + (pieces[order[i]].score == pieces[order[i - 1]].score ? 0 : 1);
  }
  return ranks;
}

// SentencePiece merges through unused pieces and takes them apart again afterwards.
void refuse_reachable_unused_pieces(const SentencePieceModel& model, const TextMap<std::int32_t>& pieces) {
  const TextMap<std::int32_t> unused = texts_of(model, PieceType::kUnused);
  if (unused.empty()) return;
  TextMap<std::int32_t> all = pieces;
  all.insert(unused.begin(), unused.end());
  const std::vector<std::uint32_t> ranks(model.pieces.size(), 0);
  for (const MergeRule& rule : implied_merges(all, ranks, Alphabet::kCharacters)) {
    const std::string& text = model.pieces[static_cast<std::size_t>(rule.merged)].text;
    if (!unused.contains(text)) continue;
    throw core::UserError(core::text(model.source, ": the unused token ", rule.merged, " ", core::quoted(text),
                                     " can be merged from other tokens, which is not implemented"));
  }
}

std::unique_ptr<Model> make_merging_model(const SentencePieceModel& model, std::optional<std::int32_t> unknown) {
  TextMap<std::int32_t> pieces = texts_of(model, PieceType::kNormal);
  refuse_reachable_unused_pieces(model, pieces);
  std::vector<MergeRule> rules;
  if (model.model == PieceModel::kBpe) {
    rules = implied_merges(pieces, ranks_by_score(model.pieces), Alphabet::kCharacters);
  }
  pieces.merge(texts_of(model, PieceType::kByte));
  const BpeOptions options{.alphabet = Alphabet::kCharacters,
                           .byte_fallback = model.byte_fallback,
                           .fuse_unknown = true,
                           .unknown = unknown};
  auto bpe = std::make_unique<Bpe>(std::move(pieces), rules, options);
  std::vector<AddedToken> frozen;
  for (const auto& [text, id] : texts_of(model, PieceType::kUserDefined)) frozen.push_back({.id = id, .text = text});
  if (frozen.empty()) return bpe;
  return std::make_unique<WithFrozenPieces>(frozen, std::move(bpe));
}

std::vector<std::int32_t> byte_pieces(const SentencePieceModel& model) {
  std::vector<std::int32_t> out(256, -1);
  const TextMap<std::int32_t> pieces = texts_of(model, PieceType::kByte);
  for (std::size_t byte = 0; byte < out.size(); ++byte) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    const auto found = pieces.find(core::text("<0x", kDigits[byte / 16], kDigits[byte % 16], ">"));
    if (found == pieces.end()) {
      throw core::UserError(core::text(model.source, ": byte_fallback is set, but there is no token for byte ", byte));
    }
    out[byte] = found->second;
  }
  return out;
}

std::unique_ptr<Model> make_unigram(const SentencePieceModel& model, std::optional<std::int32_t> unknown) {
  if (!unknown) throw core::UserError(model.source + ": a Unigram model needs a token of type unknown, but has none");
  float least = std::numeric_limits<float>::max();
  float most = std::numeric_limits<float>::lowest();
  for (const Piece& piece : model.pieces) {
    if (piece.type != PieceType::kNormal) continue;
    least = std::min(least, static_cast<float>(piece.score));
    most = std::max(most, static_cast<float>(piece.score));
  }
  std::vector<UnigramPiece> pieces;
  for (const auto& [text, id] : texts_of(model, PieceType::kNormal)) {
    pieces.push_back({text, id, model.pieces[static_cast<std::size_t>(id)].score});
  }
  // Better than any other way through the same characters.
  for (const auto& [text, id] : texts_of(model, PieceType::kUserDefined)) {
    pieces.push_back({text, id, static_cast<double>(static_cast<float>(text.size()) * most) - 0.1});
  }
  return std::make_unique<Unigram>(
      pieces, UnigramOptions{.unknown = *unknown,
                             .unknown_score = static_cast<double>(least) - kUnknownPenalty,
                             .byte_tokens = model.byte_fallback ? byte_pieces(model) : std::vector<std::int32_t>{},
                             .precision = PathPrecision::kSingle});
}

std::optional<std::int32_t> find_control(const SentencePieceModel& model, const std::string& text) {
  const TextMap<std::int32_t> controls = texts_of(model, PieceType::kControl);
  const auto found = controls.find(text);
  return found == controls.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::int32_t> find_unknown(const SentencePieceModel& model) {
  const auto found = std::find_if(model.pieces.begin(), model.pieces.end(),
                                  [](const Piece& piece) { return piece.type == PieceType::kUnknown; });
  if (found == model.pieces.end()) return std::nullopt;
  return static_cast<std::int32_t>(found - model.pieces.begin());
}

void set_normalizers(const SentencePieceModel& model, DummyPrefix prefix, PipelineParts& parts) {
  auto kept = std::make_shared<Trie>();
  for (const auto& [text, id] : texts_of(model, PieceType::kUserDefined)) kept->add(text, id);
  SentencePieceNormalizerOptions options{.map = std::make_shared<Charsmap>(model.charsmap, model.source),
                                         .kept = std::move(kept),
                                         .dummy_prefix = model.dummy_prefix,
                                         .remove_extra_spaces = model.remove_extra_spaces,
                                         .escape_spaces = model.escape_spaces};
  parts.normalizer = make_sentencepiece_normalizer(options);
  if (prefix == DummyPrefix::kEverySection || !model.dummy_prefix) return;
  options.dummy_prefix = false;
  parts.later_normalizer = make_sentencepiece_normalizer(options);
}

}  // namespace

PipelineParts make_sentencepiece(const SentencePieceModel& model, DummyPrefix prefix,
                                 std::optional<std::int32_t> unknown) {
  check_pieces(model);
  PipelineParts parts;
  parts.source = model.source;
  parts.kind = model.model == PieceModel::kUnigram ? "SentencePiece Unigram" : "SentencePiece BPE";
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    const Piece& piece = model.pieces[id];
    parts.tokens.push_back(piece.text);
    if (piece.type == PieceType::kControl || piece.type == PieceType::kUnknown) {
      parts.control_tokens.push_back(static_cast<std::int32_t>(id));
    }
  }
  if (!unknown) unknown = find_unknown(model);
  set_normalizers(model, prefix, parts);
  parts.model = model.model == PieceModel::kUnigram ? make_unigram(model, unknown) : make_merging_model(model, unknown);
  std::vector<DecoderPtr> decoders;
  decoders.push_back(make_replace_decoder(std::string(kSpaceMark), " "));
  decoders.push_back(make_byte_fallback());
  decoders.push_back(make_fuse());
  if (model.dummy_prefix) decoders.push_back(make_strip_decoder(" ", 1, 0));
  parts.decoder = make_decoder_sequence(std::move(decoders));
  parts.bos = find_control(model, model.bos_text);
  parts.eos = find_control(model, model.eos_text);
  parts.adds_bos = parts.bos.has_value();
  return parts;
}

}  // namespace qzo::tokenizer
