#include "qzo/core/profile.h"

#include <numeric>
#include <thread>

#include <gtest/gtest.h>

namespace qzo::core {
namespace {

double of(const std::array<double, kParts>& seconds, Part part) { return seconds[static_cast<std::size_t>(part)]; }
void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(2)); }

TEST(Profile, InnerTimeIsNotCountedTwice) {
  start_profile();
  {
    const ProfileScope outer(Part::kHead);
    pause();
    {
      const ProfileScope inner(Part::kMatmul);
      pause();
    }
    pause();
  }
  const auto seconds = stop_profile();
  EXPECT_GE(of(seconds, Part::kHead), 0.004);
  EXPECT_GE(of(seconds, Part::kMatmul), 0.002);
  EXPECT_EQ(of(seconds, Part::kNoise), 0);
}

TEST(Profile, OffCountsNothing) {
  start_profile();
  const auto first = stop_profile();
  {
    const ProfileScope scope(Part::kNoise);
    pause();
  }
  start_profile();
  const auto second = stop_profile();
  EXPECT_EQ(of(first, Part::kNoise), 0);
  EXPECT_EQ(of(second, Part::kNoise), 0);
  EXPECT_EQ(part_name(Part::kElementwise), "elementwise");
}

}  // namespace
}  // namespace qzo::core
