#pragma once
// The step that turns a word into ids.

#include <cstdint>
#include <string_view>
#include <vector>

namespace qzo::tokenizer {

// Thread-safe.
class Model {
 public:
  Model() = default;
  virtual ~Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  // Appends the ids of `word`, which must be shorter than 2^31 bytes.
  virtual void encode(std::string_view word, std::vector<std::int32_t>& out) const = 0;
};

}  // namespace qzo::tokenizer
