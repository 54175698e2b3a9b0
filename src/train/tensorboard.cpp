#include "train/tensorboard.h"

#include <bit>
#include <chrono>
#include <concepts>
#include <cstring>

#include <unistd.h>

#include "qzo/core/hash.h"
#include "qzo/core/text.h"

namespace qzo::train {
namespace {

static_assert(std::endian::native == std::endian::little, "records and protocol buffers are little-endian");

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Protocol buffer wire format: key = field number << 3 | wire type.
enum class Wire : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// Field numbers of the messages used here.
namespace event_field {
constexpr unsigned kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;
}  // namespace event_field
namespace summary_field {
constexpr unsigned kValue = 1, kTag = 1, kSimpleValue = 2;
}  // namespace summary_field
namespace session_log_field {
constexpr unsigned kStatus = 1;
constexpr std::uint64_t kStart = 1;  // SessionLog.SessionStatus.START: drops earlier events at or after this step
}  // namespace session_log_field

class Message {
 public:
  void varint(unsigned field, std::uint64_t value) {
    key(field, Wire::kVarint);
    put_varint(value);
  }
  void real(unsigned field, double value) {
    key(field, Wire::kFixed64);
    put_fixed(value);
  }
  void real(unsigned field, float value) {
    key(field, Wire::kFixed32);
    put_fixed(value);
  }
  void bytes(unsigned field, std::string_view value) {
    key(field, Wire::kBytes);
    put_varint(value.size());
    out_ += value;
  }
  [[nodiscard]] const std::string& text() const { return out_; }

 private:
  void key(unsigned field, Wire wire) { put_varint(std::uint64_t{field} << 3 | static_cast<std::uint64_t>(wire)); }
  void put_varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_ += static_cast<char>((value & 0x7f) | 0x80);
    out_ += static_cast<char>(value);
  }
  void put_fixed(std::floating_point auto value) {
    char raw[sizeof(value)];
    std::memcpy(raw, &value, sizeof(value));
    out_.append(raw, sizeof(value));
  }

  std::string out_;
};

Message event(std::uint64_t step) {
  Message message;
  message.real(event_field::kWallTime, wall_time());
  if (step > 0) message.varint(event_field::kStep, step);
  return message;
}

void put_u32(std::string& out, std::uint32_t value) {
  char raw[sizeof(value)];
  std::memcpy(raw, &value, sizeof(value));
  out.append(raw, sizeof(value));
}

std::uint32_t masked_crc(std::string_view bytes) {
  return std::rotr(core::crc32c(std::as_bytes(std::span(bytes))), 15) + 0xa282ead8U;
}

std::filesystem::path new_file(const std::filesystem::path& folder) {
  return folder /
         core::text("events.out.tfevents.", static_cast<std::int64_t>(wall_time()), ".", static_cast<int>(::getpid()));
}

}  // namespace

std::string framed_record(std::string_view payload) {
  const std::uint64_t length = payload.size();
  std::string out(sizeof(length), '\0');
  std::memcpy(out.data(), &length, sizeof(length));
  put_u32(out, masked_crc(out));
  out += payload;
  put_u32(out, masked_crc(payload));
  return out;
}

TensorboardWriter::TensorboardWriter(const std::filesystem::path& folder, std::uint64_t first_step)
    : file_(new_file(folder)) {
  Message version = event(0);
  version.bytes(event_field::kFileVersion, "brain.Event:2");
  Message status;
  status.varint(session_log_field::kStatus, session_log_field::kStart);
  Message start = event(first_step);
  start.bytes(event_field::kSessionLog, status.text());
  file_.append(framed_record(version.text()) + framed_record(start.text()));
}

void TensorboardWriter::add(std::uint64_t step, const Scalars& scalars) {
  Message summary;
  for (const auto& [tag, number] : scalars) {
    Message value;
    value.bytes(summary_field::kTag, tag);
    value.real(summary_field::kSimpleValue, static_cast<float>(number));
    summary.bytes(summary_field::kValue, value.text());
  }
  Message message = event(step);
  message.bytes(event_field::kSummary, summary.text());
  file_.append(framed_record(message.text()));
}

}  // namespace qzo::train
