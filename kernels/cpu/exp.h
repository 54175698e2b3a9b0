#pragma once
// exp in fp32 over any lanes type (lanes_portable.h): relative error below 1.5e-7 where the result is normal, results
// below 2^-126 rounded once to a subnormal, -inf -> 0, overflow -> +inf, NaN -> NaN.
//
// x = n ln2 + r with |r| <= ln2/2; exp(x) = 2^n p(r). p is the minimax polynomial 1 + r + r^2 q(r), q of degree 4
// (relative error 3e-9; coefficients by iteratively reweighted least squares on Chebyshev points).

namespace qzo::kernels {
namespace {

template <class L>
inline typename L::Floats exp_lanes(typename L::Floats x) {
  using Floats = typename L::Floats;
  using Words = typename L::Words;
  // Beyond these limits the result is 0 or +inf anyway; within them 2^n splits into two normal factors. The limit
  // stands first because min and max then pass a NaN through.
  x = L::min(L::broadcast(89.0F), x);
  x = L::max(L::broadcast(-104.5F), x);

  // Adding 1.5 * 2^23 rounds to the nearest integer and leaves it in the low bits of the sum.
  const Floats magic = L::broadcast(0x1.8p23F);
  const Floats shifted = L::fma(x, L::broadcast(0x1.715476p+0F), magic);  // log2(e)
  const Floats n = L::sub(shifted, magic);
  Floats r = L::fma(n, L::broadcast(-0x1.62e430p-1F), x);  // ln2, high part
  r = L::fma(n, L::broadcast(0x1.05c610p-29F), r);         // ln2 rounded up: the low part is negative

  Floats q = L::broadcast(0x1.6a2254p-10F);
  q = L::fma(q, r, L::broadcast(0x1.123b04p-7F));
  q = L::fma(q, r, L::broadcast(0x1.5558f8p-5F));
  q = L::fma(q, r, L::broadcast(0x1.555490p-3F));
  q = L::fma(q, r, L::broadcast(0x1.fffffcp-2F));
  const Floats one = L::broadcast(1.0F);
  Floats p = L::fma(L::mul(r, r), q, r);
  p = L::add(p, one);

  // 2^n = 2^h 2^(n-h), so that n from -151 to 128 needs no special cases and a subnormal result is rounded once.
  const Words integer = L::sub(L::bits_of(shifted), L::bits_of(magic));
  const Words half = L::shift_right_signed(integer, 1);
  const Words bias = L::broadcast_word(127);
  const Floats low = L::float_of(L::shift_left(L::add(half, bias), 23));
  const Floats high = L::float_of(L::shift_left(L::add(L::sub(integer, half), bias), 23));
  return L::mul(L::mul(p, low), high);
}

}  // namespace
}  // namespace qzo::kernels
