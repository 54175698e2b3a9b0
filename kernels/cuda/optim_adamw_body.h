#pragma once
// AdamW on 4-bit moments as a CUDA kernel, split at its barriers into phases that are plain functions of a thread. A
// thread block takes the 128 elements that share a scale, a thread two neighbours, whose codes are one byte. Rules:
// qzo/kernels/optim_step.h, qzo/kernels/optim_state.h; the bits are those of the CPU.
//
// Not verified on hardware: compiled, and run on the host by tests/unit/optim/cuda_emulation_test.cpp.

#include <cmath>
#include <cstdint>
#include <cstring>

#include "cuda/annotate.h"

namespace qzo::kernels::cuda {

constexpr int kThreads = 64;
constexpr std::int64_t kElements = 2 * kThreads;
constexpr int kMostAxes = 8;

struct Table {
  float values[16];
  float midpoints[15];
};

// One tensor, in device memory; fp32 weights and gradients.
struct AdamwArgs {
  std::int64_t count = 0;
  float* theta = nullptr;
  const float* g = nullptr;
  std::uint8_t *m_codes = nullptr, *v_codes = nullptr;
  float *m_scales = nullptr, *v_scales = nullptr;  // per block; v, rank-1: axis 0, axis 1, ...
  float* raised = nullptr;                         // rank-1: the scales after this step, as v_scales
  int axes = 0;                                    // rank-1: 2 to kMostAxes; 0: blocks
  std::int64_t shape[kMostAxes] = {};
  float beta1 = 0, rest1 = 0, beta2 = 0, rest2 = 0, decay = 1, step = 0, root = 1, eps = 0;
  Table m, v;
};

// What a thread keeps from one phase to the next, and what its block shares.
struct AdamwThread {
  float m[2] = {}, v[2] = {};
};
struct AdamwShared {
  float most_m[kThreads], most_v[kThreads];
};

QZO_DEVICE inline float larger(float a, float b) { return a > b ? a : b; }
QZO_DEVICE inline float magnitude(float x) { return x < 0 ? -x : x; }

// The smallest of the scales of an element's indices.
QZO_DEVICE inline float rank1_scale(const AdamwArgs& a, const float* scales, std::int64_t element) {
  std::int64_t offset = 0;
  for (int axis = 0; axis < a.axes; ++axis) offset += a.shape[axis];
  float least = INFINITY;
  for (int axis = a.axes - 1; axis >= 0; --axis) {
    offset -= a.shape[axis];
    const float scale = scales[offset + element % a.shape[axis]];
    least = scale < least ? scale : least;
    element /= a.shape[axis];
  }
  return least;
}

QZO_DEVICE inline int code_at(const std::uint8_t* codes, std::int64_t i) { return codes[i / 2] >> (i % 2 * 4) & 15; }

QZO_DEVICE inline float second_moment(const AdamwArgs& a, std::int64_t i) {
  const float scale = a.axes > 0 ? rank1_scale(a, a.v_scales, i) : a.v_scales[i / kElements];
  const float before = a.v.values[code_at(a.v_codes, i)] * scale;
  return fmaf(a.rest2 * a.g[i], a.g[i], a.beta2 * before);
}

QZO_DEVICE inline int encode(const Table& table, float x, float scale) {
  if (scale == 0) return 15;
  const float n = x / scale;
  int code = 0;
  for (int i = 0; i < 15; ++i) code += n > table.midpoints[i] ? 1 : 0;
  return code;
}

// Rank-1, first kernel: raise(scale, x) makes a shared scale at least x (an atomic maximum on the device).
template <class Raise>
QZO_DEVICE void raise_thread(const AdamwArgs& a, std::int64_t block, int thread, const Raise& raise) {
  for (int j = 0; j < 2; ++j) {
    const std::int64_t i = block * kElements + 2 * thread + j;
    if (i >= a.count) return;
    const float v = second_moment(a, i);
    std::int64_t offset = 0, index = i;
    for (int axis = 0; axis < a.axes; ++axis) offset += a.shape[axis];
    for (int axis = a.axes - 1; axis >= 0; --axis) {
      offset -= a.shape[axis];
      raise(a.raised + offset + index % a.shape[axis], v);
      index /= a.shape[axis];
    }
  }
}

// Phase 1: update. Every thread reaches the barrier behind it, also those past the last element.
QZO_DEVICE inline void update_thread(const AdamwArgs& a, std::int64_t block, int thread, AdamwThread& own,
                                     AdamwShared& shared) {
  for (int j = 0; j < 2; ++j) {
    const std::int64_t i = block * kElements + 2 * thread + j;
    own.m[j] = own.v[j] = 0;
    if (i >= a.count) continue;
    const float before = a.m.values[code_at(a.m_codes, i)] * a.m_scales[block];
    own.m[j] = fmaf(a.rest1, a.g[i], a.beta1 * before);
    own.v[j] = second_moment(a, i);
    const float denominator = fmaf(sqrtf(own.v[j]), a.root, a.eps);
    a.theta[i] = fmaf(-a.step, own.m[j] / denominator, a.theta[i] * a.decay);
  }
  shared.most_m[thread] = larger(magnitude(own.m[0]), magnitude(own.m[1]));
  shared.most_v[thread] = larger(own.v[0], own.v[1]);
}

// Phases 2 to 7, stride 32, 16, ... 1: maxima over the block.
QZO_DEVICE inline void reduce_thread(int thread, int stride, AdamwShared& shared) {
  if (thread >= stride) return;
  shared.most_m[thread] = larger(shared.most_m[thread], shared.most_m[thread + stride]);
  shared.most_v[thread] = larger(shared.most_v[thread], shared.most_v[thread + stride]);
}

// Phase 8: codes and scales.
QZO_DEVICE inline void encode_thread(const AdamwArgs& a, std::int64_t block, int thread, const AdamwThread& own,
                                     const AdamwShared& shared) {
  if (thread == 0) {
    a.m_scales[block] = shared.most_m[0];
    if (a.axes == 0) a.v_scales[block] = shared.most_v[0];
  }
  int m_byte = 0, v_byte = 0;
  const std::int64_t first = block * kElements + 2 * thread;
  if (first >= a.count) return;
  for (int j = 0; j < 2 && first + j < a.count; ++j) {
    const float v_scale = a.axes > 0 ? rank1_scale(a, a.raised, first + j) : shared.most_v[0];
    m_byte |= encode(a.m, own.m[j], shared.most_m[0]) << (4 * j);
    v_byte |= encode(a.v, own.v[j], v_scale) << (4 * j);
  }
  a.m_codes[first / 2] = static_cast<std::uint8_t>(m_byte);
  a.v_codes[first / 2] = static_cast<std::uint8_t>(v_byte);
}

}  // namespace qzo::kernels::cuda
