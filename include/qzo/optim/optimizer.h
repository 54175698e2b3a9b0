#pragma once
// First-order optimizers over plain memory: parameters and gradients are pointers, states are kept here. Not
// thread-safe from outside; parallel inside, same bits for any number of threads.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "qzo/core/dtype.h"
#include "qzo/kernels/optim_step.h"
#include "qzo/optim/state_codec.h"

namespace qzo::optim {

// Contiguous, row-major, not owned; both arrays must live as long as they are set. fp32 or bf16 each.
struct Parameter {
  std::string name;                 // unique
  std::vector<std::int64_t> shape;  // of the whole tensor, storage order; empty for a scalar
  core::Dtype dtype = core::Dtype::kF32;
  void* values = nullptr;
  core::Dtype gradient_dtype = core::Dtype::kF32;
  const void* gradient = nullptr;  // null: this parameter and its states sit the step out
};

struct ParameterGroup {
  std::vector<Parameter> parameters;
  double lr = 1e-3;
  double weight_decay = 0;
};

// Which states are quantized and how. Patterns are globs over parameter names; one that matches nothing is an error.
struct StateRules {
  std::int64_t threshold = 4096;            // states of tensors with more elements are quantized
  std::vector<std::string> full_precision;  // fp32 states all the same (head, norms, ...)
  std::vector<std::string> stochastic;      // quantized states rounded stochastically
  bool stochastic_weights = true;           // bf16 weights; otherwise to nearest
  std::uint64_t seed = 0;                   // of the rounding noise
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }

  // One update with the gradients that are set. They must be finite, as for LibTorch's: a NaN or an infinity enters the
  // weights and states of its tensor. Who has their norm knows; everybody else asks gradients_finite(), which reads
  // them all once.
  void step();
  [[nodiscard]] bool gradients_finite() const;
  // step() if they are finite; otherwise false, and nothing changes but the count of skipped steps.
  bool step_if_finite();

  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  [[nodiscard]] std::uint64_t skipped_steps() const { return skipped_; }

  // Parameters are numbered over all groups in order.
  [[nodiscard]] std::size_t parameters() const { return slots_.size(); }
  void set_gradient(std::size_t parameter, const void* gradient);
  void set_lr(std::size_t group, double lr);
  void set_weight_decay(std::size_t group, double weight_decay);

  // Memory of all states, from the buffers as they are allocated.
  [[nodiscard]] std::int64_t state_bytes() const;
  [[nodiscard]] double bytes_per_parameter() const;

  // safetensors: "<parameter>/<state>.codes" and so on; the header names the optimizer, the codec of each state, the
  // packing and the counters. Scales and fp32 states are fp32 whatever the weights are. Written atomically.
  void save(const std::filesystem::path& file);
  // UserError if the file is another optimizer's, or differs in parameters, shapes or codecs; nothing is changed then.
  void load(const std::filesystem::path& file);

 protected:
  struct Group {
    double lr, weight_decay;
  };
  struct Slot {
    Parameter parameter;
    std::size_t group = 0;
    std::int64_t count = 0;       // elements
    std::uint32_t id = 0;         // noise stream
    bool full_precision = false;  // by size or by pattern
    bool stochastic = false;
    std::int64_t steps = 0;  // of this parameter; 0: its states have not been used yet
    std::vector<StateTensor> states;

    [[nodiscard]] kernels::ParameterView view() const;
    [[nodiscard]] std::vector<std::int64_t> shape_without(std::size_t axis_from_end) const;
  };

  // UserError on duplicate names, dtypes other than fp32 and bf16, patterns that match nothing.
  Optimizer(std::string name, std::vector<ParameterGroup> groups, const StateRules& rules);

  // Appends a state to a slot; `codec` applies unless the slot keeps full precision.
  static void add_state(Slot& slot, std::string key, const kernels::StateCodec& codec,
                        kernels::StateRounding rounding = kernels::StateRounding::kNearest);
  std::vector<Slot>& slots() { return slots_; }
  [[nodiscard]] const Group& group_of(const Slot& slot) const { return groups_[slot.group]; }

  // The update of slots whose gradients are set and finite; slot.steps counts this step already.
  virtual void update(const std::vector<Slot*>& active, const kernels::StepRounding& rounding) = 0;

 private:
  std::string name_;
  StateRules rules_;
  std::vector<Group> groups_;
  std::vector<Slot> slots_;
  std::uint64_t steps_ = 0, skipped_ = 0;
};

}  // namespace qzo::optim
