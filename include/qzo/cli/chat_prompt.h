#pragma once
// task.chat_template: prompts inside the chat template that the checkpoint brings.

#include "qzo/config/run_config.h"
#include "qzo/io/checkpoint.h"
#include "qzo/tasks/classification.h"
#include "qzo/tokenizer/tokenizer.h"

namespace qzo::cli {

// How the examples of a run are encoded. With task.chat_template a prompt is the only message, the user's, followed by
// what opens the assistant's answer (the template's add_generation_prompt). The template stands in a GGUF file under
// tokenizer.chat_template, in a folder where read_chat_template looks for it. UserError if there is none.
tasks::EncodeOptions encode_options(const config::RunConfig& config, const io::Checkpoint& checkpoint,
                                    const tokenizer::Tokenizer& tokenizer);

}  // namespace qzo::cli
