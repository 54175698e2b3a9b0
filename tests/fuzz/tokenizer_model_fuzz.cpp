// Any bytes as a tokenizer.model: a tokenizer whose ids are tokens and that gives the same ids again, or an error of
// ours.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "qzo/core/error.h"
#include "qzo/tokenizer/tokenizer.h"

#include "check_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const auto tokenizer = qzo::tokenizer::from_tokenizer_model_bytes(bytes, "fuzz");
    for (const std::string_view text :
         {std::string_view("The  3 caf\xC3\xA9s \xE2\x96\x81 x\n\xFF "), bytes.substr(0, 4000)}) {
      check_tokenizer(*tokenizer, text);
    }
  } catch (const qzo::core::Error& error) {
    if (error.code() == qzo::core::ExitCode::kInternal) std::abort();
  }
  return 0;
}
