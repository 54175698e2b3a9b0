#pragma once
// Byte-pair encoding of a pre-token: start from its characters (or bytes), merge the pair of lowest rank, the leftmost
// among equals, until no pair merges. A heap keeps it O(n log n): some vocabularies have no pre-tokenizer, so a whole
// document is one word.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/model.h"
#include "tokenizer/pair_table.h"
#include "tokenizer/word_cache.h"

namespace qzo::tokenizer {

enum class Alphabet {
  kBytes,       // byte-level vocabularies: a word is raw bytes, the tokens are given as raw bytes
  kCharacters,  // SentencePiece-style vocabularies: a word is UTF-8 text
};

struct BpeOptions {
  Alphabet alphabet = Alphabet::kBytes;
  bool ignore_merges = false;  // a whole word in the vocabulary is taken as it is (Llama-3)
  bool byte_fallback = false;  // a character outside the vocabulary becomes tokens "<0xE2>", if all its bytes have one
  bool fuse_unknown = false;   // neighbouring unknown characters give one unknown token
  std::optional<std::int32_t> unknown;
  std::string word_end = {};  // part of the last character of a word: "</w>" (CLIP); kBytes only
};

struct MergeRule {
  std::int32_t left = 0;
  std::int32_t right = 0;
  std::int32_t merged = 0;
  std::uint32_t rank = 0;
};

class Bpe final : public Model {
 public:
  // `tokens`: text (raw bytes for kBytes) to id. Of two rules for one pair the later counts.
  Bpe(TextMap<std::int32_t> tokens, const std::vector<MergeRule>& merges, const BpeOptions& options);

  // A character that the vocabulary cannot express is left out if there is no unknown token, as Hugging Face does.
  void encode(std::string_view word, std::vector<std::int32_t>& out) const override;

 private:
  void encode_part(std::string_view part, std::vector<std::int32_t>& out) const;
  void merge(std::string_view part, std::vector<std::int32_t>& out) const;
  void start_symbols(std::string_view part, std::vector<std::int32_t>& symbols) const;
  [[nodiscard]] std::size_t symbol_length(char first) const;
  [[nodiscard]] std::size_t part_end(std::string_view word, std::size_t begin) const;
  void note_seams(const std::vector<MergeRule>& merges);

  TextMap<std::int32_t> tokens_;
  BpeOptions options_;
  std::vector<std::int32_t> byte_tokens_;  // by byte: the token, or -1 (kBytes: of the byte itself; else of "<0xE2>")
  std::vector<std::int32_t> last_byte_tokens_;  // the same with options_.word_end behind; empty if that is
  PairTable merges_;
  PairTable seams_;  // (last character, first character) pairs across which some rule merges
  bool cuts_at_seams_ = true;
  mutable WordCache cache_;
};

// Rules of a vocabulary without a merge list (SentencePiece, tiktoken): any two tokens whose concatenation is a token
// merge, with the rank of that token. `ranks[id]`; tokens in `tokens` only.
std::vector<MergeRule> implied_merges(const TextMap<std::int32_t>& tokens, const std::vector<std::uint32_t>& ranks,
                                      Alphabet alphabet);

}  // namespace qzo::tokenizer
