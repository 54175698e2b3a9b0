#pragma once
// Text to ids and back, as the checkpoint's own tokenizer does it.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qzo::tokenizer {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Ids of `text` without BOS or EOS. Special and added tokens written out in the text become their ids. Invalid UTF-8
  // is replaced by U+FFFD first. Thread-safe.
  [[nodiscard]] virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
  // Bytes of the tokens; special tokens are left out if `skip_special`. May end inside a UTF-8 character. Ids without a
  // token (rows that only pad an embedding) give nothing.
  [[nodiscard]] virtual std::string decode(const std::vector<std::int32_t>& ids, bool skip_special = false) const = 0;

  [[nodiscard]] virtual std::int32_t vocabulary_size() const = 0;
  [[nodiscard]] virtual std::optional<std::int32_t> bos() const = 0;
  [[nodiscard]] virtual std::optional<std::int32_t> eos() const = 0;
  // Whether the model's own convention puts BOS in front of a text.
  [[nodiscard]] virtual bool adds_bos() const = 0;
  [[nodiscard]] virtual std::string description() const = 0;  // "byte-level BPE, 49152 tokens, pre-tokenizer smollm"
};

// The vocabulary that a GGUF file embeds (keys tokenizer.ggml.*), handed over without knowledge of the file format.
struct GgufVocabulary {
  std::string file;   // for messages
  std::string model;  // "gpt2" (byte-level BPE) or "llama" (SentencePiece)
  std::string pre;    // pre-tokenizer name ("smollm", "llama-bpe", ...), may be empty
  std::vector<std::string> tokens;
  std::vector<double> scores;             // SentencePiece
  std::vector<std::int64_t> token_types;  // 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte
  std::vector<std::string> merges;
  std::optional<std::int64_t> bos, eos, unknown;
  std::optional<bool> add_bos, add_space_prefix;
};
std::unique_ptr<Tokenizer> from_gguf(const GgufVocabulary& vocabulary);

// A Hugging Face folder: tokenizer.json, else tokenizer.model or spiece.model, else vocab.json + merges.txt; BOS, EOS
// and add_bos_token from tokenizer_config.json / special_tokens_map.json / config.json. UserError naming the file and
// the component for anything not implemented.
std::unique_ptr<Tokenizer> from_folder(const std::filesystem::path& folder);

std::unique_ptr<Tokenizer> from_tokenizer_json(const std::filesystem::path& file);
// The bytes of a tokenizer.json (fuzzing); `name` stands for the file in messages.
std::unique_ptr<Tokenizer> from_tokenizer_json_text(std::string_view text, const std::string& name);
// SentencePiece model, or the tiktoken ranks of Llama-3 (told apart by content).
std::unique_ptr<Tokenizer> from_tokenizer_model(const std::filesystem::path& file);
std::unique_ptr<Tokenizer> from_tokenizer_model_bytes(std::string_view bytes, const std::string& name);
std::unique_ptr<Tokenizer> from_vocab_and_merges(const std::filesystem::path& vocab_json,
                                                 const std::filesystem::path& merges_txt, const std::string& pre);

}  // namespace qzo::tokenizer
