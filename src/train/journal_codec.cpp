#include "train/journal_codec.h"

#include <cmath>
#include <cstring>
#include <type_traits>

#include "qzo/core/check.h"
#include "qzo/core/error.h"
#include "qzo/core/hash.h"
#include "qzo/core/text.h"

namespace qzo::train {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kMaxDirections = 256;  // eight bits in the flags, and in the counter of the noise
constexpr std::uint32_t kFirstOrder = 2;       // in the place of the eps mode
constexpr std::uint32_t kClipped = 1, kSkipped = 2, kChecksum = 4;
constexpr std::uint32_t kDirectionShift = 8, kDirectionMask = 0xff00;

// Fields one after the other; the caller's array bounds what fits.
class Writer {
 public:
  explicit Writer(std::span<std::byte> out) : out_(out) {}
  template <class T>
  void put(T value) {
    static_assert(std::is_arithmetic_v<T>);
    QZO_CHECK(at_ + sizeof(T) <= out_.size());
    std::memcpy(out_.data() + at_, &value, sizeof(T));
    at_ += sizeof(T);
  }
  void put_checksum() { put(core::crc32c(out_.first(at_))); }

 private:
  std::span<std::byte> out_;
  std::size_t at_ = 0;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> in) : in_(in) {}
  template <class T>
  T get() {
    static_assert(std::is_arithmetic_v<T>);
    QZO_CHECK(at_ + sizeof(T) <= in_.size());
    T value;
    std::memcpy(&value, in_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  bool checksum_fits() {
    const std::uint32_t expected = core::crc32c(in_.first(at_));
    return get<std::uint32_t>() == expected;
  }

 private:
  std::span<const std::byte> in_;
  std::size_t at_ = 0;
};

}  // namespace

HeaderBytes encode_header(const JournalHeader& header, std::string_view magic) {
  HeaderBytes bytes{};
  Writer out(bytes);
  for (const char letter : magic) out.put(letter);
  out.put(kVersion);
  out.put(static_cast<std::uint32_t>(kHeaderBytes));
  out.put(header.base_hash);
  out.put(header.config_hash);
  out.put(header.tensor_hash);
  out.put(header.run_seed);
  out.put(header.floor);
  out.put(header.first_order ? kFirstOrder : static_cast<std::uint32_t>(header.eps_mode));
  out.put(header.directions);
  out.put_checksum();
  return bytes;
}

JournalHeader decode_header(std::span<const std::byte> bytes, std::string_view magic, const std::string& name) {
  if (bytes.size() < kHeaderBytes || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0) {
    throw core::UserError(core::text(name, " does not begin with the ", kHeaderBytes, "-byte header \"", magic,
                                     "\"; it is another kind of file, or was cut"));
  }
  Reader in(bytes.first(kHeaderBytes));
  for (std::size_t i = 0; i < magic.size(); ++i) in.get<char>();
  const auto version = in.get<std::uint32_t>();
  const auto size = in.get<std::uint32_t>();
  JournalHeader header;
  header.base_hash = in.get<std::uint64_t>();
  header.config_hash = in.get<std::uint64_t>();
  header.tensor_hash = in.get<std::uint64_t>();
  header.run_seed = in.get<std::uint64_t>();
  header.floor = in.get<float>();
  const auto mode = in.get<std::uint32_t>();
  header.directions = in.get<std::uint32_t>();
  if (!in.checksum_fits()) throw core::UserError(core::text(name, ": the header is damaged (CRC-32C differs)"));
  if (version != kVersion || size != kHeaderBytes) {
    throw core::UserError(core::text(name, " has version ", version, "; this program reads version ", kVersion));
  }
  const bool sound = mode <= kFirstOrder && header.directions >= 1 && header.directions <= kMaxDirections &&
                     std::isfinite(header.floor) && header.floor >= 0;
  if (!sound) {
    throw core::UserError(core::text(name, ": the header holds impossible settings (eps mode ", mode, ", directions ",
                                     header.directions, ", floor ", header.floor, ")"));
  }
  header.first_order = mode == kFirstOrder;
  if (!header.first_order) header.eps_mode = static_cast<kernels::EpsMode>(mode);
  return header;
}

RecordBytes encode_record(const zo::StepRecord& record) {
  QZO_CHECK(record.direction < kMaxDirections, "direction ", record.direction);
  RecordBytes bytes{};
  Writer out(bytes);
  out.put(record.step);
  out.put(record.seed);
  out.put(record.lr);
  out.put(record.d_raw);
  out.put(record.d_applied);
  out.put(record.loss_plus);
  out.put(record.loss_minus);
  out.put((record.clipped ? kClipped : 0U) | (record.skipped ? kSkipped : 0U) | record.direction << kDirectionShift);
  out.put(std::uint32_t{0});
  out.put_checksum();
  return bytes;
}

RecordBytes encode_checksum(std::uint64_t steps_done, std::uint64_t scales_hash) {
  RecordBytes bytes{};
  Writer out(bytes);
  out.put(steps_done);
  out.put(scales_hash);
  for (int i = 0; i < 5; ++i) out.put(0.0F);
  out.put(kChecksum);
  out.put(std::uint32_t{0});
  out.put_checksum();
  return bytes;
}

std::optional<JournalEntry> decode_record(std::span<const std::byte, kRecordBytes> bytes) {
  Reader in(bytes);
  JournalEntry entry;
  zo::StepRecord& record = entry.record;
  record.step = in.get<std::uint64_t>();
  record.seed = in.get<std::uint64_t>();
  record.lr = in.get<float>();
  record.d_raw = in.get<float>();
  record.d_applied = in.get<float>();
  record.loss_plus = in.get<float>();
  record.loss_minus = in.get<float>();
  const auto flags = in.get<std::uint32_t>();
  const auto spare = in.get<std::uint32_t>();
  if (!in.checksum_fits() || spare != 0) return std::nullopt;
  if (flags == kChecksum) {
    entry.checksum = true;
    entry.step = record.step;
    entry.scales_hash = record.seed;
    record = {};
    return entry;
  }
  if ((flags & ~(kClipped | kSkipped | kDirectionMask)) != 0) return std::nullopt;
  record.clipped = (flags & kClipped) != 0;
  record.skipped = (flags & kSkipped) != 0;
  record.direction = (flags & kDirectionMask) >> kDirectionShift;
  if (!std::isfinite(record.lr) || !std::isfinite(record.d_applied)) return std::nullopt;
  if (record.skipped && record.d_applied != 0) return std::nullopt;
  return entry;
}

}  // namespace qzo::train
