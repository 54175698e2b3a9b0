// Any bytes as a journal or a trajectory: a valid prefix that can be replayed, or an error of ours. Checksums would
// keep the fuzzer out, so each input is read as it is and once more with all of them made right.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "qzo/core/error.h"
#include "qzo/core/hash.h"
#include "qzo/train/journal.h"
#include "qzo/train/trajectory.h"

namespace {

using qzo::train::Journal;

constexpr std::size_t kHeader = 64, kRecord = 48;

void seal(std::vector<std::byte>& bytes, std::size_t begin, std::size_t end) {
  if (end > bytes.size() || end < begin + 4) return;
  const std::uint32_t checksum = qzo::core::crc32c(std::span(bytes).subspan(begin, end - 4 - begin));
  std::memcpy(bytes.data() + end - 4, &checksum, 4);
}

std::vector<std::byte> begin_with(std::vector<std::byte> bytes, std::string_view magic) {
  if (bytes.size() >= magic.size()) std::memcpy(bytes.data(), magic.data(), magic.size());
  seal(bytes, 0, kHeader);
  return bytes;
}

std::vector<std::byte> sealed_journal(std::vector<std::byte> bytes) {
  bytes = begin_with(std::move(bytes), "QZOJRNL1");
  for (std::size_t at = kHeader; at + kRecord <= bytes.size(); at += kRecord) seal(bytes, at, at + kRecord);
  return bytes;
}

std::vector<std::byte> sealed_trajectory(std::vector<std::byte> bytes) {
  bytes = begin_with(std::move(bytes), "QZOTRAJ1");
  seal(bytes, 0, bytes.size());
  return bytes;
}

void replay_on_a_few_scales(const Journal& journal) {
  std::vector<float> values = {0.5F, 0.25F, 1.0F, 2.0F, 0.125F};
  std::vector<qzo::zo::TrainableScales> tensors = {
      {.name = "a", .id = 1, .values = values, .signed_scales = false, .frozen = {}}};
  constexpr std::uint64_t kSteps = 64;
  qzo::train::replay(journal, tensors, 0, kSteps);
}

template <class Body>
void expect_error_of_ours(const Body& body) {
  try {
    body();
  } catch (const qzo::core::Error& error) {
    if (error.code() == qzo::core::ExitCode::kInternal) std::abort();
  }
}

void read_as_journal(std::span<const std::byte> bytes) {
  expect_error_of_ours([&] {
    const Journal journal = qzo::train::parse_journal(bytes, "fuzz");
    if (journal.whole_bytes + journal.torn_bytes != bytes.size()) std::abort();
    if (journal.whole_bytes != kHeader + journal.entries.size() * kRecord) std::abort();
    const auto whole = qzo::train::whole_steps(journal);
    if (whole.bytes > journal.whole_bytes || whole.steps > journal.entries.size()) std::abort();
    replay_on_a_few_scales(journal);
  });
}

void read_as_trajectory(std::span<const std::byte> bytes) {
  expect_error_of_ours([&] { replay_on_a_few_scales(qzo::train::parse_trajectory(bytes, "fuzz")); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = std::as_bytes(std::span(data, size));
  read_as_journal(input);
  read_as_trajectory(input);
  const std::vector<std::byte> bytes(input.begin(), input.end());
  read_as_journal(sealed_journal(bytes));
  read_as_trajectory(sealed_trajectory(bytes));
  return 0;
}
