// The vocabulary inside a GGUF file. Its keys are those of llama.cpp's converter; where that leaves a choice open, the
// model's original tokenizer decides.

#include <utility>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "tokenizer/bpe_vocabulary.h"
#include "tokenizer/named_pre_tokenizers.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/sentencepiece_model.h"

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

constexpr std::int64_t kNoToken = 0xFFFFFFFF;  // some converters write -1 as an unsigned number

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

PipelineParts sentencepiece_parts(const GgufVocabulary& vocabulary) {
  PipelineParts common = common_parts(vocabulary);
  SentencePieceModel model;
  model.source = vocabulary.file;
  model.model = PieceModel::kBpe;
  model.byte_fallback = true;
  model.remove_extra_spaces = false;
  model.dummy_prefix = vocabulary.add_space_prefix.value_or(true);
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const std::int64_t type = vocabulary.token_types[id];
    if (type < kNormal || type > kByte) {
      throw core::UserError(
          core::text(vocabulary.file, ": tokenizer.ggml.token_type[", id, "] is ", type, "; expected 1 to 6"));
    }
    // User-defined ones are found in the raw text, as added tokens; the model takes them for normal ones.
    model.pieces.push_back({.text = vocabulary.tokens[id],
                            .score = vocabulary.scores[id],
                            .type = type == kUserDefined ? PieceType::kNormal : static_cast<PieceType>(type)});
  }
  PipelineParts parts = make_sentencepiece(model, DummyPrefix::kEverySection,
                                           checked_id(vocabulary, "unknown_token_id", vocabulary.unknown));
  parts.added_tokens = std::move(common.added_tokens);
  parts.bos = common.bos;
  parts.eos = common.eos;
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
