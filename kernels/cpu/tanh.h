#pragma once
// tanh and the upper tail of the normal distribution in fp32 over any lanes type (lanes_portable.h). Coefficients:
// iteratively reweighted least squares on Chebyshev points, close to minimax.

#include "cpu/exp.h"

namespace qzo::kernels {
namespace {

// |x| with the sign bit cleared (NaN stays NaN).
template <class L>
inline typename L::Floats absolute(typename L::Floats x) {
  return L::float_of(L::bit_and(L::bits_of(x), L::broadcast_word(0x7FFFFFFFU)));
}

// a where mask is all ones, b where it is 0.
template <class L>
inline typename L::Floats choose(typename L::Words mask, typename L::Floats a, typename L::Floats b) {
  const typename L::Words other = L::sub(L::broadcast_word(0xFFFFFFFFU), mask);
  return L::float_of(L::add(L::bit_and(mask, L::bits_of(a)), L::bit_and(other, L::bits_of(b))));
}

// Relative error below 3e-7. Near 0 the odd polynomial x + x^3 p(x^2), |x| < 0.625 (4e-9); beyond it
// 1 - 2 / (exp(2 |x|) + 1), which would lose digits near 0. NaN -> NaN.
template <class L>
inline typename L::Floats tanh_lanes(typename L::Floats x) {
  using Floats = typename L::Floats;
  const Floats size = absolute<L>(x);
  const Floats square = L::mul(x, x);
  Floats p = L::broadcast(-0x1.75e1cap-8F);
  p = L::fma(p, square, L::broadcast(0x1.52269ap-6F));
  p = L::fma(p, square, L::broadcast(-0x1.b83c5ap-5F));
  p = L::fma(p, square, L::broadcast(0x1.110726p-3F));
  p = L::fma(p, square, L::broadcast(-0x1.555532p-2F));
  const Floats near = L::fma(L::mul(x, square), p, x);

  const Floats one = L::broadcast(1.0F);
  const Floats grown = L::add(exp_lanes<L>(L::add(size, size)), one);
  const Floats far_size = L::sub(one, L::div(L::broadcast(2.0F), grown));
  const typename L::Words sign = L::bit_and(L::bits_of(x), L::broadcast_word(0x80000000U));
  const Floats far = L::float_of(L::add(L::bits_of(far_size), sign));  // far_size has no sign of its own
  // All ones where |x| - 0.625 is negative.
  const typename L::Words is_near = L::shift_right_signed(L::bits_of(L::sub(size, L::broadcast(0.625F))), 31);
  return choose<L>(is_near, near, far);
}

// 1 - Phi(a), a >= 0: the area of the standard normal distribution above a. Relative error below 1e-6, 0 from about
// a = 14 on. With t = 1 / (1 + 0.35 a) the area is exp(-a^2/2) t p(t), p of degree 8 (3.2e-8 for a up to 14).
// The rounding of a^2 is taken back behind exp, which would multiply it.
template <class L>
inline typename L::Floats normal_tail(typename L::Floats a) {
  using Floats = typename L::Floats;
  const Floats one = L::broadcast(1.0F);
  const Floats t = L::div(one, L::fma(a, L::broadcast(0.35F), one));
  Floats p = L::broadcast(-0x1.dd86e2p-6F);
  p = L::fma(p, t, L::broadcast(0x1.26daa0p-3F));
  p = L::fma(p, t, L::broadcast(-0x1.05d9f4p-2F));
  p = L::fma(p, t, L::broadcast(0x1.45fd16p-3F));
  p = L::fma(p, t, L::broadcast(-0x1.7aa194p-6F));
  p = L::fma(p, t, L::broadcast(0x1.b02926p-4F));
  p = L::fma(p, t, L::broadcast(0x1.ead5e0p-4F));
  p = L::fma(p, t, L::broadcast(0x1.1e6fe6p-3F));
  p = L::fma(p, t, L::broadcast(0x1.1df1d4p-3F));
  const Floats minus_half = L::broadcast(-0.5F);
  const Floats square = L::mul(a, a);
  const Floats lost = L::fma(a, a, L::sub(L::zero(), square));
  const Floats gauss = exp_lanes<L>(L::mul(square, minus_half));
  const Floats corrected = L::fma(L::mul(gauss, minus_half), lost, gauss);
  return L::mul(L::mul(p, t), corrected);
}

}  // namespace
}  // namespace qzo::kernels
