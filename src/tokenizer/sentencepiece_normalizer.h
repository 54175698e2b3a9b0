#pragma once
// What SentencePiece does to a text before its model sees it.

#include <memory>
#include <string>

#include "tokenizer/charsmap.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/trie.h"

namespace qzo::tokenizer {

inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581: SentencePiece's space

struct SentencePieceNormalizerOptions {
  std::shared_ptr<const Charsmap> map;
  std::shared_ptr<const Trie> kept;  // user-defined pieces, which stay as they are written
  bool dummy_prefix = true;          // a space in front
  bool remove_extra_spaces = true;   // at both ends, and all but one between
  bool escape_spaces = true;         // as kSpaceMark
};
NormalizerPtr make_sentencepiece_normalizer(SentencePieceNormalizerOptions options);

}  // namespace qzo::tokenizer
