#include "qzo/kernels/cpu_features.h"

#include <gtest/gtest.h>

#include "qzo/core/error.h"

namespace qzo::kernels {
namespace {

TEST(CpuFeatures, TheBestIsaIsSupportedAndActive) {
  EXPECT_TRUE(isa_supported(Isa::kPortable));
  EXPECT_TRUE(isa_supported(best_isa()));
  EXPECT_EQ(active_isa(), best_isa());
  bool smaller = true;  // each needs the one before
  for (const Isa isa : kAllIsas) {
    EXPECT_TRUE(smaller || !isa_supported(isa)) << isa_name(isa);
    smaller = isa_supported(isa);
    EXPECT_TRUE(!smaller || best_isa() >= isa);
  }
}

TEST(CpuFeatures, TheActiveIsaCanBeLowered) {
  set_active_isa(Isa::kPortable);
  EXPECT_EQ(active_isa(), Isa::kPortable);
  set_active_isa(best_isa());
  EXPECT_EQ(active_isa(), best_isa());
}

TEST(CpuFeatures, AnUnsupportedIsaIsRefused) {
  if (isa_supported(Isa::kAvx512Bf16)) GTEST_SKIP() << "this CPU supports every variant";
  EXPECT_THROW(set_active_isa(Isa::kAvx512Bf16), core::InternalError);
  EXPECT_EQ(active_isa(), best_isa());
}

TEST(CpuFeatures, Names) {
  EXPECT_EQ(isa_name(Isa::kPortable), "portable");
  EXPECT_EQ(isa_name(Isa::kAvx2), "avx2");
  EXPECT_EQ(isa_name(Isa::kAvx512), "avx512");
}

}  // namespace
}  // namespace qzo::kernels
