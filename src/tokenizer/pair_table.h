#pragma once
// What two neighbouring tokens merge into: a hash table with open addressing, because the merge loop does little else
// than look pairs up.

#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

namespace qzo::tokenizer {

struct Merge {
  std::uint32_t rank = 0;    // lowest first
  std::int32_t merged = -1;  // the token of both
};

class PairTable {
 public:
  explicit PairTable(std::size_t expected) { make_slots(std::bit_ceil(expected * 2 + 2)); }

  // Ids must not be negative; a pair that is there already gets the new value.
  void set(std::int32_t left, std::int32_t right, Merge value) { put(key(left, right), value); }

  // Null if the two do not merge.
  [[nodiscard]] const Merge* find(std::int32_t left, std::int32_t right) const {
    const std::size_t slot = slot_of(key(left, right));
    return keys_[slot] == kFree ? nullptr : &values_[slot];
  }

 private:
  static constexpr std::uint64_t kFree = ~std::uint64_t{0};  // never a key: ids are not negative

  static std::uint64_t key(std::int32_t left, std::int32_t right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
  }
  // The slot that holds the pair, or the free one where it belongs. Linear probing.
  [[nodiscard]] std::size_t slot_of(std::uint64_t wanted) const {
    std::uint64_t mixed = wanted * 0x9E3779B97F4A7C15ull;
    mixed = (mixed ^ mixed >> 32) * 0x9E3779B97F4A7C15ull;
    std::size_t slot = mixed >> shift_;
    while (keys_[slot] != kFree && keys_[slot] != wanted) slot = (slot + 1) & (keys_.size() - 1);
    return slot;
  }

  void put(std::uint64_t wanted, Merge value) {
    std::size_t slot = slot_of(wanted);
    if (keys_[slot] == kFree && ++used_ * 2 > keys_.size()) {
      grow();
      slot = slot_of(wanted);
    }
    keys_[slot] = wanted;
    values_[slot] = value;
  }
  void make_slots(std::size_t slots) {
    shift_ = 64 - std::countr_zero(slots);
    keys_.assign(slots, kFree);
    values_.assign(slots, Merge{});
  }
  void grow() {
    const std::vector<std::uint64_t> keys = std::move(keys_);
    const std::vector<Merge> values = std::move(values_);
    make_slots(keys.size() * 2);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (keys[i] == kFree) continue;
      const std::size_t slot = slot_of(keys[i]);
      keys_[slot] = keys[i];
      values_[slot] = values[i];
    }
  }

  int shift_ = 0;
  std::size_t used_ = 0;
  std::vector<std::uint64_t> keys_;
  std::vector<Merge> values_;
};

}  // namespace qzo::tokenizer
