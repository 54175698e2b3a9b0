#include "qzo/cli/chat_prompt.h"

#include <memory>
#include <optional>

#include "qzo/cli/examples.h"
#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/tokenizer/chat_template.h"

namespace qzo::cli {
namespace {

using tokenizer::ChatTemplate;
using tokenizer::ChatVariables;

std::optional<ChatTemplate> template_of(const io::Checkpoint& checkpoint) {
  if (checkpoint.kind != io::CheckpointKind::kGguf) return tokenizer::read_chat_template(checkpoint.root);
  constexpr const char* kKey = "tokenizer.chat_template";
  const std::string* stored = checkpoint.metadata.find_string(kKey);
  if (stored == nullptr) return std::nullopt;
  return ChatTemplate(*stored, checkpoint.metadata.file + ": " + kKey);
}

}  // namespace

tasks::EncodeOptions encode_options(const config::RunConfig& config, const io::Checkpoint& checkpoint,
                                    const tokenizer::Tokenizer& tokenizer) {
  tasks::EncodeOptions options = encode_options(config.data);
  if (!config.task.chat_template) return options;
  std::optional<ChatTemplate> found = template_of(checkpoint);
  if (!found) {
    throw core::UserError(core::text(checkpoint.root.string(),
                                     " has no chat template, which task.chat_template asks for. ",
                                     "Remove task.chat_template and write the whole prompt in task.prompt."));
  }
  ChatVariables variables = {{"add_generation_prompt", true}};
  if (tokenizer.bos()) variables["bos_token"] = tokenizer.decode({*tokenizer.bos()});
  if (tokenizer.eos()) variables["eos_token"] = tokenizer.decode({*tokenizer.eos()});
  options.wrap = [chat = std::make_shared<ChatTemplate>(std::move(*found)), variables](const std::string& prompt) {
    ChatVariables all = variables;
    all["messages"] = ChatVariables::array({{{"role", "user"}, {"content", prompt}}});
    return chat->render(all);
  };
  return options;
}

}  // namespace qzo::cli
