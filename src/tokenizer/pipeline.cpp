#include "tokenizer/pipeline.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "tokenizer/unicode.h"

namespace qzo::tokenizer {

namespace {

// Bytes. Normalising can make a text 11 times as long, and the model counts in 32 bits.
constexpr std::size_t kLongestText = 256'000'000;

// Writes each added token into the table of texts, so that decode() has one place to look.
void place_added_tokens(PipelineParts& parts) {
  for (const AddedToken& added : parts.added_tokens) {
    if (added.id < 0 || added.id >= kMostTokens) {
      throw core::UserError(core::text(parts.source, ": the added token ", core::quoted(added.text), " has the id ",
                                       added.id, "; expected 0 to ", kMostTokens - 1));
    }
    const auto at = static_cast<std::size_t>(added.id);
    if (at >= parts.tokens.size()) parts.tokens.resize(at + 1);
    std::string& there = parts.tokens[at];
    if (!there.empty() && there != added.text) {
      throw core::UserError(core::text(parts.source, ": the id ", added.id, " is given to the added token ",
                                       core::quoted(added.text), " and to the token ", core::quoted(there)));
    }
    there = added.text;
  }
}

class Pipeline final : public Tokenizer {
 public:
  explicit Pipeline(PipelineParts parts) : parts_(std::move(parts)) {
    place_added_tokens(parts_);
    for (const std::int32_t id : parts_.control_tokens) controls_.insert(id);
    for (const AddedToken& token : parts_.added_tokens) {
      added_.emplace(token.id, token.special);
      if (!token.normalized) {
        raw_finder_.add(token, token.text);
        continue;
      }
      std::string searched = token.text;
      if (parts_.normalizer) parts_.normalizer->apply(searched);
      normalized_finder_.add(token, searched);
    }
  }

  std::vector<std::int32_t> encode(std::string_view text) const override {
    if (text.size() > kLongestText) {
      throw core::UserError(core::text("A text of ", core::human_bytes(text.size()),
                                       " is too long to encode at once; cut it into pieces of at most ",
                                       core::human_bytes(kLongestText)));
    }
    std::string repaired;
    if (!core::valid_utf8(text)) {
      repaired = replace_invalid_utf8(text);
      text = repaired;
    }
    std::vector<std::int32_t> ids;
    std::vector<Section> sections;
    raw_finder_.split(text, sections);
    for (const Section& section : sections) {
      if (section.id >= 0) {
        ids.push_back(section.id);
      } else {
        encode_section(section.text, section.text.data() == text.data(), ids);
      }
    }
    return ids;
  }

  std::string decode(const std::vector<std::int32_t>& ids, bool skip_special) const override {
    std::vector<TokenText> texts;
    texts.reserve(ids.size());
    for (const std::int32_t id : ids) {
      if (id < 0 || id >= vocabulary_size()) continue;
      const auto added = added_.find(id);
      if (skip_special && (added != added_.end() ? added->second : controls_.contains(id))) continue;
      texts.push_back({parts_.tokens[static_cast<std::size_t>(id)], added != added_.end()});
    }
    if (parts_.decoder) parts_.decoder->apply(texts);
    std::string out;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (i > 0 && !parts_.decoder) out += ' ';
      out += texts[i].text;
    }
    return out;
  }

  std::int32_t vocabulary_size() const override { return static_cast<std::int32_t>(parts_.tokens.size()); }
  std::optional<std::int32_t> bos() const override { return parts_.bos; }
  std::optional<std::int32_t> eos() const override { return parts_.eos; }
  bool adds_bos() const override { return parts_.adds_bos; }
  std::string description() const override {
    std::string out = core::text(parts_.kind, ", ", vocabulary_size(), " tokens");
    if (!parts_.pre_tokenizer_name.empty()) out += ", pre-tokenizer " + parts_.pre_tokenizer_name;
    return out;
  }

 private:
  void encode_section(std::string_view text, bool at_start, std::vector<std::int32_t>& ids) const {
    std::string normalized;
    const NormalizerPtr& normalizer =
        !at_start && parts_.later_normalizer ? parts_.later_normalizer : parts_.normalizer;
    if (normalizer) {
      normalized = text;
      normalizer->apply(normalized);
      text = normalized;
    }
    std::vector<Section> sections;
    normalized_finder_.split(text, sections);
    Words words;
    for (const Section& section : sections) {
      if (section.id >= 0) {
        ids.push_back(section.id);
        continue;
      }
      words.words.assign(1, {section.text, at_start && section.text.data() == text.data()});
      words.changed.clear();
      if (parts_.pre_tokenizer) parts_.pre_tokenizer->apply(words);
      for (const Word& word : words.words) parts_.model->encode(word.text, ids);
    }
  }

  PipelineParts parts_;
  AddedTokenFinder raw_finder_;
  AddedTokenFinder normalized_finder_;
  std::unordered_map<std::int32_t, bool> added_;  // whether it is special
  std::unordered_set<std::int32_t> controls_;
};

}  // namespace

std::optional<std::int32_t> find_token(const PipelineParts& parts, std::string_view text) {
  for (const AddedToken& token : parts.added_tokens) {
    if (token.text == text) return token.id;
  }
  const auto found = std::find(parts.tokens.begin(), parts.tokens.end(), text);
  if (found == parts.tokens.end() || text.empty()) return std::nullopt;
  return static_cast<std::int32_t>(found - parts.tokens.begin());
}

std::unique_ptr<Tokenizer> make_pipeline(PipelineParts parts) { return std::make_unique<Pipeline>(std::move(parts)); }

}  // namespace qzo::tokenizer
