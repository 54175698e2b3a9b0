#include "tokenizer/named_pre_tokenizers.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "tokenizer/known_patterns.h"

namespace qzo::tokenizer {

namespace {

struct Entry {
  std::string_view name;
  std::string_view pattern;
  bool single_digits = false;  // numbers are cut into digits before the pattern
  bool nfc = false;
  bool ignore_merges = false;
  bool adds_bos = false;
};

constexpr std::array<Entry, 8> kEntries = {{
    {.name = "gpt-2", .pattern = kGpt2Pattern},
    {.name = "phi-2", .pattern = kGpt2Pattern},
    {.name = "llama-bpe", .pattern = kLlama3Pattern, .ignore_merges = true, .adds_bos = true},
    {.name = "llama-v3", .pattern = kLlama3Pattern, .ignore_merges = true, .adds_bos = true},
    {.name = "llama3", .pattern = kLlama3Pattern, .ignore_merges = true, .adds_bos = true},
    {.name = "qwen2", .pattern = kQwen2Pattern, .nfc = true},
    {.name = "smollm", .pattern = kGpt2Pattern, .single_digits = true},
    {.name = "starcoder", .pattern = kGpt2Pattern, .single_digits = true},
}};

}  // namespace

NamedPreTokenizer named_pre_tokenizer(const std::string& name, const std::string& source) {
  const auto entry = std::find_if(kEntries.begin(), kEntries.end(), [&](const Entry& e) { return e.name == name; });
  if (entry == kEntries.end()) {
    std::string known;
    for (const Entry& e : kEntries) known += (known.empty() ? "" : ", ") + std::string(e.name);
    throw core::UserError(core::text(source, ": the pre-tokenizer ",
                                     name.empty() ? "has no name" : core::quoted(name) + " is not implemented",
                                     " (known: ", known, "); use a checkpoint with a tokenizer.json instead"));
  }
  NamedPreTokenizer out;
  if (entry->nfc) out.normalizer = make_normal_form(NormalForm::kNfc);
  std::vector<PreTokenizerPtr> steps;
  if (entry->single_digits) steps.push_back(make_digits(DigitGroups::kSingle));
  steps.push_back(make_split(Regex(std::string(entry->pattern), source), SplitBehaviour::kIsolated, Invert::kNo));
  out.pre_tokenizer = make_pre_tokenizer_sequence(std::move(steps));
  out.ignore_merges = entry->ignore_merges;
  out.adds_bos = entry->adds_bos;
  return out;
}

}  // namespace qzo::tokenizer
