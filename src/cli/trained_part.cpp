#include "qzo/cli/trained_part.h"

#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/json_file.h"
#include "qzo/core/text.h"

namespace qzo::cli {
namespace {

std::string word(const core::Json& json, const std::string& key, const std::vector<std::string>& choices,
                 const std::string& file) {
  const auto found = json.find(key);
  if (found != json.end() && found->is_string()) {
    for (const std::string& choice : choices) {
      if (*found == choice) return choice;
    }
  }
  std::string expected;
  for (const std::string& choice : choices) expected += core::text(expected.empty() ? "\"" : ", \"", choice, '"');
  throw core::UserError(core::text(file, ": \"", key, "\" is missing or unknown, expected one of ", expected));
}

std::vector<std::string> globs(const core::Json& json, const std::string& key, const std::string& file) {
  const auto found = json.find(key);
  std::vector<std::string> out;
  bool good = found != json.end() && found->is_array();
  for (std::size_t i = 0; good && i < found->size(); ++i) {
    good = (*found)[i].is_string();
    if (good) out.push_back((*found)[i].get<std::string>());
  }
  if (!good) throw core::UserError(core::text(file, ": \"", key, "\" is missing or not a list of strings"));
  return out;
}

}  // namespace

TrainedPart trained_part(const config::RunConfig& config) {
  return {config.zo.include, config.zo.exclude, config.zo.minimum, config.model.gptq_zero_version};
}

std::filesystem::path sidecar_path(const std::filesystem::path& trajectory) { return trajectory.string() + ".json"; }

void write_sidecar(const std::filesystem::path& trajectory, const TrainedPart& part) {
  const core::Json json = {{"include", part.include},
                           {"exclude", part.exclude},
                           {"minimum", part.minimum},
                           {"gptq_zero_version", part.gptq_zero_version}};
  core::write_file_atomically(sidecar_path(trajectory), json.dump(2) + "\n");
}

TrainedPart read_sidecar(const std::filesystem::path& trajectory) {
  const std::filesystem::path path = sidecar_path(trajectory);
  if (!std::filesystem::exists(path)) {
    throw core::UserError(core::text("there is no ", path.string(),
                                     ", which says what the run trained. Put it beside the ",
                                     "trajectory, or name the recipe of the run with --config"));
  }
  const core::Json json = core::read_json(path);
  const std::string file = path.string();
  if (!json.is_object()) throw core::UserError(core::text(file, " is not a JSON object"));
  return {globs(json, "include", file), globs(json, "exclude", file), word(json, "minimum", {"tied", "fixed"}, file),
          word(json, "gptq_zero_version", {"auto", "v1", "v2"}, file)};
}

}  // namespace qzo::cli
