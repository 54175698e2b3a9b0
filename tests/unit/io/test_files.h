#pragma once
// Files and byte strings for the tests of io.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "qzo/core/error.h"

namespace qzo::io::testing {

namespace fs = std::filesystem;

// A fresh folder, removed with everything in it.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (fs::temp_directory_path() / "qzo_io_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

inline fs::path write_file(const fs::path& file, std::string_view bytes) {
  fs::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!out.flush()) throw std::runtime_error("cannot write " + file.string());
  return file;
}

inline std::string read_bytes(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + file.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

template <class Value>
std::string little_endian(Value value) {
  std::string bytes(sizeof(Value), '\0');
  std::memcpy(bytes.data(), &value, sizeof(Value));
  return bytes;
}

// A safetensors file of this header and this data.
inline std::string safetensors(std::string_view header, std::string_view data = {}) {
  return little_endian<std::uint64_t>(header.size()) + std::string(header) + std::string(data);
}

// Runs `action`; its UserError must say every one of `parts`.
template <class Action>
void expect_user_error(Action action, std::initializer_list<std::string_view> parts) {
  try {
    static_cast<void>(action());
    ADD_FAILURE() << "no error, expected one about " << *parts.begin();
  } catch (const core::UserError& error) {
    for (const std::string_view part : parts) {
      EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos)
          << '"' << error.what() << "\" does not say \"" << part << '"';
    }
  }
}

inline fs::path folder_from(const char* variable, const char* fallback) {
  const char* stated = std::getenv(variable);
  return stated != nullptr ? fs::path(stated) : fs::path(QZO_SOURCE_DIR) / fallback;
}
inline fs::path oracles() { return folder_from("QZO_ORACLES", "../shared/oracles"); }
inline fs::path data() { return folder_from("QZO_DATA", "../shared/data"); }

}  // namespace qzo::io::testing

#define QZO_NEED_FOLDER(folder) \
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "golden files absent: " << (folder)
