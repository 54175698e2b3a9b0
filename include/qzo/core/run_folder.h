#pragma once
// The files that a run leaves, named once for writer (train), reader (report, replay) and tests.

#include <filesystem>

namespace qzo::core {

struct RunFolder {
  std::filesystem::path root;

  [[nodiscard]] std::filesystem::path config() const { return root / "config.json"; }
  [[nodiscard]] std::filesystem::path environment() const { return root / "environment.json"; }
  [[nodiscard]] std::filesystem::path log() const { return root / "log.jsonl"; }
  [[nodiscard]] std::filesystem::path events() const { return root / "events.jsonl"; }
  [[nodiscard]] std::filesystem::path journal() const { return root / "journal.bin"; }
  [[nodiscard]] std::filesystem::path checkpoints() const { return root / "checkpoints"; }
  [[nodiscard]] std::filesystem::path best() const { return root / "best"; }
  [[nodiscard]] std::filesystem::path latest() const { return root / "latest"; }
  [[nodiscard]] std::filesystem::path model() const { return root / "model"; }
  [[nodiscard]] std::filesystem::path result() const { return root / "result.json"; }
};

}  // namespace qzo::core
