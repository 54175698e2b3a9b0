#include <cmath>

#include "qzo/quant/packed_weight.h"

#include "unit/quant/checkpoints.h"

namespace qzo::quant {
namespace {

using testing::BlockLayer;
using testing::RampNoise;
using testing::TempFolder;

class EffectiveScalesQ41 : public ::testing::Test {
 protected:
  void SetUp() override {
    layer_.d[2] = 0.0F;
    checkpoint_ = layer_.write(folder_.path() / "a.gguf");
    weight_ = load_weight(checkpoint_, layer_.request(), {});
    weight_.trainable = true;
  }
  TempFolder folder_;
  BlockLayer layer_{core::Dtype::kQ4_1};
  io::Checkpoint checkpoint_;
  PackedWeight weight_;
  RampNoise noise_;
  kernels::Probe probe_{.noise = &noise_, .eps = 0.01F};
  ScaleBuffers buffers_;
};

TEST_F(EffectiveScalesQ41, MastersComeWithoutACopy) {
  const EffectiveScales scales = effective_scales(weight_, {}, buffers_);
  EXPECT_EQ(scales.plus.scales, weight_.scales.data());
  EXPECT_EQ(scales.minus.scales, weight_.scales.data());
}

TEST_F(EffectiveScalesQ41, TiedMinimumFollowsBothSigns) {
  const EffectiveScales scales = effective_scales(weight_, {.probe = &probe_}, buffers_);
  for (std::size_t i = 0; i < 6; ++i) {
    const float step = 0.01F * (1.0F + static_cast<float>(i) / 8.0F);
    const float s = weight_.scales[i];
    if (i == 2) {  // constant: neither moves
      EXPECT_EQ(scales.plus.scales[i], 0.0F);
      EXPECT_EQ(scales.minus.scales[i], 0.0F);
      EXPECT_EQ(scales.plus.offsets[i], weight_.minimum[i]);
      EXPECT_EQ(scales.minus.offsets[i], weight_.minimum[i]);
      continue;
    }
    EXPECT_NEAR(scales.plus.scales[i], s + step, 1e-7);
    EXPECT_NEAR(scales.minus.scales[i], s - step, 1e-7);
    EXPECT_EQ(scales.plus.offsets[i], scales.plus.scales[i] * weight_.minimum[i]);
    EXPECT_EQ(scales.minus.offsets[i], scales.minus.scales[i] * weight_.minimum[i]);
  }
}

TEST_F(EffectiveScalesQ41, OneSignIsWhatAWalkWithOneSignReads) {
  ScaleBuffers both_buffers;
  const EffectiveScales both = effective_scales(weight_, {.probe = &probe_}, both_buffers);
  probe_.signs = kernels::Signs::kMinus;
  const EffectiveScales minus = effective_scales(weight_, {.probe = &probe_}, buffers_);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(minus.plus.scales[i], both.minus.scales[i]);
    EXPECT_EQ(minus.plus.offsets[i], both.minus.offsets[i]);
  }
  probe_.signs = kernels::Signs::kPlus;
  const EffectiveScales plus = effective_scales(weight_, {.probe = &probe_}, buffers_);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(plus.plus.scales[i], both.plus.scales[i]);
}

TEST_F(EffectiveScalesQ41, FixedMinimumStays) {
  PackedWeight fixed = load_weight(checkpoint_, layer_.request(), {.minimum_rule = MinimumRule::kFixed});
  fixed.trainable = true;
  const EffectiveScales scales = effective_scales(fixed, {.probe = &probe_}, buffers_);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_NE(scales.plus.scales[i], fixed.scales[i]);
    EXPECT_EQ(scales.plus.offsets[i], core::half_to_float(core::float_to_half(layer_.m[i])));
    EXPECT_EQ(scales.minus.offsets[i], scales.plus.offsets[i]);
  }
}

TEST_F(EffectiveScalesQ41, AWeightThatIsNotTrainedIgnoresTheProbe) {
  weight_.trainable = false;
  const EffectiveScales scales = effective_scales(weight_, {.probe = &probe_}, buffers_);
  EXPECT_EQ(scales.plus.scales, weight_.scales.data());
  EXPECT_EQ(scales.minus.scales, weight_.scales.data());
}

TEST_F(EffectiveScalesQ41, BuffersAreReused) {
  effective_scales(weight_, {.probe = &probe_}, buffers_);
  const float* before = buffers_.plus.data();
  effective_scales(weight_, {.probe = &probe_}, buffers_);
  EXPECT_EQ(buffers_.plus.data(), before);
}

TEST_F(EffectiveScalesQ41, RoundedModeComputesWithWhatIsExported) {
  for (std::size_t i = 0; i < weight_.scales.size(); ++i) {
    if (i != 2 && i != 3) weight_.scales[i] += 1e-3F * static_cast<float>(i + 1);
  }
  const EffectiveScales scales = effective_scales(weight_, {.rounded = true}, buffers_);
  const std::vector<io::FieldWrite> writes = scale_writes(weight_);
  ASSERT_EQ(writes.size(), 2u);
  for (std::size_t i = 0; i < 6; ++i) {
    std::uint16_t d, m;
    std::memcpy(&d, writes[0].values.data() + 2 * i, 2);
    std::memcpy(&m, writes[1].values.data() + 2 * i, 2);
    EXPECT_EQ(scales.plus.scales[i], core::half_to_float(d));
    EXPECT_EQ(scales.plus.offsets[i], core::half_to_float(m));
  }
}

TEST(EffectiveScales, DenseWeightsHaveNone) {
  ScaleBuffers buffers;
  const EffectiveScales scales = effective_scales(PackedWeight(), {}, buffers);
  EXPECT_EQ(scales.plus.scales, nullptr);
  EXPECT_EQ(scales.plus.offsets, nullptr);
}

}  // namespace
}  // namespace qzo::quant
