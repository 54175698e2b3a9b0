// Any bytes as a tokenizer.json: a tokenizer whose ids are tokens and that gives the same ids again, or an error of
// ours.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "qzo/core/error.h"
#include "qzo/tokenizer/tokenizer.h"

#include "check_tokenizer.h"

namespace {

constexpr std::string_view kText =
    "The 3 caf\xC3\xA9s' \xE2\x96\x81  x\n\t<s>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa \xFF";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const auto tokenizer = qzo::tokenizer::from_tokenizer_json_text(bytes, "fuzz");
    // The fuzzed bytes themselves are the likeliest place of the tokens they define.
    for (const std::string_view text : {kText, bytes.substr(0, 4000)}) {
      check_tokenizer(*tokenizer, text);
    }
  } catch (const qzo::core::Error& error) {
    if (error.code() == qzo::core::ExitCode::kInternal) std::abort();
  }
  return 0;
}
