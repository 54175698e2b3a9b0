#!/usr/bin/env python3
"""Checks that includes of our own headers point downwards only, as the table below (and the README's code map) says."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

ALLOWED = {
    "core": set(),
    "kernels": {"core"},
    "io": {"core"},
    "tokenizer": {"core"},
    "report": {"core"},
    "config": {"core"},
    "data": {"tokenizer", "core"},
    "tasks": {"data", "tokenizer", "core"},
    "quant": {"io", "kernels", "core"},
    "zo": {"kernels", "core"},
    "optim": {"io", "kernels", "core"},
    "torch_optim": {"optim", "core"},
    "ops": {"kernels", "core"},
    "nn": {"quant", "ops", "kernels", "core"},
    "models": {"nn", "quant", "ops", "io", "kernels", "core"},
    "quantize": {"models", "nn", "quant", "ops", "io", "kernels", "core"},
    "objectives": {"models", "nn", "tasks", "data", "zo", "quant", "ops", "kernels", "core"},
    "train": {"zo", "optim", "tasks", "data", "io", "quant", "kernels", "core"},
    "cli": {"train", "objectives", "quantize", "models", "nn", "tasks", "data", "tokenizer", "zo", "optim", "config", "report",
            "quant",
            "io", "ops", "kernels", "core"},
    "apps": {"cli", "core"},
}
TORCH_FREE = {"core", "kernels", "io", "tokenizer", "data", "tasks", "quant", "zo", "optim", "report", "config",
              "train"}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]')


def part_of(path: pathlib.Path) -> str | None:
    parts = path.relative_to(ROOT).parts
    if parts[0] == "include":
        return parts[2]
    if parts[0] == "src":
        return parts[1]
    return "kernels" if parts[0] == "kernels" else None


def problems_of(path: pathlib.Path) -> list[str]:
    part = part_of(path)
    if part is None:
        return []
    if part not in ALLOWED:
        return [f"{path.relative_to(ROOT)}: part '{part}' is not in the table of {pathlib.Path(__file__).name}"]
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match.group(1)
        where = f"{path.relative_to(ROOT)}:{number}"
        if target.startswith("qzo/"):
            used = target.split("/")[1]
            if used != part and used not in ALLOWED[part]:
                found.append(f"{where}: {part} may not include {used} ({target})")
        elif target.split("/")[0] in ("ATen", "c10", "torch") and part in TORCH_FREE:
            found.append(f"{where}: {part} may not include torch ({target})")
        elif target.startswith("spdlog") and path.name != "log.cpp":
            found.append(f"{where}: spdlog belongs into src/core/log.cpp only")
    return found


def main() -> int:
    files = [p for folder in ("include", "src", "kernels") for p in (ROOT / folder).rglob("*") if p.suffix in (".h", ".cpp")]
    found = [problem for path in sorted(files) for problem in problems_of(path)]
    print("\n".join(found) if found else f"check_layers: {len(files)} files, includes point downwards only")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
