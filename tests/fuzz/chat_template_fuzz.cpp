// Any bytes as a chat template: text that is valid UTF-8, or an error of ours.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "qzo/core/error.h"
#include "qzo/core/text.h"
#include "qzo/tokenizer/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const qzo::tokenizer::ChatVariables variables = {
      {"messages", {{{"role", "user"}, {"content", "Is it \xC3\xA9?"}}, {{"role", "assistant"}, {"content", "Yes."}}}},
      {"add_generation_prompt", true},
      {"bos_token", "<s>"}};
  try {
    const std::string text = qzo::tokenizer::ChatTemplate(bytes, "fuzz").render(variables);
    if (!qzo::core::valid_utf8(text)) std::abort();
  } catch (const qzo::core::Error& error) {
    if (error.code() == qzo::core::ExitCode::kInternal) std::abort();
  }
  return 0;
}
