// Any bytes as a tokenizer.model: a tokenizer whose ids are tokens and that gives the same ids again, or an error of
// ours.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "qzo/core/error.h"
#include "qzo/tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const auto tokenizer = qzo::tokenizer::from_tokenizer_model_bytes(bytes, "fuzz");
    for (const std::string_view text :
         {std::string_view("The  3 caf\xC3\xA9s \xE2\x96\x81 x\n\xFF "), bytes.substr(0, 4000)}) {
      const std::vector<std::int32_t> ids = tokenizer->encode(text);
      for (const std::int32_t id : ids) {
        if (id < 0 || id >= tokenizer->vocabulary_size()) std::abort();
      }
      (void)tokenizer->decode(ids);
      if (tokenizer->encode(text) != ids) std::abort();
    }
  } catch (const qzo::core::Error& error) {
    if (error.code() == qzo::core::ExitCode::kInternal) std::abort();
  }
  return 0;
}
