#include "qzo/tokenizer/chat_template.h"

#include <utility>

#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/json_file.h"
#include "qzo/core/text.h"

#include "tokenizer/chat_template/evaluator.h"
#include "tokenizer/chat_template/syntax.h"
#include "tokenizer/json_node.h"

namespace qzo::tokenizer {

struct ChatTemplate::Program {
  std::string source;
  chat_template::Block block;
};

ChatTemplate::ChatTemplate(std::string_view text, std::string source) : program_(std::make_unique<Program>()) {
  program_->source = std::move(source);
  if (!core::valid_utf8(text)) throw core::UserError(program_->source + ": the template is not valid UTF-8");
  program_->block = chat_template::parse(text, program_->source);
}

ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

std::string ChatTemplate::render(const ChatVariables& variables) const {
  std::map<std::string, chat_template::Value> values;
  for (const auto& [name, value] : variables.items()) values.emplace(name, chat_template::from_json(value));
  return chat_template::Evaluator(std::move(values), program_->source).run(program_->block);
}

std::optional<ChatTemplate> read_chat_template(const std::filesystem::path& folder) {
  const std::filesystem::path config = folder / "tokenizer_config.json";
  if (std::filesystem::exists(config)) {
    const core::Json json = core::read_json(config);
    const auto node = JsonNode(json, config.string()).find("chat_template");
    if (node && node->value().is_string()) return ChatTemplate(node->string(), node->where());
    if (node) {
      for (const JsonNode& named : node->items()) {
        if (named.at("name").string() == "default") {
          return ChatTemplate(named.at("template").string(), named.where());
        }
      }
      node->fail("none of the named templates is \"default\"");
    }
  }
  const std::filesystem::path file = folder / "chat_template.jinja";
  if (!std::filesystem::exists(file)) return std::nullopt;
  return ChatTemplate(core::read_file(file), file.string());
}

}  // namespace qzo::tokenizer
