#include "qzo/cli/samples.h"

#include <algorithm>

#include "qzo/core/text.h"

namespace qzo::cli {
namespace {

// Line breaks and other control characters would tear the listing apart.
std::string visible(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else {
      out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
    }
  }
  return out;
}

}  // namespace

std::string samples_text(std::span<const tasks::Example> examples, const tokenizer::Tokenizer& tokenizer,
                         std::size_t count) {
  std::string out;
  for (const tasks::Example& example : examples.first(std::min(count, examples.size()))) {
    const auto label = static_cast<std::size_t>(example.label);
    out += core::text("  line ", example.line, ", ", example.tokens(),
                      " tokens: ", visible(tokenizer.decode(example.prompt)), ">>>",
                      visible(tokenizer.decode(example.candidates.at(label))), "<<<   (or:");
    for (std::size_t i = 0; i < example.candidates.size(); ++i) {
      if (i != label) out += core::text(" \"", visible(tokenizer.decode(example.candidates[i])), "\"");
    }
    out += ")\n";
  }
  return out;
}

std::string lengths_text(const std::string& name, std::span<const tasks::Example> examples) {
  if (examples.empty()) return core::text("  ", name, ": none\n");
  std::int64_t sum = 0, longest = 0;
  bool single = true;
  for (const tasks::Example& example : examples) {
    sum += example.tokens();
    longest = std::max(longest, example.tokens());
    single = single && example.single_token();
  }
  return core::text("  ", name, ": ", examples.size(), " examples, ", sum / static_cast<std::int64_t>(examples.size()),
                    " tokens on average, at most ", longest,
                    single ? "; answers are single tokens" : "; answers of several tokens", "\n");
}

}  // namespace qzo::cli
