// The vocabulary inside a GGUF file. Its keys are those of llama.cpp's converter; where that leaves a choice open, the
// model's original tokenizer decides.

#include <algorithm>
#include <numeric>
#include <utility>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "tokenizer/bpe_vocabulary.h"
#include "tokenizer/named_pre_tokenizers.h"
#include "tokenizer/pipeline.h"

namespace qzo::tokenizer {

namespace {

enum TokenType : std::int64_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

constexpr std::string_view kMark = "\xE2\x96\x81";  // U+2581: SentencePiece's space
constexpr std::int64_t kNoToken = 0xFFFFFFFF;       // some converters write -1 as an unsigned number

std::optional<std::int32_t> checked_id(const GgufVocabulary& vocabulary, const char* key,
                                       std::optional<std::int64_t> id) {
  if (!id || *id == kNoToken || *id == -1) return std::nullopt;
  if (*id < 0 || *id >= static_cast<std::int64_t>(vocabulary.tokens.size())) {
    throw core::UserError(core::text(vocabulary.file, ": tokenizer.ggml.", key, " is ", *id, ", but there are only ",
                                     vocabulary.tokens.size(), " tokens"));
  }
  return static_cast<std::int32_t>(*id);
}

void check_lengths(const GgufVocabulary& vocabulary) {
  const std::size_t count = vocabulary.tokens.size();
  const auto check = [&](const char* key, std::size_t found, bool may_be_absent) {
    if (found == count || (found == 0 && may_be_absent)) return;
    throw core::UserError(
        core::text(vocabulary.file, ": tokenizer.ggml.", key, " has ", found, " entries for ", count, " tokens"));
  };
  if (count == 0 || static_cast<std::int64_t>(count) > kMostTokens) {
    throw core::UserError(
        core::text(vocabulary.file, ": tokenizer.ggml.tokens has ", count, " entries; expected 1 to ", kMostTokens));
  }
  const bool sentencepiece = vocabulary.model == "llama";
  check("token_type", vocabulary.token_types.size(), !sentencepiece);
  check("scores", vocabulary.scores.size(), !sentencepiece);
}

// Control, user-defined and unknown tokens are found in the text itself; only user-defined ones are part of it.
std::vector<AddedToken> added_tokens(const GgufVocabulary& vocabulary) {
  std::vector<AddedToken> out;
  for (std::size_t id = 0; id < vocabulary.token_types.size(); ++id) {
    const std::int64_t type = vocabulary.token_types[id];
    if (type != kControl && type != kUserDefined && type != kUnknown) continue;
    out.push_back(
        {.id = static_cast<std::int32_t>(id), .text = vocabulary.tokens[id], .special = type != kUserDefined});
  }
  return out;
}

PipelineParts common_parts(const GgufVocabulary& vocabulary) {
  check_lengths(vocabulary);
  PipelineParts parts;
  parts.source = vocabulary.file;
  parts.tokens = vocabulary.tokens;
  parts.added_tokens = added_tokens(vocabulary);
  parts.bos = checked_id(vocabulary, "bos_token_id", vocabulary.bos);
  parts.eos = checked_id(vocabulary, "eos_token_id", vocabulary.eos);
  return parts;
}

PipelineParts byte_level_parts(const GgufVocabulary& vocabulary) {
  NamedPreTokenizer named = named_pre_tokenizer(vocabulary.pre, vocabulary.file + ": tokenizer.ggml.pre");
  PipelineParts parts = common_parts(vocabulary);
  parts.kind = "byte-level BPE";
  parts.pre_tokenizer_name = vocabulary.pre;
  parts.normalizer = std::move(named.normalizer);
  parts.pre_tokenizer = std::move(named.pre_tokenizer);
  if (vocabulary.add_space_prefix.value_or(false)) {
    std::vector<PreTokenizerPtr> steps;
    steps.push_back(make_prefix_space());
    steps.push_back(std::move(parts.pre_tokenizer));
    parts.pre_tokenizer = make_pre_tokenizer_sequence(std::move(steps));
  }
  std::vector<MergeText> merges;
  for (std::size_t i = 0; i < vocabulary.merges.size(); ++i) {
    merges.push_back(
        split_merge(vocabulary.merges[i], core::text(vocabulary.file, ": tokenizer.ggml.merges[", i, "]")));
  }
  const BpeOptions options{.alphabet = Alphabet::kBytes, .ignore_merges = named.ignore_merges, .unknown = {}};
  parts.model = make_bpe(vocabulary.tokens, merges, options, vocabulary.file + ": tokenizer.ggml.merges");
  parts.decoder = make_byte_level_decoder();
  parts.adds_bos = vocabulary.add_bos.value_or(named.adds_bos);
  return parts;
}

// Merge priority of a piece: its place among the distinct scores, highest first.
std::vector<std::uint32_t> ranks_by_score(const std::vector<double>& scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  std::vector<std::uint32_t> ranks(scores.size());
  for (std::size_t i = 1; i < order.size(); ++i) {
    ranks[order[i]] = ranks[order[i - 1]] + (scores[order[i]] == scores[order[i - 1]] ? 0 : 1);
  }
  return ranks;
}

// SentencePiece merges through unused pieces and takes them apart again afterwards.
void refuse_reachable_unused_pieces(const GgufVocabulary& vocabulary, const TextMap<std::int32_t>& pieces,
                                    const TextMap<std::int32_t>& unused) {
  TextMap<std::int32_t> all = pieces;
  all.insert(unused.begin(), unused.end());
  const std::vector<std::uint32_t> ranks(vocabulary.tokens.size(), 0);
  for (const MergeRule& rule : implied_merges(all, ranks, Alphabet::kCharacters)) {
    const std::string& text = vocabulary.tokens[static_cast<std::size_t>(rule.merged)];
    if (!unused.contains(text)) continue;
    throw core::UserError(core::text(vocabulary.file, ": the unused token ", rule.merged, " ", core::quoted(text),
                                     " can be merged from other tokens, which is not implemented"));
  }
}

struct Pieces {
  TextMap<std::int32_t> used;    // what the model may find: normal, user-defined and byte pieces
  TextMap<std::int32_t> merged;  // those of them that merges can make
};

Pieces collect_pieces(const GgufVocabulary& vocabulary) {
  Pieces pieces;
  TextMap<std::int32_t> unused;
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const std::string& text = vocabulary.tokens[id];
    const std::int64_t type = vocabulary.token_types[id];
    if (!core::valid_utf8(text) || text.empty()) {
      throw core::UserError(core::text(vocabulary.file, ": tokenizer.ggml.tokens[", id, "] is ",
                                       text.empty() ? "empty" : "not valid UTF-8: " + core::quoted(text)));
    }
    if (vocabulary.scores[id] != vocabulary.scores[id]) {
      throw core::UserError(core::text(vocabulary.file, ": tokenizer.ggml.scores[", id, "] is not a number"));
    }
    if (type == kNormal || type == kUserDefined) pieces.merged.emplace(text, static_cast<std::int32_t>(id));
    if (type == kByte) pieces.used.emplace(text, static_cast<std::int32_t>(id));
    if (type == kUnused) unused.emplace(text, static_cast<std::int32_t>(id));
  }
  if (!unused.empty()) refuse_reachable_unused_pieces(vocabulary, pieces.merged, unused);
  pieces.used.insert(pieces.merged.begin(), pieces.merged.end());
  return pieces;
}

PipelineParts sentencepiece_parts(const GgufVocabulary& vocabulary) {
  PipelineParts parts = common_parts(vocabulary);
  parts.kind = "SentencePiece BPE";
  const bool prefix = vocabulary.add_space_prefix.value_or(true);
  const std::string mark(kMark);
  std::vector<NormalizerPtr> normalizers;
  if (prefix) normalizers.push_back(make_prepend(mark));
  normalizers.push_back(make_replace(" ", mark));
  parts.normalizer = make_normalizer_sequence(std::move(normalizers));

  Pieces pieces = collect_pieces(vocabulary);
  const std::vector<MergeRule> rules =
      implied_merges(pieces.merged, ranks_by_score(vocabulary.scores), Alphabet::kCharacters);
  const BpeOptions options{.alphabet = Alphabet::kCharacters,
                           .byte_fallback = true,
                           .fuse_unknown = true,
                           .unknown = checked_id(vocabulary, "unknown_token_id", vocabulary.unknown)};
  parts.model = std::make_unique<Bpe>(std::move(pieces.used), rules, options);

  std::vector<DecoderPtr> decoders;
  decoders.push_back(make_replace_decoder(mark, " "));
  decoders.push_back(make_byte_fallback());
  decoders.push_back(make_fuse());
  if (prefix) decoders.push_back(make_strip_decoder(" ", 1, 0));
  parts.decoder = make_decoder_sequence(std::move(decoders));
  parts.adds_bos = vocabulary.add_bos.value_or(true);
  return parts;
}

}  // namespace

std::unique_ptr<Tokenizer> from_gguf(const GgufVocabulary& vocabulary) {
  if (vocabulary.model == "gpt2") return make_pipeline(byte_level_parts(vocabulary));
  if (vocabulary.model == "llama") return make_pipeline(sentencepiece_parts(vocabulary));
  throw core::UserError(core::text(vocabulary.file, ": tokenizer.ggml.model ", core::quoted(vocabulary.model),
                                   " is not implemented (implemented: gpt2, llama)"));
}

}  // namespace qzo::tokenizer
