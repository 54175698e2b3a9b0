#!/usr/bin/env python3
"""Makes the tiny model and data set under tests/data/tiny: a Llama of about 0.3 M parameters, trained from scratch on text
that this script generates, quantized to GPTQ (4 bit, group 32, symmetric, round to nearest) and to GGUF (Q4_1 and Q4_0).

Needs Python with torch, transformers, tokenizers, safetensors, gguf, numpy; run once, the result is committed.
Same seed, same text; the weights depend on the torch build.
"""

import argparse
import json
import pathlib
import random

import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

GROUP = 32
NOUNS = ["soup", "bread", "room", "bed", "waiter", "garden", "film", "song", "road", "boat", "coffee", "view", "story",
         "ending", "chair", "lamp", "market", "train", "beach", "cake"]
GOOD = ["warm", "fresh", "lovely", "bright", "kind", "clean", "tasty", "calm", "clever", "gentle"]
BAD = ["cold", "stale", "ugly", "dark", "rude", "dirty", "bitter", "noisy", "dull", "broken"]
MILD = ["small", "old", "tall", "round", "wooden", "quiet", "new", "long"]
OPENINGS = ["the", "our", "this", "that", "their"]


def clause(rng: random.Random, positive: bool) -> str:
    words = GOOD if positive else BAD
    mild = f"{rng.choice(MILD)} " if rng.random() < 0.4 else ""
    extra = f" and {rng.choice(words)}" if rng.random() < 0.4 else ""
    return f"{rng.choice(OPENINGS)} {mild}{rng.choice(NOUNS)} was {rng.choice(words)}{extra}"


def review(rng: random.Random, positive: bool) -> str:
    count = rng.choice([1, 2, 2, 3])
    # One clause may disagree with the verdict, so that a single word does not decide.
    signs = [positive] * count
    if count == 3 and rng.random() < 0.5:
        signs[rng.randrange(2)] = not positive
    joiner = rng.choice([" , ", " but " if len(set(signs)) == 2 else " and ", " . "])
    return joiner.join(clause(rng, sign) for sign in signs)


def corpus(rng: random.Random, lines: int) -> list[str]:
    """Reviews with a verdict that is right in 8 of 10 cases only: something is left for fine-tuning to learn."""
    out = []
    for _ in range(lines):
        positive = rng.random() < 0.5
        told = positive if rng.random() < 0.8 else not positive
        out.append(f"{review(rng, positive)} . overall it was {'good' if told else 'bad'} .")
    return out


