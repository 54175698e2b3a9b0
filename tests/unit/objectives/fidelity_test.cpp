#include "qzo/objectives/fidelity.h"

#include <cmath>
#include <limits>

#include "unit/models/tiny_llama.h"

namespace qzo::objectives {
namespace {

TEST(Fidelity, FewerBitsOfTheActivationsAreLessFaithful) {
  const io::testing::TempFolder folder;
  const io::Checkpoint checkpoint = models::testing::TinyLlama().write(folder.path());
  const auto model = models::load_causal_lm(checkpoint);
  models::select_trainable(*model, {"*"}, {});
  const std::vector<tasks::Example> examples = {{{1, 7, 3, 22}, {{4}, {5}}, 0, 1}, {{1, 30}, {{9}, {11}}, 1, 2}};
  double progress = 0;
  FidelityOptions options{.eps = 0.002F, .draws = 12};
  const auto measured =
      measure_fidelity(*model, {}, examples, options, ops::kAllPrecisions, [&](double share) { progress = share; });
  ASSERT_EQ(measured.size(), std::size(ops::kAllPrecisions));
  EXPECT_DOUBLE_EQ(progress, 1);
  const auto of = [&](ops::Precision precision) {
    for (const Fidelity& one : measured)
      if (one.precision == precision) return one;
    return Fidelity{.error = -1};
  };
  EXPECT_GT(of(ops::Precision::kFp32).error, 0);
  EXPECT_LT(of(ops::Precision::kFp32).error, of(ops::Precision::kBf16x2).error);
  EXPECT_LT(of(ops::Precision::kBf16x2).error, of(ops::Precision::kBf16).error);
  EXPECT_LT(of(ops::Precision::kBf16).error, of(ops::Precision::kInt8).error);
  EXPECT_GT(of(ops::Precision::kBf16x2).correlation, 0.99);

  options.reference = FidelityReference::kFp32;
  const auto beside_fp32 = measure_fidelity(*model, {}, examples, options, ops::kAllPrecisions, [](double) {});
  EXPECT_EQ(beside_fp32[0].error, 0);
  EXPECT_DOUBLE_EQ(beside_fp32[0].slope, 1);
  EXPECT_NEAR(beside_fp32[3].error, measured[3].error, 0.01 * measured[3].error);
}

TEST(Fidelity, SpeedIsWorthLessWithNoiseAndNothingWithBias) {
  const ops::Precision int8 = ops::Precision::kInt8;
  EXPECT_DOUBLE_EQ(learning_speed({.precision = int8, .slope = 1, .error = 0}, 2, 64), 2);
  EXPECT_DOUBLE_EQ(learning_speed({.precision = int8, .slope = 1.04, .error = 1}, 2, 64), 1);
  EXPECT_EQ(learning_speed({.precision = int8, .slope = 0.9, .error = 0.1}, 2, 64), 0);
  EXPECT_GT(learning_speed({.precision = int8, .slope = 0.9, .error = 0.3}, 2, 64), 0) << "within two standard errors";
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(learning_speed({.precision = int8, .slope = nan, .error = nan}, 2, 64), 0);
}

}  // namespace
}  // namespace qzo::objectives
