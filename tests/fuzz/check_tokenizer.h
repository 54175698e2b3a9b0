#pragma once
// What a tokenizer made of any bytes must keep: its ids are tokens, and a text gives the same ids again.

#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "qzo/tokenizer/tokenizer.h"

inline void check_tokenizer(const qzo::tokenizer::Tokenizer& tokenizer, std::string_view text) {
  const std::vector<std::int32_t> ids = tokenizer.encode(text);
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= tokenizer.vocabulary_size()) std::abort();
  }
  (void)tokenizer.decode(ids);
  if (tokenizer.encode(text) != ids) std::abort();
}
