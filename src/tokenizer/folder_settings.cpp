#include "tokenizer/folder_settings.h"

#include <charconv>
#include <utility>

#include "qzo/core/json_file.h"
#include "qzo/core/text.h"

#include "tokenizer/json_node.h"
#include "tokenizer/tokenizer_json.h"

namespace qzo::tokenizer {

namespace {

core::Json read_if_there(const std::filesystem::path& file) {
  return std::filesystem::exists(file) ? core::read_json(file) : core::Json::object();
}

// "<s>" or {"content": "<s>", ...}
void name_token(const JsonNode& root, const std::string& key, NamedToken& token) {
  const auto node = root.find(key);
  if (!node || token.text) return;
  token.text = node->value().is_object() ? node->at("content").string() : node->string();
  token.where = node->where();
}

void number_token(const JsonNode& root, const std::string& key, NamedToken& token) {
  const auto node = root.find(key);
  if (!node) return;
  if (node->value().is_array()) {
    const std::vector<JsonNode> ids = node->items();
    if (ids.empty()) return;
    token.id = ids.front().integer();
  } else {
    token.id = node->integer();
  }
  if (!token.text) token.where = node->where();
}

std::int64_t parse_id(const JsonNode& node, const std::string& text) {
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size()) {
    node.fail(core::text("expected ids as names of the members, found ", core::quoted(text)));
  }
  return id;
}

void read_tokenizer_config(const JsonNode& root, FolderSettings& settings) {
  settings.class_name = root.string("tokenizer_class", "");
  if (const auto adds = root.find("add_bos_token")) settings.adds_bos = adds->boolean();
  if (const auto legacy = root.find("legacy")) settings.legacy = legacy->boolean();
  settings.add_prefix_space = root.boolean("add_prefix_space", false);
  name_token(root, "bos_token", settings.bos);
  name_token(root, "eos_token", settings.eos);
  const auto added = root.find("added_tokens_decoder");
  if (!added) return;
  for (const auto& [id, unused] : added->object()) {
    settings.added_tokens.push_back(parse_added_token(added->at(id), parse_id(*added, id)));
  }
}

}  // namespace

FolderSettings read_folder_settings(const std::filesystem::path& folder) {
  FolderSettings settings;
  const auto read = [&](const char* name, const auto& use) {
    const std::filesystem::path file = folder / name;
    const core::Json json = read_if_there(file);
    use(JsonNode(json, file.string()));
  };
  read("tokenizer_config.json", [&](const JsonNode& root) { read_tokenizer_config(root, settings); });
  read("special_tokens_map.json", [&](const JsonNode& root) {
    name_token(root, "bos_token", settings.bos);
    name_token(root, "eos_token", settings.eos);
  });
  read("config.json", [&](const JsonNode& root) {
    settings.model_type = root.string("model_type", "");
    number_token(root, "bos_token_id", settings.bos);
    number_token(root, "eos_token_id", settings.eos);
  });
  return settings;
}

}  // namespace qzo::tokenizer
