#include "tokenizer/unigram.h"

#include <algorithm>
#include <utility>

#include "tokenizer/unicode.h"

namespace qzo::tokenizer {

Unigram::Unigram(const std::vector<UnigramPiece>& pieces, UnigramOptions options) : options_(std::move(options)) {
  for (const UnigramPiece& piece : pieces) {
    if (piece.text.empty()) continue;
    trie_.add(piece.text, static_cast<std::int32_t>(pieces_.size()));
    pieces_.push_back({piece.score, piece.id});
  }
}

void Unigram::encode(std::string_view word, std::vector<std::int32_t>& out) const {
  const bool cached = word.size() <= WordCache::kLongestWord;
  if (cached && cache_.append_known(word, out)) return;
  const std::size_t before = out.size();
  if (cached) {
    thread_local std::vector<Node> nodes;  // keeps its memory; small, because the word is
    find_best_ways(word, nodes);
    append(word, nodes, out);
    cache_.remember(word, std::span(out).subspan(before));
  } else {
    std::vector<Node> nodes;
    find_best_ways(word, nodes);
    append(word, nodes, out);
  }
}

double Unigram::rounded(double score) const {
  return options_.precision == PathPrecision::kSingle ? static_cast<float>(score) : score;
}

// SentencePiece compares the sum before it rounds it.
void Unigram::offer(Node& node, double score, std::int32_t id, std::size_t begin) const {
  if (node.begin != kUnreached && score <= node.score) return;
  node = {rounded(score), id, static_cast<std::uint32_t>(begin)};
}

void Unigram::find_best_ways(std::string_view word, std::vector<Node>& nodes) const {
  nodes.assign(word.size() + 1, Node{});
  for (std::size_t begin = 0; begin < word.size();) {
    const double here = nodes[begin].score;
    const std::size_t next = begin + character_length(word[begin]);
    bool has_single = false;  // a piece for this character alone
    std::int32_t at = Trie::kRoot;
    for (std::size_t end = begin; end < word.size();) {
      at = trie_.step(at, word[end++]);
      if (at == Trie::kNowhere) break;
      const std::int32_t found = trie_.value(at);
      if (found < 0) continue;
      const Piece& piece = pieces_[static_cast<std::size_t>(found)];
      offer(nodes[end], here + piece.score, piece.id, begin);
      has_single = has_single || end == next;
    }
    if (!has_single) offer(nodes[next], rounded(here + options_.unknown_score), options_.unknown, begin);
    begin = next;
  }
}

void Unigram::append(std::string_view word, const std::vector<Node>& nodes, std::vector<std::int32_t>& out) const {
  const auto first = static_cast<std::ptrdiff_t>(out.size());
  bool behind_unknown = false;  // "behind" in the text: this runs from its end
  for (std::size_t end = word.size(); end > 0;) {
    const Node& node = nodes[end];
    const bool unknown = node.id == options_.unknown;
    if (unknown && !options_.byte_tokens.empty()) {
      for (std::size_t i = end; i > node.begin; --i) {
        out.push_back(options_.byte_tokens[static_cast<unsigned char>(word[i - 1])]);
      }
    } else if (!(unknown && behind_unknown)) {
      out.push_back(node.id);
    }
    behind_unknown = unknown;
    end = node.begin;
  }
  std::reverse(out.begin() + first, out.end());
}

}  // namespace qzo::tokenizer
