"""Twenty steps beside the golden trajectories (QZO_ORACLES, default ../shared/oracles), then resuming and skipping. One line a
case: PASS, FAIL or SKIP."""

import copy
import json
import os
import pathlib
import struct
import sys

import torch

from qzo_optim import AdamW4bit, AdamW8bit

ORACLES = pathlib.Path(os.environ.get("QZO_ORACLES", pathlib.Path(__file__).resolve().parents[3] / "shared/oracles")) / "optim"
TYPES = {"F32": torch.float32, "F16": torch.float16, "U8": torch.uint8}
failed = False


def read(path):
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    tensors = {}
    for name, entry in json.loads(raw[8 : 8 + length]).items():
        if name != "__metadata__":
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            tensors[name] = torch.frombuffer(bytearray(raw[begin:end]), dtype=TYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def tell(name, good, detail=""):
    global failed
    failed |= not good
    print("PASS" if good else "FAIL", name, detail, flush=True)


def golden(name, make):
    inputs, want = read(ORACLES / "traj_inputs.safetensors"), read(ORACLES / f"traj_{name}.safetensors")
    params = {key.split("/")[1]: value.clone().requires_grad_() for key, value in inputs.items() if key.startswith("init/")}
    optimizer = make(params.values())
    worst = 0.0
    for step in range(1, 21):
        for key, p in params.items():
            p.grad = inputs[f"grad{step:02}/{key}"].float()
        optimizer.step()
        for key, p in params.items():
            if (snapshot := want.get(f"step{step:02}/{key}")) is not None:
                worst = max(worst, (p.detach() - snapshot).abs().max().item())
    codes = {key: value for key, value in want.items() if key.startswith("state20/") and key.endswith(".codes")}
    equal = all(torch.equal(optimizer.state[params[key.split("/")[1]]][key.split("/")[2].replace(".", "_")], value) for key, value in codes.items())
    tell(name, worst <= 2e-6 and equal and len(codes) > 0, f"worst parameter {worst:.1e}, {len(codes)} tensors of codes {'equal' if equal else 'DIFFER'}")


def train(p, optimizer, first, last):
    for step in range(first, last):
        p.grad = torch.randn(p.shape, generator=torch.Generator().manual_seed(step)).to(p.dtype)
        optimizer.step()


def resume(dtype):
    start = torch.randn(70, 256, generator=torch.Generator().manual_seed(0)).to(dtype)
    whole, first = start.clone().requires_grad_(), start.clone().requires_grad_()
    uninterrupted, stopped = AdamW4bit([whole]), AdamW4bit([first])
    train(whole, uninterrupted, 0, 6)
    train(first, stopped, 0, 3)
    second = first.detach().clone().requires_grad_()
    resumed = AdamW4bit([second])
    resumed.load_state_dict(copy.deepcopy(stopped.state_dict()))
    train(second, resumed, 3, 6)
    tell(f"resumes to the same bits, {dtype}", torch.equal(whole, second))


def skip():
    p = torch.ones(5000, requires_grad=True)
    optimizer = AdamW4bit([p], skip_nonfinite=True)
    p.grad = torch.full_like(p, float("nan"))
    optimizer.step()
    tell("a NaN changes nothing", bool((p == 1).all()) and optimizer.skipped_steps == 1)


def refuse():
    p = torch.ones(5000, 2, requires_grad=True)
    optimizer = AdamW4bit([p])
    train(p, optimizer, 0, 1)
    optimizer.state[p]["exp_avg_scales"] = optimizer.state[p]["exp_avg_scales"].double()
    try:
        train(p, optimizer, 1, 2)
        tell("a converted state is refused", False)
    except RuntimeError as error:
        tell("a converted state is refused", "was converted" in str(error))


if ORACLES.exists():
    settings = dict(lr=0.002, weight_decay=0.05)
    golden("adamw4bit_rank1", lambda params: AdamW4bit(params, **settings))
    golden("adamw4bit_block", lambda params: AdamW4bit(params, rank1=False, **settings))
    golden("adamw8bit_exact", lambda params: AdamW8bit(params, **settings))
else:
    print(f"SKIP golden trajectories: no {ORACLES}")
resume(torch.float32)
resume(torch.bfloat16)
skip()
refuse()
sys.exit(failed)
