#include "tokenizer/bpe.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <unordered_map>
#include <utility>

#include "tokenizer/unicode.h"

namespace qzo::tokenizer {

namespace {

constexpr std::uint32_t kNone = ~std::uint32_t{0};

// The symbols of a part form a linked list; a symbol merged into its left neighbour gets id -1.
struct Symbol {
  std::int32_t id;
  std::uint32_t previous;
  std::uint32_t next;
};

struct Candidate {
  std::uint32_t rank;
  std::uint32_t at;  // position of the left symbol
  std::int32_t left, right, merged;

  // For a heap that has the lowest rank on top, the leftmost among equals.
  bool operator<(const Candidate& other) const { return rank != other.rank ? rank > other.rank : at > other.at; }
};

// Merges until nothing merges, in place; the result starts at symbol 0 and follows `next`.
class MergeQueue {
 public:
  void run(const std::vector<std::int32_t>& ids, const PairTable& merges, std::vector<std::int32_t>& out) {
    const auto count = static_cast<std::uint32_t>(ids.size());
    symbols_.clear();
    heap_.clear();
    for (std::uint32_t i = 0; i < count; ++i) {
      symbols_.push_back({ids[i], i == 0 ? kNone : i - 1, i + 1 == count ? kNone : i + 1});
    }
    for (std::uint32_t i = 0; i + 1 < count; ++i) add_candidate(i, merges);
    std::make_heap(heap_.begin(), heap_.end());
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end());
      const Candidate best = heap_.back();
      heap_.pop_back();
      apply(best, merges);
    }
    for (std::uint32_t i = count == 0 ? kNone : 0; i != kNone; i = symbols_[i].next) out.push_back(symbols_[i].id);
  }

 private:
  bool add_candidate(std::uint32_t at, const PairTable& merges) {
    const Symbol& left = symbols_[at];
    if (left.next == kNone) return false;
    const Symbol& right = symbols_[left.next];
    const Merge* merge = merges.find(left.id, right.id);
    if (merge == nullptr) return false;
    heap_.push_back({merge->rank, at, left.id, right.id, merge->merged});
    return true;
  }

  void push(std::uint32_t at, const PairTable& merges) {
    if (at != kNone && add_candidate(at, merges)) std::push_heap(heap_.begin(), heap_.end());
  }

  void apply(const Candidate& candidate, const PairTable& merges) {
    Symbol& left = symbols_[candidate.at];
    // Stale if a merge has changed either side since.
    if (left.id != candidate.left || left.next == kNone) return;
    Symbol& right = symbols_[left.next];
    if (right.id != candidate.right) return;
    left.id = candidate.merged;
    right.id = -1;
    left.next = right.next;
    if (left.next != kNone) symbols_[left.next].previous = candidate.at;
    push(left.previous, merges);
    push(candidate.at, merges);
  }

  std::vector<Symbol> symbols_;
  std::vector<Candidate> heap_;
};

unsigned char byte_of(char c) { return static_cast<unsigned char>(c); }

std::int32_t find_or_none(const TextMap<std::int32_t>& tokens, std::string_view text) {
  const auto found = tokens.find(text);
  return found == tokens.end() ? -1 : found->second;
}

std::vector<std::int32_t> byte_tokens(const TextMap<std::int32_t>& tokens, Alphabet alphabet,
                                      const std::string& suffix = "") {
  std::vector<std::int32_t> out(256, -1);
  for (std::size_t byte = 0; byte < 256; ++byte) {
    std::array<char, 8> name{};
    if (alphabet == Alphabet::kBytes) {
      out[byte] = find_or_none(tokens, static_cast<char>(byte) + suffix);
    } else {
      std::snprintf(name.data(), name.size(), "<0x%02zX>", byte);
      out[byte] = find_or_none(tokens, name.data());
    }
  }
  return out;
}

std::int32_t character_at(std::string_view text, std::size_t at, Alphabet alphabet) {
  return alphabet == Alphabet::kBytes ? static_cast<unsigned char>(text[at])
                                      : static_cast<std::int32_t>(code_point_at(text, at));
}

}  // namespace

Bpe::Bpe(TextMap<std::int32_t> tokens, const std::vector<MergeRule>& merges, const BpeOptions& options)
    : tokens_(std::move(tokens)),
      options_(options),
      byte_tokens_(byte_tokens(tokens_, options.alphabet)),
      merges_(merges.size()),
      seams_(merges.size()) {
  for (const MergeRule& rule : merges) merges_.set(rule.left, rule.right, {rule.rank, rule.merged});
  if (!options_.word_end.empty()) last_byte_tokens_ = byte_tokens(tokens_, options_.alphabet, options_.word_end);
  note_seams(merges);
}

