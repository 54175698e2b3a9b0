#pragma once
// Chat templates: the subset of Jinja that checkpoints use, rendered as transformers does (trim_blocks, lstrip_blocks,
// its tojson, raise_exception and {% generation %}).
//
// Statements: for (with else, if, break, continue), if/elif/else, set (also of blocks, tuples and namespace members),
// macro, generation, comments. Expressions: literals, lists, dicts, attributes, items, slices, calls, arithmetic, ~,
// comparisons, in, and/or/not, x if y else z, filters and tests (the names stand in filters.cpp), methods of strings
// and dicts, namespace, range, raise_exception. Everything else is refused by name and line.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace qzo::tokenizer {

using ChatVariables = nlohmann::ordered_json;  // keeps the order of keys, which tojson shows

class ChatTemplate {
 public:
  // `source` names the template in messages. UserError with the line for what is malformed or not implemented.
  ChatTemplate(std::string_view text, std::string source);
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  // `variables` is an object: {"messages": [{"role": ..., "content": ...}, ...], "add_generation_prompt": true,
  // "bos_token": ..., ...}. The result holds every special token: encode it without adding BOS. Thread-safe. UserError
  // with the line if the template raises one, uses an undefined value, or does not end within its bounds.
  [[nodiscard]] std::string render(const ChatVariables& variables) const;

 private:
  struct Program;
  std::unique_ptr<Program> program_;
};

// The template of a Hugging Face folder: `chat_template` in tokenizer_config.json (of several named ones, "default"),
// else chat_template.jinja; nullopt if there is neither.
std::optional<ChatTemplate> read_chat_template(const std::filesystem::path& folder);

}  // namespace qzo::tokenizer
