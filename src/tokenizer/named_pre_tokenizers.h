#pragma once
// Pre-tokenizers that files name instead of describing: tokenizer.ggml.pre of GGUF, and the classes behind
// vocab.json + merges.txt and tiktoken ranks.

#include <string>

#include "tokenizer/normalizer.h"
#include "tokenizer/pre_tokenizer.h"

namespace qzo::tokenizer {

struct NamedPreTokenizer {
  NormalizerPtr normalizer;  // null: none
  PreTokenizerPtr pre_tokenizer;
  bool ignore_merges = false;
  bool adds_bos = false;  // the convention of the models that use it, where the file does not say
};

// UserError naming `source`, the name and the known names.
NamedPreTokenizer named_pre_tokenizer(const std::string& name, const std::string& source);

}  // namespace qzo::tokenizer
