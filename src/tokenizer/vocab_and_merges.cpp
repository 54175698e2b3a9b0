#include "tokenizer/vocab_and_merges.h"

#include <string_view>
#include <utility>
#include <vector>

#include "qzo/core/fs.h"
#include "qzo/core/json_file.h"
#include "qzo/core/text.h"

#include "tokenizer/bpe_vocabulary.h"
#include "tokenizer/named_pre_tokenizers.h"
#include "tokenizer/tokenizer_json.h"

namespace qzo::tokenizer {

namespace {

std::vector<MergeText> merge_lines(std::string_view text, const std::string& file) {
  std::vector<MergeText> merges;
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    // Other lines that begin with '#' are merges of '#'.
    if (line.empty() || line.starts_with("#version")) continue;
    merges.push_back(split_merge(line, core::text(file, ": line ", number)));
  }
  return merges;
}

}  // namespace

PipelineParts parse_vocab_and_merges(const std::filesystem::path& vocab_json, const std::filesystem::path& merges_txt,
                                     const std::string& pre) {
  NamedPreTokenizer named = named_pre_tokenizer(pre, vocab_json.string());
  const core::Json vocabulary = core::read_json(vocab_json);
  const std::string merges = core::read_file(merges_txt);

  PipelineParts parts;
  parts.source = vocab_json.string();
  parts.kind = "byte-level BPE";
  parts.pre_tokenizer_name = pre;
  parts.tokens = parse_vocabulary(JsonNode(vocabulary, vocab_json.string()));
  parts.normalizer = std::move(named.normalizer);
  parts.pre_tokenizer = std::move(named.pre_tokenizer);
  const BpeOptions options{.alphabet = Alphabet::kBytes, .ignore_merges = named.ignore_merges, .unknown = {}};
  parts.model = make_bpe(parts.tokens, merge_lines(merges, merges_txt.string()), options, merges_txt.string());
  parts.decoder = make_byte_level_decoder();
  parts.adds_bos = named.adds_bos;
  const std::string end_of_text = "<|endoftext|>";
  if (const auto id = find_token(parts, end_of_text)) {
    parts.added_tokens.push_back({.id = *id, .text = end_of_text, .special = true});
    parts.eos = id;
    if (pre == "gpt-2") parts.bos = id;
  }
  return parts;
}

std::unique_ptr<Tokenizer> from_vocab_and_merges(const std::filesystem::path& vocab_json,
                                                 const std::filesystem::path& merges_txt, const std::string& pre) {
  return make_pipeline(parse_vocab_and_merges(vocab_json, merges_txt, pre));
}

}  // namespace qzo::tokenizer