// No rule merges across "e|▁" if none has a left side that ends in e and a right side that begins with ▁. A word can be
// cut at such a place without changing its ids, which turns a document without pre-tokenizer into short, repeating
// parts.
void Bpe::note_seams(const std::vector<MergeRule>& merges) {
  // The last character of a word is written differently: where it stands matters.
  if (!options_.word_end.empty()) {
    cuts_at_seams_ = false;
    return;
  }
  // Where a character can vanish, its neighbours meet.
  const bool all_bytes = std::find(byte_tokens_.begin(), byte_tokens_.end(), -1) == byte_tokens_.end();
  const bool complete = all_bytes && (options_.alphabet == Alphabet::kBytes || options_.byte_fallback);
  if (!complete && !options_.unknown) {
    cuts_at_seams_ = false;
    return;
  }
  std::unordered_map<std::int32_t, std::string_view> texts;
  for (const auto& [text, id] : tokens_) texts.emplace(id, text);
  // Tokens that stand for other characters than those they are written with.
  if (options_.byte_fallback) {
    for (const std::int32_t id : byte_tokens_) texts.erase(id);
  }
  if (options_.unknown) texts.erase(*options_.unknown);
  for (const MergeRule& rule : merges) {
    const auto left_text = texts.find(rule.left);
    const auto right_text = texts.find(rule.right);
    if (left_text == texts.end() || right_text == texts.end()) {
      cuts_at_seams_ = false;
      return;
    }
    const std::string_view left = left_text->second;
    const std::string_view right = right_text->second;
    const std::size_t last =
        options_.alphabet == Alphabet::kBytes ? left.size() - 1 : previous_character(left, left.size());
    seams_.set(character_at(left, last, options_.alphabet), character_at(right, 0, options_.alphabet), {});
  }
}

void Bpe::encode(std::string_view word, std::vector<std::int32_t>& out) const {
  if (options_.ignore_merges) {
    if (const std::int32_t whole = find_or_none(tokens_, word); whole >= 0) {
      out.push_back(whole);
      return;
    }
  }
  if (word.size() <= WordCache::kLongestWord || !cuts_at_seams_) {
    encode_part(word, out);
    return;
  }
  const std::size_t first = out.size();
  for (std::size_t begin = 0; begin < word.size();) {
    const std::size_t end = part_end(word, begin);
    const std::size_t before = out.size();
    encode_part(word.substr(begin, end - begin), out);
    const bool meets_unknown = options_.fuse_unknown && options_.unknown && before > first && out.size() > before &&
                               out[before] == *options_.unknown && out[before - 1] == *options_.unknown;
    if (meets_unknown) out.erase(out.begin() + static_cast<std::ptrdiff_t>(before));
    begin = end;
  }
}

std::size_t Bpe::part_end(std::string_view word, std::size_t begin) const {
  std::int32_t last = character_at(word, begin, options_.alphabet);
  std::size_t at = begin + symbol_length(word[begin]);
  while (at < word.size()) {
    const std::int32_t next = character_at(word, at, options_.alphabet);
    if (seams_.find(last, next) == nullptr) return at;
    last = next;
    at += symbol_length(word[at]);
  }
  return at;
}

void Bpe::encode_part(std::string_view part, std::vector<std::int32_t>& out) const {
  if (part.size() > WordCache::kLongestWord) {
    merge(part, out);
    return;
  }
  if (cache_.append_known(part, out)) return;
  const std::size_t before = out.size();
  merge(part, out);
  cache_.remember(part, std::span(out).subspan(before));
}

void Bpe::merge(std::string_view part, std::vector<std::int32_t>& out) const {
  if (part.size() > WordCache::kLongestWord) {
    std::vector<std::int32_t> symbols;
    start_symbols(part, symbols);
    MergeQueue().run(symbols, merges_, out);
    return;
  }
  thread_local MergeQueue queue;  // keeps its memory; small, because the parts are
  thread_local std::vector<std::int32_t> symbols;
  symbols.clear();
  start_symbols(part, symbols);
  queue.run(symbols, merges_, out);
}

std::size_t Bpe::symbol_length(char first) const {
  return options_.alphabet == Alphabet::kBytes ? 1 : character_length(first);
}

void Bpe::start_symbols(std::string_view part, std::vector<std::int32_t>& symbols) const {
  bool after_unknown = false;
  const auto add_unknown = [&] {
    if (options_.unknown && !(after_unknown && options_.fuse_unknown)) symbols.push_back(*options_.unknown);
    after_unknown = true;
  };
  for (std::size_t at = 0; at < part.size();) {
    const std::string_view character = part.substr(at, symbol_length(part[at]));
    at += character.size();
    const bool takes_word_end = at == part.size() && !last_byte_tokens_.empty();
    const std::int32_t id = options_.alphabet == Alphabet::kCharacters
                                ? find_or_none(tokens_, character)
                                : (takes_word_end ? last_byte_tokens_ : byte_tokens_)[byte_of(character.front())];
    if (id >= 0) {
      symbols.push_back(id);
      after_unknown = false;
      continue;
    }
    const bool has_bytes = options_.byte_fallback && std::all_of(character.begin(), character.end(),
                                                                 [&](char c) { return byte_tokens_[byte_of(c)] >= 0; });
    if (!has_bytes) {
      add_unknown();
      continue;
    }
    for (const char c : character) symbols.push_back(byte_tokens_[byte_of(c)]);
    after_unknown = false;
  }
}

std::vector<MergeRule> implied_merges(const TextMap<std::int32_t>& tokens, const std::vector<std::uint32_t>& ranks,
                                      Alphabet alphabet) {
  std::vector<MergeRule> rules;
  for (const auto& [text, id] : tokens) {
    const std::string_view whole = text;
    std::size_t at = 0;
    while (true) {
      at += alphabet == Alphabet::kBytes ? 1 : character_length(whole[at]);
      if (at >= whole.size()) break;
      const std::int32_t left = find_or_none(tokens, whole.substr(0, at));
      if (left < 0) continue;
      const std::int32_t right = find_or_none(tokens, whole.substr(at));
      if (right >= 0) rules.push_back({left, right, id, ranks[static_cast<std::size_t>(id)]});
    }
  }
  return rules;
}

}  // namespace qzo::tokenizer
