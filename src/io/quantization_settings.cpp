#include "io/quantization_settings.h"

#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

namespace qzo::io {
namespace {

struct Statement {
  std::string file;
  core::Json values;
};

// What must not differ, with the spellings of AutoGPTQ, AutoAWQ and their forks.
struct Concept {
  std::string_view name;
  std::array<std::string_view, 3> keys;
};
constexpr std::array<Concept, 3> kConcepts = {{
    {"method", {"quant_method"}},
    {"bits", {"bits", "w_bit", "wbits"}},
    {"group size", {"group_size", "q_group_size"}},
}};

void add_statement(std::vector<Statement>& statements, std::string file, core::Json values) {
  if (values.is_null()) return;
  if (!values.is_object()) {
    throw core::UserError(
        core::text(file, " holds ", values.type_name(), ", expected an object of quantization settings"));
  }
  statements.push_back({std::move(file), std::move(values)});
}

std::vector<Statement> collect(const std::filesystem::path& folder, const core::Json& config) {
  std::vector<Statement> statements;
  for (const char* name : {"quantize_config.json", "quant_config.json"}) {
    const std::filesystem::path file = folder / name;
    if (std::filesystem::exists(file)) add_statement(statements, file.string(), core::read_json(file));
  }
  if (const auto section = config.find("quantization_config"); section != config.end()) {
    add_statement(statements, core::text((folder / "config.json").string(), " (quantization_config)"), *section);
  }
  return statements;
}

struct Found {
  const Statement* statement;
  std::string_view key;
  const core::Json* value;
};

void check_agreement(const std::vector<Statement>& statements, const Concept& about) {
  std::optional<Found> first;
  for (const Statement& statement : statements) {
    for (const std::string_view key : about.keys) {
      const auto value = statement.values.find(key);
      if (key.empty() || value == statement.values.end() || value->is_null()) continue;
      if (!first) {
        first = Found{&statement, key, &*value};
      } else if (*value != *first->value) {
        throw core::UserError(core::text(first->statement->file, " says ", first->key, " = ", first->value->dump(),
                                         ", but ", statement.file, " says ", key, " = ", value->dump(),
                                         "; expected the same ", about.name, ": correct or remove the wrong one"));
      }
    }
  }
}

}  // namespace

QuantizationSettings read_quantization_settings(const std::filesystem::path& folder, const core::Json& config) {
  const std::vector<Statement> statements = collect(folder, config);
  for (const Concept& about : kConcepts) check_agreement(statements, about);
  QuantizationSettings settings;
  for (const Statement& statement : statements) {
    if (settings.values.is_null()) {
      settings.file = statement.file;
      settings.values = statement.values;
    } else {
      for (const auto& [key, value] : statement.values.items()) {
        if (!settings.values.contains(key)) settings.values[key] = value;
      }
    }
  }
  return settings;
}

}  // namespace qzo::io
