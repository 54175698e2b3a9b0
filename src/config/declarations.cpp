// Every setting, declared once. To add one: a member with its default in run_config.h and an entry here.

#include "config/field.h"

namespace qzo::config {
namespace {

constexpr double kMaxU32 = 4294967295.0;

void declare_model(std::vector<Field>& fields) {
  GroupFields<ModelConfig>(fields, "model", &RunConfig::model)
      .add("path", &ModelConfig::path,
           {.effect = Effect::kNone, .required = true, .text = "Checkpoint: a GGUF file or a Hugging Face folder."})
      .add("precision", &ModelConfig::precision,
           {.choices = {"auto", "fp32", "bf16", "bf16x2", "int8"},
            .text = "Matrix products in steps (evaluations are fp32). 4-bit weights are exact in each; activations are "
                    "rounded to bf16, to two bf16 parts, or to int8 for each row and group. auto: what learns fastest "
                    "by speed and measured error of d; chosen when a run starts, kept when it resumes."})
      .add(
          "gptq_zero_version", &ModelConfig::gptq_zero_version,
          {.choices = {"auto", "v1", "v2"},
           .text = "GPTQ only: whether the file stores zero - 1 (v1) or the zero itself (v2). auto: by label and data, "
                   "an error where they disagree."})
      .add("threads", &ModelConfig::threads,
           {.effect = Effect::kNone,
            .at_least = 0,
            .at_most = 1024,
            .text = "Worker threads; 0 = all that the process may use."});
}

void declare_method(std::vector<Field>& fields) {
  GroupFields<MethodConfig>(fields, "method", &RunConfig::method)
      .add("name", &MethodConfig::name,
           {.choices = {"qzo", "adamw32", "adamw8bit", "adamw8bit_bnb", "adamw4bit_block", "adamw4bit_rank1",
                        "factor4bit", "sgd", "sgdm32", "sgdm4bit", "adafactor", "adafactor_torch", "sm3"},
            .text = "qzo: scales, by two losses a step (group zo). The others go by gradients (first order) and train "
                    "dense weights or adapters; 4bit and 8bit are the bits of their states."})
      .add("adapter", &MethodConfig::adapter,
           {.choices = {"none", "lora"},
            .text = "none: the weights themselves, which must be dense. lora: low-rank additions to the linears of the "
                    "decoder layers, on weights of any format; what is saved is PEFT's."})
      .add("weights", &MethodConfig::weights,
           {.choices = {"fp32", "bf16"}, .text = "Type of what is trained, in memory and as saved."})
      .add("include", &MethodConfig::include,
           {.text =
                "Globs of what is trained: tensors of the checkpoint, or with lora linears of the decoder layers, by "
                "their Hugging Face names."})
      .add("exclude", &MethodConfig::exclude, {.text = "Globs of what stays as it is."})
      .add("rank", &MethodConfig::rank, {.at_least = 1, .at_most = 4096, .text = "Of the adapters."})
      .add("alpha", &MethodConfig::alpha, {.above = 0, .at_most = 1e6, .text = "Adapters are scaled by alpha / rank."})
      .add("micro_batch", &MethodConfig::micro_batch,
           {.at_least = 0,
            .at_most = 65536,
            .unit = "examples",
            .text = "Gradients are computed for so many examples at a time and added up over the batch (gradient "
                    "accumulation), weighted so that the step is that of the whole batch; 0 = the batch at once."})
      .add("max_norm", &MethodConfig::max_norm,
           {.above = 0,
            .text = "A gradient with a larger norm, over all that is trained, is scaled down to it; null = off."})
      .add("weight_decay", &MethodConfig::weight_decay,
           {.at_least = 0, .at_most = 1e3, .text = "Decay of weights, decoupled or coupled as the optimizer has it."})
      .add("no_decay", &MethodConfig::no_decay, {.text = "Globs of tensors without decay."})
      .add(
          "recompute", &MethodConfig::recompute,
          {.effect = Effect::kNone,
           .text = "Activation checkpointing: keeps the inputs of the layers only and computes each layer again on the "
                   "way back; less memory, about a third slower, same result."})
      .add("state_threshold", &MethodConfig::state_threshold,
           {.at_least = 0, .unit = "elements", .text = "States of tensors up to this size stay fp32."})
      .add("full_precision", &MethodConfig::full_precision, {.text = "Globs of tensors whose states stay fp32."})
      .add("stochastic_rounding", &MethodConfig::stochastic_rounding,
           {.text = "Of bf16 weights after an update; false: to nearest."});
}

void declare_zo(std::vector<Field>& fields) {
  GroupFields<ZoConfig>(fields, "zo", &RunConfig::zo)
      .add("eps", &ZoConfig::eps,
           {.above = 0,
            .at_most = 1e3,
            .default_text = "0.001 for gptq with absolute eps; must be stated otherwise",
            .unit = "scale units (absolute), or parts of each scale (relative)",
            .text = "Size of the probe added to and taken from every scale."})
      .add("eps_mode", &ZoConfig::eps_mode,
           {.choices = {"absolute", "relative"},
            .text = "absolute: eps is the same for all scales, as published. relative: eps times each scale."})
      .add("clip", &ZoConfig::clip, {.above = 0, .text = "Bound of the directional derivative |d|; null = off."})
      .add("floor", &ZoConfig::floor,
           {.at_least = 0,
            .at_most = 1,
            .unit = "scale units",
            .text = "Positive scales do not fall below this after an update."})
      .add("directions", &ZoConfig::directions,
           {.at_least = 1, .at_most = 255, .text = "Probes per step, averaged; each costs two forward passes."})
      .add("signs", &ZoConfig::signs,
           {.effect = Effect::kNone,
            .choices = {"stacked", "sequential"},
            .text =
                "stacked: both signs of a probe in one walk through the model. sequential: one after the other, half "
                "the activation memory, same result."})
      .add("minimum", &ZoConfig::minimum,
           {.choices = {"tied", "fixed"},
            .text = "GGUF blocks with a minimum (Q4_1, Q5_1, Q4_K, Q5_K): whether it moves with the scale (w = s (q - "
                    "z)) or stays."})
      .add("include", &ZoConfig::include,
           {.text = "Globs of weight names to train, among the quantized linears of the decoder layers."})
      .add("exclude", &ZoConfig::exclude, {.text = "Globs of weight names that stay as they are."});
}

void declare_train(std::vector<Field>& fields) {
  GroupFields<TrainConfig>(fields, "train", &RunConfig::train)
      .add("steps", &TrainConfig::steps, {.at_least = 1, .at_most = kMaxU32, .text = "Optimizer steps."})
      .add("lr", &TrainConfig::lr,
           {.above = 0,
            .at_most = 1e3,
            .default_text = "1e-07 for gptq with absolute eps; must be stated otherwise",
            .text = "Learning rate (peak of the schedule)."})
      .add("schedule", &TrainConfig::schedule,
           {.choices = {"constant", "linear", "cosine"}, .text = "constant, or falling to 0 at the last step."})
      .add("warmup", &TrainConfig::warmup,
           {.at_least = 0, .unit = "steps", .text = "Linear rise of the learning rate."})
      .add("batch_size", &TrainConfig::batch_size,
           {.at_least = 1, .at_most = 65536, .unit = "examples", .text = "Examples whose mean loss one probe sees."})
      .add(
          "max_tokens_per_pass", &TrainConfig::max_tokens_per_pass,
          {.effect = Effect::kNone,
           .at_least = 0,
           .unit = "tokens",
           .text = "Splits a batch into several passes to save memory, same result; 0 = no limit. First-order steps go "
                   "by method.micro_batch instead, only their evaluations by this."})
      .add("seed", &TrainConfig::seed, {.at_least = 0, .text = "One seed; noise and batch order derive from it."})
      .add("eval_every", &TrainConfig::eval_every,
           {.at_least = 0,
            .unit = "steps",
            .text = "Scores the dev set; 0 = only before the first and after the last step."})
      .add("save_every", &TrainConfig::save_every,
           {.effect = Effect::kNone, .at_least = 1, .unit = "steps", .text = "Writes a checkpoint of the run."})
      .add("log_every", &TrainConfig::log_every,
           {.effect = Effect::kNone, .at_least = 1, .unit = "steps", .text = "Writes a record to log.jsonl."})
      .add("sync_every", &TrainConfig::sync_every,
           {.effect = Effect::kNone,
            .at_least = 1,
            .unit = "steps",
            .text = "Forces the journal to disk; what a power cut may cost is computed again, to the same bits."})
      .add("keep_last", &TrainConfig::keep_last,
           {.effect = Effect::kNone, .at_least = 1, .at_most = 1e6, .text = "Checkpoints kept besides the best one."})
      .add("best_metric", &TrainConfig::best_metric,
           {.choices = {"loss", "accuracy"}, .text = "Dev score that decides which checkpoint becomes RUN/model."})
      .add("longest_first", &TrainConfig::longest_first,
           {.text = "The batch with most tokens comes first, so that a lack of memory shows at once."})
      .add("nonfinite_limit", &TrainConfig::nonfinite_limit,
           {.at_least = 1,
            .at_most = 1e6,
            .unit = "steps",
            .text = "Steps in a row with a NaN or infinite loss (each is skipped and counted) that end the run."});
}

void declare_data(std::vector<Field>& fields) {
  GroupFields<DataConfig>(fields, "data", &RunConfig::data)
      .add("train", &DataConfig::train,
           {.effect = Effect::kNone, .required = true, .text = "Training examples: .jsonl, .csv or .tsv."})
      .add("dev", &DataConfig::dev,
           {.effect = Effect::kNone,
            .text = "Examples that choose the best checkpoint; empty = rows of the train file, by MeZO's rule."})
      .add("test", &DataConfig::test,
           {.effect = Effect::kNone, .text = "Examples scored once after training, and by qzo-eval; empty = none."})
      .add("num_train", &DataConfig::num_train,
           {.at_least = 1, .at_most = 1e9, .unit = "examples", .text = "Drawn from the train file."})
      .add("num_dev", &DataConfig::num_dev,
           {.at_least = 1,
            .at_most = 1e9,
            .unit = "examples",
            .text = "Drawn from the train file, or at most that many of the dev file."})
      .add("num_test", &DataConfig::num_test,
           {.effect = Effect::kNone,
            .at_least = 1,
            .at_most = 1e9,
            .unit = "examples",
            .text = "At most that many of the test file."})
      .add("subset_seed", &DataConfig::subset_seed,
           {.at_least = 0,
            .at_most = kMaxU32,
            .text = "Which rows are drawn (numpy's legacy permutation, as MeZO does)."})
      .add("max_length", &DataConfig::max_length,
           {.at_least = 2,
            .at_most = 1e6,
            .unit = "tokens",
            .text = "Longer prompts are cut from the left; BOS and the answer are kept."})
      .add("bos", &DataConfig::bos,
           {.choices = {"model", "none", "always"},
            .text = "Whether BOS stands in front: as the tokenizer says, never, always."});
}

void declare_task(std::vector<Field>& fields) {
  GroupFields<TaskConfig>(fields, "task", &RunConfig::task)
      .add("name", &TaskConfig::name,
           {.text = "Built-in task (\"task\": \"sst2\" is short for this); empty = the keys below."})
      .add("prompt", &TaskConfig::prompt, {.text = "Template; {field} is replaced by that column of the data."})
      .add("candidates", &TaskConfig::candidates,
           {.text = "One answer per label, appended to the prompt as it stands (mind the leading blank)."})
      .add("labels", &TaskConfig::labels,
           {.text = "Value of the label column for each candidate; empty = \"0\", \"1\", ..."})
      .add("label_field", &TaskConfig::label_field, {.text = "Name of the label column."})
      .add("chat_template", &TaskConfig::chat_template,
           {.text = "Whether the prompt is a user's message inside the checkpoint's own chat template and a candidate "
                    "the beginning of the answer. BOS is then what the template says."});
}

void declare_output(std::vector<Field>& fields) {
  GroupFields<OutputConfig>(fields, "output", &RunConfig::output)
      .add("dir", &OutputConfig::dir,
           {.effect = Effect::kNone, .required = true, .text = "Run folder; must be absent unless --resume is given."})
      .add("tensorboard", &OutputConfig::tensorboard,
           {.effect = Effect::kNone, .text = "Also writes TensorBoard events."});
}

}  // namespace

const std::vector<Field>& all_fields() {
  static const std::vector<Field> fields = [] {
    std::vector<Field> out;
    declare_model(out);
    declare_method(out);
    declare_zo(out);
    declare_train(out);
    declare_data(out);
    declare_task(out);
    declare_output(out);
    return out;
  }();
  return fields;
}

}  // namespace qzo::config
