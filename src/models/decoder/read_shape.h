#pragma once
// What nearly every configuration says in the same words.

#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "qzo/io/checkpoint.h"

#include "models/config_reader.h"
#include "models/decoder/spec.h"

namespace qzo::models {

struct ShapeKeys {
  Key hidden{"hidden_size", "embedding_length"};
  Key intermediate{"intermediate_size", "feed_forward_length"};
  Key layers{"num_hidden_layers", "block_count"};
  Key heads{"num_attention_heads", "attention.head_count"};
  Key kv_heads{"num_key_value_heads", "attention.head_count_kv"};  // absent: as many as heads
  Key head_dim{"head_dim", "attention.key_length"};                // absent: hidden / heads
  Key max_positions{"max_position_embeddings", "context_length"};
  Key norm_eps{"rms_norm_eps", "attention.layer_norm_rms_epsilon"};
  std::int64_t default_positions = 2048;
  std::int64_t default_head_dim = 0;     // of config.json; 0: hidden / heads
  std::int64_t intermediate_factor = 0;  // intermediate = so many times hidden by default; 0: it must be stated
  bool tied_by_default = false;
};

// Dimensions, norm eps, vocabulary, ties, attention scale 1/sqrt(head_dim); layers without a window, root "model." (HF)
// or none (GGUF), rotated pairs in halves, names as Llama has them. UserError naming file and key for anything missing,
// inconsistent or not built (experts).
DecoderSpec read_shape(const ConfigReader& reader, const io::Checkpoint& checkpoint, const char* family,
                       const ShapeKeys& keys = {});

// Tensor names of Llama; most families differ in a few.
DecoderNames llama_names();

// By the names that config.json has for them ("gelu_new"); absent: `otherwise`.
kernels::Activation read_activation(const ConfigReader& reader, Key key, const char* otherwise);

// Refuses a switch that changes the model and is not built.
void refuse_flag(const ConfigReader& reader, const char* hf);

// The sliding window of attention; where the configuration says nothing of one, `otherwise`.
std::optional<std::int64_t> read_window(const ConfigReader& reader, std::optional<std::int64_t> otherwise = {});

// A soft cap, 0 for none (null); where the configuration says nothing, `otherwise`.
float read_cap(const ConfigReader& reader, Key key, double otherwise);

// The first of `roots` under which `stem` has tensors; the first at all if none has.
std::string find_root(const io::TensorSource& tensors, std::initializer_list<const char*> roots, const char* stem);

// Sets the windows of all layers: by layer_types where config.json lists them, otherwise where slides(layer). Without a
// window no layer may slide.
template <class Slides>
void set_windows(const ConfigReader& reader, DecoderSpec& spec, std::optional<std::int64_t> window, Slides slides);

// Which layers slide by config.json's own list; nothing if there is none.
std::optional<std::vector<bool>> read_layer_types(const ConfigReader& reader, const DecoderSpec& spec,
                                                  std::optional<std::int64_t> window);

template <class Slides>
void set_windows(const ConfigReader& reader, DecoderSpec& spec, std::optional<std::int64_t> window, Slides slides) {
  const auto stated = read_layer_types(reader, spec, window);
  for (std::size_t i = 0; i < spec.layer.size(); ++i) {
    const bool slide = stated ? (*stated)[i] : window && slides(static_cast<std::int64_t>(i));
    spec.layer[i].window = slide ? *window : 0;
  }
}

}  // namespace qzo::models
