#pragma once
// Vocabularies and texts that several tests of this folder read.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "qzo/core/error.h"
#include "qzo/io/gguf.h"
#include "qzo/io/tensor_source.h"
#include "qzo/tokenizer/tokenizer.h"

#include "support/paths.h"

namespace qzo::tests {

inline std::filesystem::path vocabularies() { return data() / "tokenizers"; }

inline tokenizer::GgufVocabulary read_gguf_vocabulary(const std::filesystem::path& file) {
  io::TensorSource tensors;
  const io::GgufMetadata metadata = io::read_gguf(file, tensors);
  tokenizer::GgufVocabulary out;
  out.file = file.string();
  out.model = metadata.string("tokenizer.ggml.model");
  if (const auto* pre = metadata.find_string("tokenizer.ggml.pre")) out.pre = *pre;
  if (const auto* tokens = metadata.find_strings("tokenizer.ggml.tokens")) out.tokens = *tokens;
  if (const auto* scores = metadata.find_numbers("tokenizer.ggml.scores")) out.scores = *scores;
  if (const auto* types = metadata.find_integers("tokenizer.ggml.token_type")) out.token_types = *types;
  if (const auto* merges = metadata.find_strings("tokenizer.ggml.merges")) out.merges = *merges;
  out.bos = metadata.find_integer("tokenizer.ggml.bos_token_id");
  out.eos = metadata.find_integer("tokenizer.ggml.eos_token_id");
  out.unknown = metadata.find_integer("tokenizer.ggml.unknown_token_id");
  out.add_bos = metadata.find_bool("tokenizer.ggml.add_bos_token");
  out.add_space_prefix = metadata.find_bool("tokenizer.ggml.add_space_prefix");
  return out;
}

// A folder that lives as long as this object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "qzo_tokenizer_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path_ / name) << text; }
  void copy(const std::filesystem::path& file) const { std::filesystem::copy_file(file, path_ / file.filename()); }

 private:
  std::filesystem::path path_;
};

// The sentence of the UserError that `action` throws; "" (and a failure) if there is none.
template <class Action>
std::string user_error(const Action& action) {
  try {
    action();
  } catch (const core::UserError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no UserError";
  return "";
}

using Ids = std::vector<std::int32_t>;

}  // namespace qzo::tests
