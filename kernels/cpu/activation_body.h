#pragma once
// Element by element: activations and the soft cap.

#include <cstdint>

#include "cpu/exp.h"
#include "cpu/tail.h"
#include "cpu/tanh.h"
#include "cpu/variant.h"

namespace qzo::kernels {
namespace {

// x sigmoid(2 u) is x (1 + tanh u) / 2 without its loss of digits at large negative u.
template <class L, Activation f>
inline typename L::Floats activated(typename L::Floats x) {
  using Floats = typename L::Floats;
  const Floats zero = L::zero(), one = L::broadcast(1.0F);
  if constexpr (f == Activation::kSilu) {
    return L::div(x, L::add(one, exp_lanes<L>(L::sub(zero, x))));
  } else if constexpr (f == Activation::kGeluTanh) {
    const Floats inner = L::fma(L::mul(x, x), L::broadcast(0.044715F), one);
    const Floats twice = L::mul(L::mul(x, inner), L::broadcast(-0x1.988454p+0F));  // -2 sqrt(2/pi)
    return L::div(x, L::add(one, exp_lanes<L>(twice)));
  } else if constexpr (f == Activation::kGelu) {
    // x Phi(x) = max(x, 0) - |x| (1 - Phi(|x|)); the bound keeps inf * 0 away, behind it the second term is 0.
    const Floats size = L::min(L::broadcast(20.0F), absolute<L>(x));
    return L::sub(L::max(zero, x), L::mul(size, normal_tail<L>(size)));
  } else {
    static_assert(f == Activation::kRelu);
    return L::max(zero, x);  // this order keeps a NaN
  }
}

template <class L, Activation f>
void activate_as(float* x, const float* factor, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += kLanes) {
    typename L::Floats y = activated<L, f>(load_some<L>(x + i, count - i));
    if (factor != nullptr) y = L::mul(y, load_some<L>(factor + i, count - i));
    store_some<L>(x + i, y, count - i);
  }
}

template <class L>
void activate_array(Activation f, float* x, const float* factor, std::int64_t count) {
  switch (f) {
    case Activation::kSilu:
      return activate_as<L, Activation::kSilu>(x, factor, count);
    case Activation::kGeluTanh:
      return activate_as<L, Activation::kGeluTanh>(x, factor, count);
    case Activation::kGelu:
      return activate_as<L, Activation::kGelu>(x, factor, count);
    case Activation::kRelu:
      return activate_as<L, Activation::kRelu>(x, factor, count);
  }
}

template <class L>
inline typename L::Floats soft_cap_lanes(typename L::Floats x, float cap) {
  const typename L::Floats limit = L::broadcast(cap);
  return L::mul(limit, tanh_lanes<L>(L::div(x, limit)));
}

template <class L>
void soft_cap_array(float* x, float cap, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += kLanes)
    store_some<L>(x + i, soft_cap_lanes<L>(load_some<L>(x + i, count - i), cap), count - i);
}

}  // namespace
}  // namespace qzo::kernels
