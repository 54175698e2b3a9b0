#pragma once
// Runs the real programs in a folder of their own.

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "qzo/core/json_file.h"
#include "qzo/io/checkpoint.h"

namespace qzo::tests {

namespace fs = std::filesystem;
using qzo::core::Json;

inline std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Outcome {
  int code = -1;
  std::string out, err;
};

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class Cli : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(tiny() / "gptq")) GTEST_SKIP() << "no tiny model: " << tiny();
    folder_ = fs::temp_directory_path() / ("qzo_cli_" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  static fs::path tiny() { return fs::path(QZO_SOURCE_DIR) / "tests/data/tiny"; }
  static std::string recipe(const std::string& name) { return (fs::path(QZO_SOURCE_DIR) / "configs" / name).string(); }
  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }

  pid_t start(const std::string& program, const std::vector<std::string>& arguments) const {
    const std::string file = (fs::path(QZO_BIN_DIR) / program).string();
    std::vector<char*> words = {const_cast<char*>(file.c_str())};
    for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    const std::string out = path("stdout"), err = path("stderr");
    const pid_t child = fork();
    if (child == 0) {
      const int out_fd = open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      const int err_fd = open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      dup2(out_fd, STDOUT_FILENO);
      dup2(err_fd, STDERR_FILENO);
      execv(words[0], words.data());
      _exit(127);
    }
    return child;
  }

  [[nodiscard]] Outcome finish(pid_t child) const {
    int status = 0;
    waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), read(folder_ / "stdout"),
            read(folder_ / "stderr")};
  }

  [[nodiscard]] Outcome run(const std::string& program, const std::vector<std::string>& arguments) const {
    return finish(start(program, arguments));
  }

  // A few steps of a tiny recipe into folder_/name.
  [[nodiscard]] std::vector<std::string> training(const std::string& config, const std::string& name,
                                                  const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {"--config", recipe(config)};
    std::vector<std::string> settings = {"output.dir=" + path(name), "train.steps=6",      "train.eval_every=3",
                                         "train.save_every=2",       "train.sync_every=2", "data.num_dev=30",
                                         "data.num_test=40",         "data.num_train=60",  "model.threads=1",
                                         "train.batch_size=8"};
    for (const std::string& setting : settings) arguments.insert(arguments.end(), {"--set", setting});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  fs::path folder_;
};

}  // namespace qzo::tests
