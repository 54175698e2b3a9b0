// tokenize PATH TEXT [IDS]: how fast a tokenizer (a folder, tokenizer.json, tokenizer.model) encodes a file, as a whole
// and line by line, on one core; writes the ids of the whole, one a line, to IDS. Used by
// scripts/compare_tokenizers.py.

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/json_file.h"
#include "qzo/tokenizer/tokenizer.h"

namespace {

using namespace qzo;
constexpr int kRepeats = 5;

std::unique_ptr<tokenizer::Tokenizer> load(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) return tokenizer::from_folder(path);
  return path.extension() == ".json" ? tokenizer::from_tokenizer_json(path) : tokenizer::from_tokenizer_model(path);
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The first run fills the cache of words, so it stands apart.
core::Json megabytes_per_second(std::size_t bytes, const std::function<void()>& work) {
  const double first = seconds_of(work);
  std::vector<double> others;
  for (int i = 0; i < kRepeats; ++i) others.push_back(seconds_of(work));
  std::sort(others.begin(), others.end());
  const double megabytes = static_cast<double>(bytes) * 1e-6;
  return {{"first", megabytes / first}, {"median", megabytes / others[kRepeats / 2]}};
}

core::Json measure(const tokenizer::Tokenizer& tokenizer, const std::string& text, const char* ids_file) {
  std::vector<std::int32_t> ids;
  core::Json out = {{"tokenizer", tokenizer.description()}};
  out["whole"] = megabytes_per_second(text.size(), [&] { ids = tokenizer.encode(text); });
  out["lines"] = megabytes_per_second(text.size(), [&] {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      (void)tokenizer.encode(std::string_view(text).substr(at, end - at));
      at = end + 1;
    }
  });
  out["tokens"] = ids.size();
  if (ids_file != nullptr) {
    std::ofstream file(ids_file);
    for (const std::int32_t id : ids) file << id << '\n';
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    std::cerr << "usage: tokenize PATH TEXT [IDS]\n";
    return 2;
  }
  try {
    std::cout << measure(*load(argv[1]), core::read_file(argv[2]), argc > 3 ? argv[3] : nullptr).dump() << "\n";
  } catch (const core::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
