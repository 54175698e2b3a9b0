#pragma once
// Standard normals from counter words, with operations that IEEE 754 defines exactly (add, multiply, fma, sqrt, divide,
// integer), so that every device, compiler and instruction set gives the same bits. No libm.
//
// Box-Muller: u1 = (w0 + 0.5) 2^-32, u2 likewise; r = sqrt(-2 ln u1), theta = 2 pi u2; normals r cos(theta), r
// sin(theta).

#include <cstdint>
#include <utility>

namespace qzo::core {

// The scalar definition; vector versions in kernels/ must equal it bit for bit.
std::pair<float, float> gaussian_pair(std::uint32_t w0, std::uint32_t w1);

}  // namespace qzo::core
