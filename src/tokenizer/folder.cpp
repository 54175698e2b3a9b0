// Which files of a folder make its tokenizer, and what the small files beside them change.

#include <algorithm>
#include <utility>

#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/json_file.h"
#include "qzo/core/text.h"

#include "tokenizer/folder_settings.h"
#include "tokenizer/pipeline.h"
#include "tokenizer/sentencepiece_model.h"
#include "tokenizer/tiktoken.h"
#include "tokenizer/tokenizer_json.h"
#include "tokenizer/vocab_and_merges.h"

namespace qzo::tokenizer {

namespace {

// Leaves `current` as it is if the folder does not name the token. A token named by its text is one of the special
// tokens that are found in a text, as in Hugging Face.
void choose_token(const NamedToken& named, std::optional<std::int32_t>& current, PipelineParts& parts) {
  if (!named.text) {
    if (!named.id) return;
    if (*named.id < 0 || *named.id >= kMostTokens) {
      throw core::UserError(
          core::text(named.where, ": expected an id from 0 to ", kMostTokens - 1, ", found ", *named.id));
    }
    current = static_cast<std::int32_t>(*named.id);
    return;
  }
  current = find_token(parts, *named.text);
  if (!current) {
    throw core::UserError(
        core::text(named.where, " is ", core::quoted(*named.text), ", which is not a token of ", parts.source));
  }
  const bool known = std::any_of(parts.added_tokens.begin(), parts.added_tokens.end(),
                                 [&](const AddedToken& token) { return token.id == *current; });
  if (!known) parts.added_tokens.push_back({.id = *current, .text = *named.text, .special = true});
}

void apply(const FolderSettings& settings, PipelineParts& parts) {
  for (const AddedToken& token : settings.added_tokens) {
    const auto id = find_token(parts, token.text);
    if (id && *id != token.id) {
      throw core::UserError(core::text("tokenizer_config.json: the added token ", core::quoted(token.text),
                                       " has the id ", token.id, ", but in ", parts.source, " it has ", *id));
    }
    const bool known = std::any_of(parts.added_tokens.begin(), parts.added_tokens.end(),
                                   [&](const AddedToken& there) { return there.text == token.text; });
    if (!known) parts.added_tokens.push_back(token);
  }
  choose_token(settings.bos, parts.bos, parts);
  choose_token(settings.eos, parts.eos, parts);
  parts.adds_bos = settings.adds_bos.value_or(parts.adds_bos) && parts.bos.has_value();
}

std::unique_ptr<Tokenizer> load_json(const std::filesystem::path& file, const FolderSettings& settings) {
  const core::Json json = core::read_json(file);
  PipelineParts parts = parse_tokenizer_json(JsonNode(json, file.string()), file.string());
  apply(settings, parts);
  return make_pipeline(std::move(parts));
}

std::unique_ptr<Tokenizer> load_model(std::string_view bytes, const std::string& source,
                                      const FolderSettings& settings) {
  if (looks_like_tiktoken(bytes)) {
    PipelineParts parts = parse_tiktoken(bytes, source);
    // Releases differ in what they call the special tokens; the folder knows its own.
    if (!settings.added_tokens.empty()) parts.added_tokens.clear();
    apply(settings, parts);
    return make_pipeline(std::move(parts));
  }
  const bool legacy = settings.legacy.value_or(true);
  PipelineParts parts = make_sentencepiece(parse_sentencepiece(bytes, source),
                                           legacy ? DummyPrefix::kEverySection : DummyPrefix::kFirstSection);
  apply(settings, parts);
  return make_pipeline(std::move(parts));
}

// The pre-tokenizer of the class that a folder without tokenizer.json relies on.
std::string pre_tokenizer_of(const FolderSettings& settings, const std::filesystem::path& folder) {
  std::string name = settings.class_name;
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  if (name == "GPT2Tokenizer" || (name.empty() && settings.model_type == "gpt2")) return "gpt-2";
  const bool qwen = settings.model_type == "qwen2" || settings.model_type == "qwen3";
  if (name == "Qwen2Tokenizer" || (name.empty() && qwen)) return "qwen2";
  throw core::UserError(core::text(
      folder.string(),
      ": vocab.json and merges.txt need a tokenizer_class that is implemented (GPT2Tokenizer, Qwen2Tokenizer)",
      ", but tokenizer_config.json ", name.empty() ? "names none" : "names " + core::quoted(settings.class_name),
      "; use a checkpoint with a tokenizer.json"));
}

std::unique_ptr<Tokenizer> load_vocab_and_merges(const std::filesystem::path& folder, const FolderSettings& settings) {
  PipelineParts parts =
      parse_vocab_and_merges(folder / "vocab.json", folder / "merges.txt", pre_tokenizer_of(settings, folder));
  if (settings.add_prefix_space) {
    std::vector<PreTokenizerPtr> steps;
    steps.push_back(make_prefix_space());
    steps.push_back(std::move(parts.pre_tokenizer));
    parts.pre_tokenizer = make_pre_tokenizer_sequence(std::move(steps));
  }
  apply(settings, parts);
  return make_pipeline(std::move(parts));
}

}  // namespace

std::unique_ptr<Tokenizer> from_folder(const std::filesystem::path& folder) {
  const FolderSettings settings = read_folder_settings(folder);
  const auto has = [&](const char* name) { return std::filesystem::exists(folder / name); };
  if (has("tokenizer.json")) return load_json(folder / "tokenizer.json", settings);
  for (const char* name : {"tokenizer.model", "spiece.model"}) {
    const std::filesystem::path file = folder / name;
    if (has(name)) return load_model(core::read_file(file), file.string(), settings);
  }
  if (has("vocab.json") && has("merges.txt")) return load_vocab_and_merges(folder, settings);
  throw core::UserError(
      core::text(folder.string(),
                 ": holds no tokenizer (tokenizer.json, tokenizer.model, spiece.model, or vocab.json and merges.txt)"));
}

std::unique_ptr<Tokenizer> from_tokenizer_json(const std::filesystem::path& file) {
  return load_json(file, FolderSettings{});
}

std::unique_ptr<Tokenizer> from_tokenizer_json_text(std::string_view text, const std::string& name) {
  const core::Json json = core::parse_json(text, name);
  return make_pipeline(parse_tokenizer_json(JsonNode(json, name), name));
}

std::unique_ptr<Tokenizer> from_tokenizer_model(const std::filesystem::path& file) {
  return load_model(core::read_file(file), file.string(), FolderSettings{});
}

std::unique_ptr<Tokenizer> from_tokenizer_model_bytes(std::string_view bytes, const std::string& name) {
  return load_model(bytes, name, FolderSettings{});
}

}  // namespace qzo::tokenizer
