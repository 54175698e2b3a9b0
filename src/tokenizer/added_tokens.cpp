#include "tokenizer/added_tokens.h"

#include "tokenizer/unicode.h"

namespace qzo::tokenizer {

namespace {

bool inside_word(std::string_view text, std::size_t begin, std::size_t end) {
  const bool word_before = begin > 0 && is_word(code_point_at(text, previous_character(text, begin)));
  const bool word_behind = end < text.size() && is_word(code_point_at(text, end));
  return word_before || word_behind;
}

std::size_t skip_white_space_back(std::string_view text, std::size_t at, std::size_t not_before) {
  while (at > not_before) {
    const std::size_t previous = previous_character(text, at);
    if (!is_white_space(code_point_at(text, previous))) break;
    at = previous;
  }
  return at;
}

std::size_t skip_white_space(std::string_view text, std::size_t at) {
  while (at < text.size() && is_white_space(code_point_at(text, at))) at += character_length(text[at]);
  return at;
}

}  // namespace

void AddedTokenFinder::add(const AddedToken& token, std::string_view searched) {
  if (searched.empty() || searched_.longest(searched).length == searched.size()) return;
  begins_token_[static_cast<unsigned char>(searched.front())] = true;
  searched_.add(searched, static_cast<std::int32_t>(tokens_.size()));
  tokens_.push_back(token);
}

void AddedTokenFinder::split(std::string_view text, std::vector<Section>& sections) const {
  sections.clear();
  std::size_t done = 0;  // everything before is in `sections`
  for (std::size_t at = 0; at < text.size();) {
    const bool begins = begins_token_[static_cast<unsigned char>(text[at])];
    const Trie::Match found = begins ? searched_.longest(text.substr(at)) : Trie::Match{};
    if (found.length == 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<std::size_t>(found.value)];
    // A match that is refused for standing inside a word is stepped over, as Hugging Face does: nothing shorter is
    // tried.
    const std::size_t end = at + found.length;
    if (token.single_word && inside_word(text, at, end)) {
      at = end;
      continue;
    }
    const std::size_t begin = token.left_strip ? skip_white_space_back(text, at, done) : at;
    if (begin > done) sections.push_back({text.substr(done, begin - done)});
    done = token.right_strip ? skip_white_space(text, end) : end;
    sections.push_back({text.substr(begin, done - begin), token.id});
    at = done;
  }
  if (done < text.size()) sections.push_back({text.substr(done)});
}

}  // namespace qzo::tokenizer
