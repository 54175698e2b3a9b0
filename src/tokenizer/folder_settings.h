#pragma once
// What the small files beside a vocabulary say about it: tokenizer_config.json, special_tokens_map.json, config.json.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/added_tokens.h"

namespace qzo::tokenizer {

// BOS or EOS: by text (tokenizer_config.json, then special_tokens_map.json) or else by id (config.json; the first of a
// list). Null in a file counts as not said.
struct NamedToken {
  std::optional<std::string> text;
  std::optional<std::int64_t> id;
  std::string where;  // "model/tokenizer_config.json: eos_token"
};

struct FolderSettings {
  std::string class_name;  // tokenizer_class, or "" if not said
  std::string model_type;  // config.json, or ""
  NamedToken bos, eos;
  std::optional<bool> adds_bos;
  std::optional<bool> legacy;  // SentencePiece: see DummyPrefix
  bool add_prefix_space = false;
  std::vector<AddedToken> added_tokens;  // added_tokens_decoder
};

// Absent files and members are no error; those of another kind are (UserError naming file and member).
FolderSettings read_folder_settings(const std::filesystem::path& folder);

}  // namespace qzo::tokenizer
