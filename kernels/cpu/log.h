#pragma once
// Natural logarithm of a double with exactly defined operations only, so that losses do not depend on libm.
//
// x = 2^e m with m in [sqrt(1/2), sqrt(2)); ln m = 2 artanh(s), s = (m - 1)/(m + 1), |s| < 0.172: the odd series to
// s^19 leaves less than 1e-17. Normal positive x, +inf and NaN; log-sum-exp only asks for x >= 1.

#include <cstdint>
#include <cstring>

namespace qzo::kernels {
namespace {

inline double log_of(double x) {
  constexpr std::uint64_t kMantissa = 0xFFFFFFFFFFFFFULL;
  constexpr std::uint64_t kOne = 0x3FF0000000000000ULL;
  if (!(x < __builtin_inf())) return x;  // +inf and NaN
  std::uint64_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  bits = (bits & kMantissa) | kOne;
  double m = 0;
  std::memcpy(&m, &bits, sizeof m);
  if (m > 0x1.6a09e667f3bcdp+0) {  // sqrt(2)
    m *= 0.5;
    ++exponent;
  }
  const double s = (m - 1.0) / (m + 1.0);
  const double square = s * s;
  double series = 0;
  for (int power = 19; power >= 3; power -= 2) series = (series + 1.0 / power) * square;
  return exponent * 0x1.62e42fefa39efp-1 + 2.0 * (s + s * series);
}

}  // namespace
}  // namespace qzo::kernels
