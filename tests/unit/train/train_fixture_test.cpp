#include "train_fixture.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "qzo/core/fs.h"
#include "qzo/core/half.h"
#include "qzo/core/json_file.h"
#include "qzo/core/thread_pool.h"
#include "qzo/train/checkpoint.h"

namespace qzo::test {
namespace {

// Children are forked without exec: worker threads would be missing in them.
class SingleThread final : public testing::Environment {
 public:
  void SetUp() override { core::set_thread_count(1); }
};
const auto* const kSingleThread = testing::AddGlobalTestEnvironment(new SingleThread);

constexpr float kTarget = 0.5F;

double distance(std::span<const float> scales, float target) {
  double sum = 0;
  for (const float scale : scales) sum += std::pow(double{scale} - double{target}, 2);
  return sum;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  // Runs sync to disk hundreds of times; in memory that costs nothing, and what a kill leaves is the same.
  const std::filesystem::path in_memory = "/dev/shm";
  const bool usable = ::access(in_memory.c_str(), W_OK) == 0;
  std::string pattern = ((usable ? in_memory : std::filesystem::temp_directory_path()) / "qzo_train_XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp: " + std::string(std::strerror(errno)));
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

FakeProblem::FakeProblem() : first_(150), second_(40), frozen_{3, 17} {
  for (std::size_t i = 0; i < first_.size(); ++i) first_[i] = 0.6F + 0.001F * static_cast<float>(i);
  for (std::size_t i = 0; i < second_.size(); ++i) second_[i] = 0.02F * static_cast<float>(i) - 0.3F;
  tensors_ = {{.name = "layer.0.scales", .id = 4, .values = first_, .signed_scales = false, .frozen = {}},
              {.name = "layer.1.scales", .id = 9, .values = second_, .signed_scales = true, .frozen = frozen_}};
}

std::vector<std::int64_t> FakeProblem::train_lengths() const {
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = 0; i < 23; ++i) lengths.push_back(5 + i % 7);
  return lengths;
}

zo::LossPair FakeProblem::loss(std::span<const std::int64_t> batch, const kernels::Probe& probe) {
  float shift = 0;
  for (const std::int64_t example : batch) shift += 0.01F * static_cast<float>(example % 5);
  zo::LossPair losses;
  for (const zo::TrainableScales& tensor : tensors_) {
    std::vector<float> plus(tensor.values.size());
    std::vector<float> minus(tensor.values.size());
    kernels::perturb(tensor.values, probe, tensor.id, plus.data(), minus.data());
    losses.plus += distance(plus, kTarget + shift);
    losses.minus += distance(minus, kTarget + shift);
  }
  if (microseconds_per_loss > 0) ::usleep(static_cast<useconds_t>(microseconds_per_loss));
  if (on_loss) on_loss(loss_calls, losses);
  ++loss_calls;
  return losses;
}

tasks::Metrics FakeProblem::evaluate(const std::function<void(double share)>& progress) {
  ++evaluations;
  double sum = 0;
  std::int64_t count = 0;
  for (const zo::TrainableScales& tensor : tensors_) {
    if (on_evaluate) on_evaluate();
    progress(static_cast<double>(count) / 190);
    for (const float scale : tensor.values) {
      sum += std::pow(double{core::half_to_float(core::float_to_half(scale))} - double{kTarget}, 2);
      ++count;
    }
  }
  tasks::Metrics metrics;
  metrics.count = count;
  metrics.loss = worse_by_training ? -sum : sum;
  metrics.accuracy = 1 / (1 + sum);
  metrics.auc = std::nan("");
  return metrics;
}

void FakeProblem::export_model(const std::filesystem::path& destination) {
  ++exports;
  std::string bytes;
  for (const zo::TrainableScales& tensor : tensors_) {
    for (const float scale : tensor.values) {
      const std::uint16_t half = core::float_to_half(scale);
      bytes.append(reinterpret_cast<const char*>(&half), sizeof(half));
    }
  }
  std::filesystem::create_directories(destination);
  if (on_export) on_export();
  core::write_file_atomically(destination / "model.bin", bytes);
}

bool RecordingReporter::said(const std::string& part) const {
  for (const std::string& message : messages) {
    if (message.find(part) != std::string::npos) return true;
  }
  return false;
}

train::LoopSettings small_settings() {
  train::LoopSettings settings;
  settings.zo.eps = 1e-3;
  settings.zo.clip = 20;
  settings.zo.directions = 2;
  settings.zo.seed = 5;
  settings.steps = 60;
  settings.lr = 4e-4;
  settings.batch_size = 4;
  settings.eval_every = 20;
  settings.save_every = 8;
  settings.sync_every = 5;
  settings.config_hash = 11;
  settings.config_json = "{}\n";
  settings.environment_json = "{}\n";
  return settings;
}

train::LoopResult run_fresh(const train::LoopSettings& settings, const core::RunFolder& folder, train::Resume resume) {
  FakeProblem problem;
  RecordingReporter reporter;
  return train::run(problem, settings, folder, resume, reporter);
}

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  EXPECT_TRUE(in) << file;
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_bytes(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << bytes;
  EXPECT_TRUE(out.flush()) << file;
}

void flip_byte(const std::filesystem::path& file, std::size_t offset) {
  std::string bytes = bytes_of(file);
  ASSERT_LT(offset, bytes.size());
  bytes[offset] = static_cast<char>(bytes[offset] ^ 0x10);
  write_bytes(file, bytes);
}

std::map<std::string, std::string> lasting_bytes(const core::RunFolder& folder) {
  std::map<std::string, std::string> bytes;
  bytes["journal"] = bytes_of(folder.journal());
  bytes["model"] = bytes_of(folder.model() / "model.bin");
  bytes["best"] = bytes_of(folder.best());
  bytes["latest"] = bytes_of(folder.latest());
  for (const std::uint64_t step : train::list_checkpoints(folder)) {
    bytes[train::checkpoint_name(step)] = bytes_of(train::checkpoint_path(folder, step) / "scales.safetensors");
  }
  return bytes;
}

std::vector<std::uint64_t> logged_steps(const core::RunFolder& folder, bool evaluations) {
  std::vector<std::uint64_t> steps;
  std::ifstream in(folder.log());
  for (std::string line; std::getline(in, line);) {
    const core::Json json = core::parse_json(line, "log");
    if (json.contains("eval_loss") == evaluations) steps.push_back(json.at("current_steps").get<std::uint64_t>());
  }
  return steps;
}

pid_t fork_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  int code = 99;
  try {
    code = body();
  } catch (const std::exception& error) {
    std::cerr << "child: " << error.what() << std::endl;
  }
  ::_exit(code);
}

int wait_for(pid_t child) {
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace qzo::test
