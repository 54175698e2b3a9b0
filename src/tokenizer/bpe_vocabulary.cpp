#include "tokenizer/bpe_vocabulary.h"

#include <optional>
#include <utility>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "tokenizer/unicode.h"

namespace qzo::tokenizer {

namespace {

std::int32_t id_of(const TextMap<std::int32_t>& ids, std::string_view text, std::size_t line,
                   const std::string& source) {
  const auto found = ids.find(text);
  if (found == ids.end()) {
    throw core::UserError(core::text(source, ": merge ", line + 1, " needs the token ", core::quoted(text),
                                     ", which is not in the vocabulary; vocabulary and merges do not belong together"));
  }
  return found->second;
}

}  // namespace

MergeText split_merge(std::string_view line, const std::string& where) {
  const std::size_t space = line.find(' ');
  if (space == 0 || space == std::string_view::npos || space + 1 == line.size() ||
      line.find(' ', space + 1) != std::string_view::npos) {
    throw core::UserError(
        core::text(where, ": expected a merge of two tokens with one space between, found ", core::quoted(line)));
  }
  return {line.substr(0, space), line.substr(space + 1)};
}

std::unique_ptr<Bpe> make_bpe(const std::vector<std::string>& tokens, const std::vector<MergeText>& merges,
                              const BpeOptions& options, const std::string& source) {
  TextMap<std::int32_t> ids;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (!tokens[id].empty()) ids.emplace(tokens[id], static_cast<std::int32_t>(id));
  }
  std::vector<MergeRule> rules;
  rules.reserve(merges.size());
  std::string merged;
  for (std::size_t i = 0; i < merges.size(); ++i) {
    merged.assign(merges[i].left);
    merged += merges[i].right;
    rules.push_back({id_of(ids, merges[i].left, i, source), id_of(ids, merges[i].right, i, source),
                     id_of(ids, merged, i, source), static_cast<std::uint32_t>(i)});
  }
  if (options.alphabet == Alphabet::kCharacters) return std::make_unique<Bpe>(std::move(ids), rules, options);
  // Texts outside of the byte alphabet (added tokens) can never come out of the model.
  TextMap<std::int32_t> by_bytes;
  for (const auto& [text, id] : ids) {
    if (auto bytes = characters_to_bytes(text)) by_bytes.emplace(*std::move(bytes), id);
  }
  return std::make_unique<Bpe>(std::move(by_bytes), rules, options);
}

}  // namespace qzo::tokenizer
