#include "io/weight_files.h"

#include <algorithm>
#include <set>

#include "qzo/core/error.h"
#include "qzo/core/json_file.h"
#include "qzo/core/log.h"
#include "qzo/core/text.h"

namespace qzo::io {
namespace {

namespace fs = std::filesystem;

constexpr const char* kIndexName = "model.safetensors.index.json";
constexpr const char* kSingleName = "model.safetensors";
constexpr int kMaxFolderDepth = 8;  // deeper: links that lead back into themselves

std::vector<fs::path> files_ending_in(const fs::path& folder, std::initializer_list<std::string_view> extensions) {
  std::vector<fs::path> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string extension = entry.path().extension().string();
    if (std::ranges::find(extensions, extension) != extensions.end()) found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

// A plain name: an index must not lead out of its folder.
bool is_file_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
}

WeightFiles read_index(const fs::path& folder) {
  WeightFiles result;
  result.index = folder / kIndexName;
  const core::Json json = core::read_json(result.index);
  const auto map = json.is_object() ? json.find("weight_map") : json.end();
  if (map == json.end() || !map->is_object() || map->empty()) {
    throw core::UserError(core::text(result.index.string(),
                                     " has no weight_map, expected an object of tensor names and ",
                                     "the files that hold them"));
  }
  std::set<std::string> names;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string() || !is_file_name(file.get_ref<const std::string&>())) {
      throw core::UserError(core::text(result.index.string(), ": weight_map[", core::quoted(tensor), "] is ",
                                       core::quoted(file.dump()), ", expected the name of a file in the same folder"));
    }
    names.insert(file.get<std::string>());
    result.weights.emplace(tensor, file.get<std::string>());
  }
  for (const std::string& name : names) result.files.push_back(folder / name);
  return result;
}

void check_shards_present(const WeightFiles& weights) {
  const auto missing = std::ranges::count_if(weights.files, [](const fs::path& file) { return !fs::exists(file); });
  if (missing == 0) return;
  const auto first = std::ranges::find_if(weights.files, [](const fs::path& file) { return !fs::exists(file); });
  throw core::UserError(core::text(weights.index.string(), " lists ", first->string(), ", which does not exist (",
                                   missing, " of ", weights.files.size(),
                                   " weight files missing): fetch the missing files"));
}

}  // namespace

WeightFiles find_weight_files(const fs::path& folder) {
  const fs::path single = folder / kSingleName;
  if (fs::exists(folder / kIndexName)) {
    WeightFiles weights = read_index(folder);
    check_shards_present(weights);
    if (fs::exists(single) && std::ranges::find(weights.files, single) == weights.files.end()) {
      throw core::UserError(core::text(folder.string(), " holds ", kSingleName, " and an index (", kIndexName,
                                       ") that lists other files; expected one set of weights: remove the stale one"));
    }
    return weights;
  }
  if (fs::exists(single)) return {.files = {single}, .index = {}, .weights = {}};

  std::vector<fs::path> others = files_ending_in(folder, {".safetensors"});
  if (others.size() == 1) return {.files = std::move(others), .index = {}, .weights = {}};
  if (others.size() > 1) {
    throw core::UserError(core::text(folder.string(), " holds ", others.size(), " safetensors files (",
                                     others.front().filename().string(), ", ...) but no ", kIndexName,
                                     " that says which belong together: fetch the index, or keep one file"));
  }
  const std::vector<fs::path> pickles = files_ending_in(folder, {".bin", ".pt", ".pth"});
  if (!pickles.empty()) {
    throw core::UserError(core::text(
        folder.string(), " holds its weights only in PyTorch's pickle format (", pickles.front().filename().string(),
        "), which is not read: convert them to safetensors (save_pretrained of transformers)"));
  }
  throw core::UserError(
      core::text(folder.string(), " holds no weights, expected ", kSingleName, " or ", kIndexName, " with its files"));
}

void check_index(const WeightFiles& weights, const TensorSource& tensors) {
  for (const auto& [name, file] : weights.weights) {
    const TensorEntry* entry = tensors.find(name);
    if (entry == nullptr && name == "lm_head.weight") {
      core::log_info(core::text(weights.index.string(),
                                " lists lm_head.weight, which no file stores: the output head is ",
                                "taken to be the embedding (tied)"));
      continue;
    }
    const fs::path stated = weights.index.parent_path() / file;
    if (entry == nullptr || tensors.files()[entry->file].path() != stated) {
      throw core::UserError(core::text(weights.index.string(), " says that tensor ", core::quoted(name), " is in ",
                                       stated.string(), ", but that file does not hold it; fetch both files again"));
    }
  }
}

std::vector<fs::path> list_files(const fs::path& folder) {
  std::vector<fs::path> files;
  fs::recursive_directory_iterator walk(folder, fs::directory_options::follow_directory_symlink);
  for (; walk != fs::recursive_directory_iterator(); ++walk) {
    const fs::path& path = walk->path();
    if (walk->is_directory()) {
      if (walk.depth() >= kMaxFolderDepth) {
        throw core::UserError(
            core::text(path.string(), " is nested deeper than ", kMaxFolderDepth,
                       " folders, expected the files of a model: remove links that lead into themselves"));
      }
      if (path.filename().string().starts_with('.')) walk.disable_recursion_pending();
    } else if (walk->is_regular_file()) {
      files.push_back(path.lexically_relative(folder));
    } else if (walk->is_symlink()) {
      throw core::UserError(core::text(path.string(), " is a link to ", fs::read_symlink(path).string(),
                                       ", which does not exist: fetch that file, or remove the link"));
    }
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace qzo::io