def make_tokenizer(text: list[str], vocab: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab, special_tokens=["<|begin|>", "<|end|>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(text, trainer)
    return tokenizer


def train(tokenizer: Tokenizer, text: list[str], steps: int) -> LlamaForCausalLM:
    config = LlamaConfig(vocab_size=tokenizer.get_vocab_size(), hidden_size=64, intermediate_size=192, num_hidden_layers=5,
                         num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256, rope_theta=10000.0,
                         tie_word_embeddings=True, bos_token_id=0, eos_token_id=1)
    model = LlamaForCausalLM(config)
    ids = [[0] + tokenizer.encode(line).ids + [1] for line in text]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    rng = random.Random(2)
    for step in range(steps):
        batch = [ids[rng.randrange(len(ids))] for _ in range(32)]
        width = max(map(len, batch))
        tokens = torch.tensor([row + [1] * (width - len(row)) for row in batch])
        labels = torch.tensor([row + [-100] * (width - len(row)) for row in batch])
        logits = model(input_ids=tokens).logits[:, :-1]
        nll = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels[:, 1:], reduction="none")
        # The verdict stands third from the end (verdict, full stop, end): one token of thirty, so it gets more weight.
        verdict = torch.tensor([len(row) - 4 for row in batch])[:, None]
        loss = nll.sum() / (labels[:, 1:] >= 0).sum() + nll.gather(1, verdict).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 200 == 0 or step == steps - 1:
            print(f"step {step}: loss {loss.item():.4f}")
    return model.eval()


def gptq_tensors(name: str, weight: torch.Tensor) -> dict[str, torch.Tensor]:
    """Symmetric 4-bit codes by rounding to nearest; v1 layout (stored zero = 7)."""
    out, width = weight.shape
    groups = weight.reshape(out, width // GROUP, GROUP)
    scale = (groups.abs().amax(-1) / 7.5).clamp(min=1e-4).half()
    codes = torch.clamp(torch.round(groups / scale.float()[..., None]) + 8, 0, 15).to(torch.int64).reshape(out, width).T
    shifts = torch.arange(8) * 4
    packed = (codes.reshape(width // 8, 8, out) << shifts[None, :, None]).sum(1)
    packed = torch.where(packed >= 2**31, packed - 2**32, packed).to(torch.int32)
    return {
        f"{name}.qweight": packed.contiguous(),
        f"{name}.qzeros": torch.full((width // GROUP, out // 8), 0x77777777, dtype=torch.int32),
        f"{name}.scales": scale.T.contiguous(),
        f"{name}.g_idx": (torch.arange(width) // GROUP).to(torch.int32),
    }


def write_gptq(folder: pathlib.Path, model: LlamaForCausalLM, tokenizer: Tokenizer) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for name, value in model.state_dict().items():
        if name == "lm_head.weight":
            continue
        if name.endswith("_proj.weight"):
            tensors |= gptq_tensors(name.removesuffix(".weight"), value.float())
        else:
            tensors[name] = value.half()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 192,
        "num_hidden_layers": 5, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_act": "silu",
        "max_position_embeddings": 256, "rms_norm_eps": model.config.rms_norm_eps, "rope_theta": 10000.0,
        "tie_word_embeddings": True, "vocab_size": model.config.vocab_size, "bos_token_id": 0, "eos_token_id": 1,
        "torch_dtype": "float16",
        "quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": GROUP, "desc_act": False, "sym": True,
                                "checkpoint_format": "gptq"},
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"bos_token": "<|begin|>", "eos_token": "<|end|>", "add_bos_token": True,
         "tokenizer_class": "PreTrainedTokenizerFast"}, indent=2) + "\n")


def rope_rows(weight: np.ndarray, heads: int) -> np.ndarray:
    """q and k rows in the interleaved order that GGUF files of the Llama family have."""
    out, width = weight.shape
    return weight.reshape(heads, 2, out // heads // 2, width).swapaxes(1, 2).reshape(out, width)


def write_gguf(file: pathlib.Path, model: LlamaForCausalLM, tokenizer: Tokenizer) -> None:
    config = model.config
    writer = gguf.GGUFWriter(str(file), "llama")
    writer.add_name("qzo tiny")
    writer.add_context_length(256)
    writer.add_embedding_length(64)
    writer.add_block_count(5)
    writer.add_feed_forward_length(192)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(16)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config.vocab_size)
    vocab = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in
              json.loads(tokenizer.to_str())["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([token for token, _ in vocab])
    writer.add_token_types([3 if index < 2 else 1 for _, index in vocab])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(True)
    names = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
             "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
             "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
    kinds = gguf.GGMLQuantizationType
    for name, tensor in model.state_dict().items():
        value = tensor.float().numpy()
        if name == "lm_head.weight":
            continue
        if name == "model.embed_tokens.weight":
            writer.add_tensor("token_embd.weight", gguf.quantize(value, kinds.Q8_0), raw_dtype=kinds.Q8_0)
        elif name == "model.norm.weight":
            writer.add_tensor("output_norm.weight", value)
        else:
            layer, stem = name.removeprefix("model.layers.").removesuffix(".weight").split(".", 1)
            target = f"blk.{layer}.{names[stem]}.weight"
            if value.ndim == 1:
                writer.add_tensor(target, value)
                continue
            if stem.endswith(("q_proj", "k_proj")):
                value = rope_rows(value, 4 if stem.endswith("q_proj") else 2)
            kind = kinds.Q4_0 if stem.endswith("down_proj") else kinds.Q4_1
            writer.add_tensor(target, gguf.quantize(value, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_reviews(folder: pathlib.Path, rng: random.Random) -> None:
    seen = set()
    for name, count in (("train", 400), ("dev", 100), ("test", 200)):
        lines = []
        while len(lines) < count:
            positive = rng.random() < 0.5
            text = review(rng, positive)
            if text not in seen:
                seen.add(text)
                lines.append(json.dumps({"text": text, "label": int(positive)}))
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent / "tests/data/tiny")
    parser.add_argument("--steps", type=int, default=2500)
    arguments = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(1)
    rng = random.Random(1)
    text = corpus(rng, 20000)
    tokenizer = make_tokenizer(text, 384)
    model = train(tokenizer, text, arguments.steps)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {tokenizer.get_vocab_size()} tokens")
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_gptq(arguments.out / "gptq", model, tokenizer)
    write_gguf(arguments.out / "tiny.gguf", model, tokenizer)
    write_reviews(arguments.out, rng)


if __name__ == "__main__":
    main()
