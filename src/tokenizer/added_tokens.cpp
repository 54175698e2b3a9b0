#include "tokenizer/added_tokens.h"

#include <algorithm>

#include "tokenizer/unicode.h"

namespace qzo::tokenizer {

namespace {

std::uint64_t edge(std::uint32_t node, char byte) {
  return std::uint64_t{node} << 8 | static_cast<unsigned char>(byte);
}

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

AddedTokenFinder::AddedTokenFinder() = default;

void AddedTokenFinder::add(const AddedToken& token, std::string_view searched) {
  if (searched.empty()) return;
  begins_token_[static_cast<unsigned char>(searched.front())] = true;
  std::uint32_t node = 0;
  for (const char byte : searched) {
    const auto [child, is_new] = children_.emplace(edge(node, byte), nodes_);
    if (is_new) ++nodes_;
    node = child->second;
  }
  tokens_.emplace(node, token);
}

AddedTokenFinder::Found AddedTokenFinder::longest_at(std::string_view text, std::size_t at) const {
  Found longest;
  std::uint32_t node = 0;
  for (std::size_t i = at; i < text.size(); ++i) {
    const auto child = children_.find(edge(node, text[i]));
    if (child == children_.end()) break;
    node = child->second;
    if (const auto token = tokens_.find(node); token != tokens_.end()) longest = {i + 1 - at, &token->second};
  }
  return longest;
}

void AddedTokenFinder::split(std::string_view text, std::vector<Section>& sections) const {
  sections.clear();
  std::size_t done = 0;  // everything before is in `sections`
  for (std::size_t at = 0; at < text.size();) {
    const Found found = begins_token_[static_cast<unsigned char>(text[at])] ? longest_at(text, at) : Found{};
    if (found.token == nullptr) {
      ++at;
      continue;
    }
    // A match that is refused for standing inside a word is stepped over, as Hugging Face does: nothing shorter is
    // tried.
    const std::size_t end = at + found.length;
    if (found.token->single_word && inside_word(text, at, end)) {
      at = end;
      continue;
    }
    const std::size_t begin = found.token->left_strip ? skip_white_space_back(text, at, done) : at;
    if (begin > done) sections.push_back({text.substr(done, begin - done)});
    done = found.token->right_strip ? skip_white_space(text, end) : end;
    sections.push_back({text.substr(begin, done - begin), found.token->id});
    at = done;
  }
  if (done < text.size()) sections.push_back({text.substr(done)});
}

}  // namespace qzo::tokenizer
