#include "qzo/cli/locate.h"

#include "qzo/config/load.h"
#include "qzo/core/error.h"
#include "qzo/core/run_folder.h"
#include "qzo/core/text.h"

namespace qzo::cli {
namespace {

namespace fs = std::filesystem;

// The only .gguf file of a folder, else an empty path.
fs::path lone_gguf(const fs::path& folder) {
  fs::path found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".gguf") continue;
    if (!found.empty()) return {};
    found = entry.path();
  }
  return found;
}

}  // namespace

bool is_run_folder(const fs::path& path) {
  const core::RunFolder run{path};
  return fs::is_directory(path) && fs::exists(run.config()) && fs::exists(run.journal());
}

fs::path find_checkpoint(const fs::path& path) {
  if (!fs::exists(path))
    throw core::UserError(
        core::text("there is no ", path.string(), ", expected a GGUF file, a Hugging Face folder or a run folder"));
  fs::path place = path;
  if (is_run_folder(path)) {
    place = core::RunFolder{path}.model();
    if (!fs::exists(place)) {
      throw core::UserError(core::text(path.string(), " is a run folder without a tuned model yet: ", place.string(),
                                       " is missing. Finish the run with qzo-train --resume ", path.string()));
    }
  }
  if (!fs::is_directory(place) || fs::exists(place / "config.json")) return place;
  const fs::path file = lone_gguf(place);
  return file.empty() ? place : file;
}

config::LoadedConfig load_any_config(const fs::path& file, const std::vector<std::string>& overrides) {
  const core::Json document = core::read_json(file);
  const auto model = document.is_object() ? document.find("model") : document.end();
  const bool effective =
      model != document.end() && model->is_object() && model->contains("path") && (*model)["path"].is_object();
  if (effective) return config::load_effective(document, file.string(), overrides);
  return config::load_config(file, overrides);
}

}  // namespace qzo::cli
