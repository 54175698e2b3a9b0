#pragma once
// The weights of a decoder as the differentiable forward pass uses them: products and vectors, each frozen or trained.

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "qzo/models/trainable_lm.h"
#include "qzo/nn/frozen_weight.h"
#include "qzo/ops/differentiable.h"

#include "models/decoder/decoder.h"

namespace qzo::models {

// A norm weight, norm bias or bias of a linear. `leaf` [length] is made again for each batch.
struct TrainedVector {
  std::vector<float>* values = nullptr;  // of the inference model
  TrainedTensor* trained = nullptr;      // null: frozen
  at::Tensor leaf;                       // undefined: there is no such vector

  void refresh();     // leaf from values
  void collect();     // gradient of the leaf to that of the tensor
  void write_back();  // tensor to values
};

struct TrainedAdapter {
  ops::GradientWeight a, b;
  double scale = 1;
};

struct TrainedLinear {
  ops::GradientWeight weight;
  std::unique_ptr<nn::FrozenWeight> scales;  // keeps those of `weight`
  TrainedVector* bias = nullptr;
  std::optional<TrainedAdapter> adapter;

  // x [R, in] -> [R, out], fp32, or double (exact products; no adapter, not differentiable).
  [[nodiscard]] at::Tensor apply(const at::Tensor& x) const;
};

struct TrainedNorm {
  const nn::Norm* norm = nullptr;  // null: none
  TrainedVector* weight = nullptr;
  TrainedVector* bias = nullptr;

  // x [R, n C] -> the same, stretches of C by themselves.
  [[nodiscard]] at::Tensor apply(const at::Tensor& x) const;
};

struct TrainedLayer {
  TrainedNorm attention_norm, mlp_norm, attention_out_norm, mlp_out_norm, query_norm, key_norm;
  std::vector<TrainedLinear> qkv, mlp_in;
  TrainedLinear attention_out, down;
};

class TrainingWeights {
 public:
  explicit TrainingWeights(Decoder& decoder);  // all frozen, with the values of the file
  TrainingWeights(const TrainingWeights&) = delete;
  TrainingWeights& operator=(const TrainingWeights&) = delete;

  std::vector<TrainedTensor>& tensors() { return tensors_; }
  std::vector<TrainedLayer>& layers() { return layers_; }
  [[nodiscard]] const TrainedNorm& final_norm() const { return final_norm_; }
  [[nodiscard]] const TrainedLinear& head() const { return head_; }
  [[nodiscard]] const ops::GradientWeight& embedding() const { return embedding_.weight; }

  // Once.
  void train(const TrainableOptions& options);
  // The scales of the linears of the layers; a probe of one sign.
  void use_scales(const quant::ScaleMode& mode);
  void refresh();
  void collect();
  void write_back();

 private:
  // What the model consists of, by name; first all are listed, then those that are chosen get tensors.
  struct Matrix {
    std::string name;  // of the tensor
    quant::PackedWeight* weight;
    TrainedLinear* linear;
  };
  struct Vector {
    std::string name;
    double offset;
    TrainedVector* vector;
  };
  struct Place {       // a linear that may get an adapter
    std::string name;  // its stem as Hugging Face has it
    nn::Linear* linear;
    TrainedLinear* trained;
    std::int64_t interleaved_heads;
  };

  void bind();  // products to what the model holds
  void list_layer(std::int64_t index, DecoderLayer& layer, TrainedLayer& trained);
  void list_linear(const std::string& hf_stem, nn::Linear& linear, TrainedLinear& trained,
                   std::int64_t interleaved_heads = 0);
  void list_norm(const std::string& stem, nn::Norm& norm, TrainedNorm& trained);
  TrainedVector* list_vector(const std::string& name, std::vector<float>& values, double offset);
  void train_weights(const TrainableOptions& options);
  void train_adapters(const TrainableOptions& options);

  Decoder& decoder_;
  std::vector<TrainedTensor> tensors_;
  std::vector<TrainedLayer> layers_;
  TrainedNorm final_norm_;
  TrainedLinear embedding_, head_;
  std::deque<TrainedVector> vectors_;  // pointed at
  std::vector<Matrix> matrices_;
  std::vector<Vector> named_vectors_;
  std::vector<Place> places_;
  std::vector<quant::ScaleBuffers> buffers_;  // by place, of use_scales
};

}  // namespace qzo::models
