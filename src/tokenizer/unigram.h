#pragma once
// Unigram language model (T5, XLM-R): of all ways to cut a word into pieces, the one with the largest sum of scores.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tokenizer/model.h"
#include "tokenizer/trie.h"
#include "tokenizer/word_cache.h"

namespace qzo::tokenizer {

enum class PathPrecision {
  kSingle,  // sums rounded to fp32, as SentencePiece keeps them: decides between nearly equal ways through a long text
  kDouble,  // Hugging Face
};

struct UnigramPiece {
  std::string text;
  std::int32_t id = 0;
  double score = 0;
};

struct UnigramOptions {
  std::int32_t unknown = 0;                    // neighbouring unknown characters give one token
  double unknown_score = 0;                    // of each unknown character
  std::vector<std::int32_t> byte_tokens = {};  // by byte: used instead of `unknown`; empty: no byte fallback
  PathPrecision precision = PathPrecision::kDouble;
};

class Unigram final : public Model {
 public:
  // Of two pieces with the same text the later counts; empty texts are never found.
  Unigram(const std::vector<UnigramPiece>& pieces, UnigramOptions options);

  // Of two ways with the same sum, the one whose last differing piece begins earlier.
  void encode(std::string_view word, std::vector<std::int32_t>& out) const override;

 private:
  struct Node {  // the best way to a place in the word
    double score = 0;
    std::int32_t id = 0;
    std::uint32_t begin = kUnreached;  // of the last piece
  };
  struct Piece {
    double score = 0;
    std::int32_t id = 0;
  };
  static constexpr std::uint32_t kUnreached = ~std::uint32_t{0};

  void find_best_ways(std::string_view word, std::vector<Node>& nodes) const;
  [[nodiscard]] double rounded(double score) const;
  void offer(Node& node, double score, std::int32_t id, std::size_t begin) const;
  void append(std::string_view word, const std::vector<Node>& nodes, std::vector<std::int32_t>& out) const;

  Trie trie_;  // to places in pieces_
  std::vector<Piece> pieces_;
  UnigramOptions options_;
  mutable WordCache cache_;
};

// Below the worst piece of a vocabulary by this much (in both references).
inline constexpr double kUnknownPenalty = 10.0;

}  // namespace qzo::tokenizer
