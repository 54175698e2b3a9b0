#pragma once
// Ids of words seen before, shared by all threads. What it holds never changes a result, only the time it takes.

#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace qzo::tokenizer {

// Looks std::string keys up by std::string_view.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
template <class Value>
using TextMap = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

class WordCache {
 public:
  static constexpr std::size_t kLongestWord = 48;  // bytes; longer words hardly ever repeat

  // Appends the ids and returns true if the word is known.
  bool append_known(std::string_view word, std::vector<std::int32_t>& out);
  void remember(std::string_view word, std::span<const std::int32_t> ids);

 private:
  // Shards keep threads out of each other's way; a full one starts over, so that it follows the text.
  static constexpr std::size_t kShards = 32;
  static constexpr std::size_t kWordsPerShard = 4096;
  struct Shard {
    std::mutex mutex;
    TextMap<std::vector<std::int32_t>> words;
  };
  Shard& shard_of(std::string_view word) { return shards_[(TextHash()(word) >> 48) % kShards]; }

  std::array<Shard, kShards> shards_;
};

}  // namespace qzo::tokenizer
