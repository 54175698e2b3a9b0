#pragma once
// A small problem with the traits of the real one (noise probes, batches, rounded evaluation, export), and helpers that
// run it, kill it and compare what it leaves.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

#include "qzo/core/run_folder.h"
#include "qzo/train/loop.h"

namespace qzo::test {

// Removed with everything in it at the end of the test.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// loss(batch, s) = mean (s - target - shift(batch))^2 over two tensors, the second signed and with frozen elements.
class FakeProblem final : public train::ScaleProblem {
 public:
  FakeProblem();

  std::vector<zo::TrainableScales>& tensors() override { return tensors_; }
  [[nodiscard]] std::vector<std::int64_t> train_lengths() const override;
  zo::LossPair loss(std::span<const std::int64_t> batch, const kernels::Probe& probe) override;
  tasks::Metrics evaluate(const std::function<void(double share)>& progress) override;
  void export_model(const std::filesystem::path& destination) override;
  [[nodiscard]] std::uint64_t base_hash() const override { return base_hash_; }

  std::uint64_t base_hash_ = 77;
  int microseconds_per_loss = 0;
  bool worse_by_training = false;                                         // evaluations get worse with every move
  std::function<void(std::uint64_t call, zo::LossPair& losses)> on_loss;  // may replace the losses, raise signals
  std::function<void()> on_evaluate;
  std::function<void()> on_export;  // the folder is there, the file is not
  std::uint64_t loss_calls = 0;
  int evaluations = 0, exports = 0;

 private:
  std::vector<float> first_, second_;
  std::vector<std::int64_t> frozen_;
  std::vector<zo::TrainableScales> tensors_;
};

class RecordingReporter final : public train::Reporter {
 public:
  void on_message(const std::string& sentence) override { messages.push_back(sentence); }
  void on_step(const train::StepProgress& progress) override { steps.push_back(progress); }
  void on_evaluation(std::uint64_t steps_done, const tasks::Metrics&, bool best) override {
    evaluations.emplace_back(steps_done, best);
  }
  void on_evaluation_progress(std::uint64_t, double) override {}

  [[nodiscard]] bool said(const std::string& part) const;

  std::vector<std::string> messages;
  std::vector<train::StepProgress> steps;
  std::vector<std::pair<std::uint64_t, bool>> evaluations;
};

// 60 steps, evaluations every 20, checkpoints every 8, checksums every 5, two directions.
train::LoopSettings small_settings();

// run() with a fresh problem and a reporter that forgets.
train::LoopResult run_fresh(const train::LoopSettings& settings, const core::RunFolder& folder,
                            train::Resume resume = train::Resume::kNo);

std::string bytes_of(const std::filesystem::path& file);
void write_bytes(const std::filesystem::path& file, const std::string& bytes);
void flip_byte(const std::filesystem::path& file, std::size_t offset);

// What must not depend on interruptions: journal, exported model, pointers, names and scales of all checkpoints.
std::map<std::string, std::string> lasting_bytes(const core::RunFolder& folder);
// The steps of the records in log.jsonl, and those of the evaluations.
std::vector<std::uint64_t> logged_steps(const core::RunFolder& folder, bool evaluations);

// Runs `body` in a forked child, which ends with its value; exceptions are printed and give 99.
pid_t fork_child(const std::function<int()>& body);
int wait_for(pid_t child);  // exit code, or -signal

}  // namespace qzo::test
