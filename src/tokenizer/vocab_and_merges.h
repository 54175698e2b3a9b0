#pragma once
// vocab.json + merges.txt: a byte-level vocabulary without its other steps, which a name stands for.

#include <filesystem>
#include <string>

#include "tokenizer/pipeline.h"

namespace qzo::tokenizer {

// "<|endoftext|>", if the vocabulary has it, is a special token and the EOS (with "gpt-2" also the BOS), as in the
// classes GPT2Tokenizer and Qwen2Tokenizer.
PipelineParts parse_vocab_and_merges(const std::filesystem::path& vocab_json, const std::filesystem::path& merges_txt,
                                     const std::string& pre);

}  // namespace qzo::tokenizer
