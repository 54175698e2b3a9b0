#include "tokenizer/word_cache.h"

namespace qzo::tokenizer {

bool WordCache::append_known(std::string_view word, std::vector<std::int32_t>& out) {
  Shard& shard = shard_of(word);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.words.find(word);
  if (found == shard.words.end()) return false;
  out.insert(out.end(), found->second.begin(), found->second.end());
  return true;
}

void WordCache::remember(std::string_view word, std::span<const std::int32_t> ids) {
  Shard& shard = shard_of(word);
  const std::lock_guard lock(shard.mutex);
  if (shard.words.size() >= kWordsPerShard) shard.words.clear();
  shard.words.emplace(word, std::vector<std::int32_t>(ids.begin(), ids.end()));
}

}  // namespace qzo::tokenizer
