#!/usr/bin/env python3
"""Runs everything that can fail and ends with one line: N passed, N failed, N skipped.

    run_tests.py tests BIN_DIR     every *_tests program in a folder (GoogleTest)
    run_tests.py fuzz BIN_DIR      every *_fuzz program, 30 seconds each, two at a time
    run_tests.py interop           tuned checkpoints in the libraries that own their formats (scripts/interop)
    run_tests.py library           installs the optimizers, builds and runs examples/ against them
    run_tests.py cuda              compiles the CUDA kernels, where nvcc is (nothing is run on a device)
    run_tests.py python            installs the Python package with the torch that QZO_PYTHON has, and runs its test
    run_tests.py check             layers, sizes, formatting
    run_tests.py tidy              clang-tidy over the parts without torch (needs the build of the preset fuzz)
    run_tests.py sum               adds up what the calls before counted

Counts are kept in build/test-counts, one file a call.
"""

import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
COUNTS = ROOT / "build/test-counts"
FUZZ_SECONDS = int(os.environ.get("QZO_FUZZ_SECONDS", "30"))


def record(name: str, passed: int, failed: int, skipped: int) -> int:
    COUNTS.mkdir(parents=True, exist_ok=True)
    (COUNTS / f"{name}.json").write_text(json.dumps([passed, failed, skipped]))
    print(f"{name}: {passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed else 0


def skip_reasons(output: str) -> dict[str, str]:
    """The JSON report of GoogleTest 1.12 does not say why a test was skipped; its output does."""
    reasons, name, lines = {}, "", output.splitlines()
    for line, following in zip(lines, lines[1:]):
        if line.startswith("[ RUN      ] "):
            name = line.removeprefix("[ RUN      ] ")
        elif line.endswith(": Skipped"):
            reasons[name] = following
    return reasons


def gtest(program: pathlib.Path) -> tuple[int, int, int]:
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.json"
        started = time.time()
        run = subprocess.run([program, f"--gtest_output=json:{report}"], text=True, errors="replace",
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            suites = json.loads(report.read_text())["testsuites"]
        except (OSError, ValueError):
            print(f"{program.name}: no report, exit {run.returncode}\n{run.stdout[-4000:]}")
            return 0, 1, 0
    reasons = skip_reasons(run.stdout)
    passed = failed = skipped = 0
    for suite in suites:
        for test in suite["testsuite"]:
            name = f"{program.name}: {suite['name']}.{test['name']}"
            if test.get("failures"):
                failed += 1
                print(f"FAILED {name}")
            elif test.get("result") == "SKIPPED":
                skipped += 1
                reason = reasons.get(f"{suite['name']}.{test['name']}", "no reason given")
                print(f"skipped {name}: {reason[:200]}")
            else:
                passed += 1
    if failed or run.returncode not in (0, 1):
        told = [line for line in run.stdout.splitlines() if not line.startswith(("[ RUN ", "[       OK ", "[------"))]
        print("\n".join(told)[-8000:])
    if run.returncode != 0 and not failed:
        failed += 1
    print(f"{program.name}: {passed} passed, {failed} failed, {skipped} skipped ({time.time() - started:.0f} s)", flush=True)
    return passed, failed, skipped


def run_gtests(folder: pathlib.Path) -> int:
    programs = sorted(folder.glob("*_tests"))
    if not programs:
        return record(f"tests-{folder.parent.name}", 0, 1, 0)
    totals = [sum(column) for column in zip(*map(gtest, programs))]
    return record(f"tests-{folder.parent.name}", *totals)


def seeds_for(name: str, corpus: pathlib.Path) -> None:
    tiny, made = ROOT / "tests/data/tiny", ROOT / "tests/data/fuzz"
    chosen = {
        "gguf_fuzz": [tiny / "tiny.gguf"],
        "safetensors_fuzz": [tiny / "gptq/model.safetensors"],
        "tokenizer_json_fuzz": [tiny / "gptq/tokenizer.json", *sorted(made.glob("*.tokenizer.json"))],
        "tokenizer_model_fuzz": sorted(made.glob("*.model")),
        "chat_template_fuzz": sorted(made.glob("*.jinja")),
        "config_fuzz": sorted((ROOT / "configs").glob("*.json")),
        "weight_fuzz": [*sorted(made.glob("*.safetensors")), *sorted(made.glob("*.layer"))],
        "journal_fuzz": sorted((ROOT / "tests/data").glob("**/journal.bin")),
    }.get(name, [])
    corpus.mkdir(parents=True, exist_ok=True)
    for source in chosen:
        # The heads of big files: the tables that parsers read, small enough to mutate fast.
        (corpus / f"{source.parent.name}-{source.name}").write_bytes(source.read_bytes()[: 1 << 16])


def fuzz(program: pathlib.Path) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        corpus = pathlib.Path(folder) / "corpus"
        seeds_for(program.name, corpus)
        run = subprocess.run([program, f"-max_total_time={FUZZ_SECONDS}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1",
                              f"-artifact_prefix={folder}/", corpus], text=True, errors="replace",
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        executed = next((line.split()[-1] for line in run.stdout.splitlines() if "number_of_executed_units" in line), "?")
        print(f"{program.name}: {FUZZ_SECONDS} s, {executed} inputs, {'no finding' if run.returncode == 0 else 'FINDING'}", flush=True)
        if run.returncode != 0:
            print(run.stdout[-6000:])
            kept = ROOT / "build/fuzz-findings"
            kept.mkdir(parents=True, exist_ok=True)
            for artifact in pathlib.Path(folder).glob("*-*"):
                if artifact.is_file():
                    shutil.copy(artifact, kept / f"{program.name}-{artifact.name}")
        return run.returncode == 0


def run_fuzzers(folder: pathlib.Path) -> int:
    programs = sorted(folder.glob("*_fuzz"))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(fuzz, programs))
    return record("fuzz", sum(results), len(results) - sum(results) + (not results), 0)


def proofs(script: pathlib.Path) -> tuple[int, int, int]:
    """One line a case (scripts/interop/proof.py)."""
    started = time.time()
    run = subprocess.run([ROOT / "build/interop-venv/bin/python", script], text=True, errors="replace", stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    lines = [line for line in run.stdout.splitlines() if line.startswith(("PASS ", "FAIL ", "SKIP "))]
    passed, failed, skipped = (sum(line.startswith(word) for line in lines) for word in ("PASS", "FAIL", "SKIP"))
    if not lines or (run.returncode != 0) != (failed > 0):
        failed += 1
        lines.append(f"FAIL {script.name}: exit {run.returncode}: {run.stderr.strip()[-2000:]}")
    print("\n".join(lines) + f"\n{script.stem}: {passed} passed, {failed} failed, {skipped} skipped ({time.time() - started:.0f} s)",
          flush=True)
    return passed, failed, skipped


def interop() -> int:
    setup = subprocess.run([ROOT / "scripts/interop/setup.sh"], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if setup.returncode != 0:
        reason = (setup.stdout.strip() or "no word").splitlines()[-1]
        print(f"skipped interop: its Python packages could not be installed: {reason[:200]}")
        return record("interop", 0, 0, 1)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(proofs, sorted((ROOT / "scripts/interop").glob("load_*.py"))))
    return record("interop", *(sum(column) for column in zip(*counts)))


def succeeds(*command: str | pathlib.Path) -> bool:
    run = subprocess.run(command, text=True, errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if run.returncode != 0:
        print(f"FAILED {' '.join(map(str, command))}\n{run.stdout[-6000:]}", flush=True)
    return run.returncode == 0


def library() -> int:
    """As a user would: build, install, find_package, run."""
    torch_root = os.environ.get("TORCH_ROOT", str(ROOT / "build/libtorch/torch"))
    library, example = ROOT / "build/library", ROOT / "build/example"
    with tempfile.TemporaryDirectory() as prefix:
        steps = [("cmake", "-S", ROOT, "-B", library, "-G", "Ninja", "-DQZO_ONLY_OPTIM=ON", "-DCMAKE_BUILD_TYPE=Release"),
                 ("cmake", "--build", library),
                 ("cmake", "--install", library, "--prefix", prefix),
                 ("cmake", "-S", ROOT / "examples/adamw4bit", "-B", example, "-G", "Ninja", "--fresh",
                  f"-DCMAKE_PREFIX_PATH={prefix}", f"-DTORCH_ROOT={torch_root}", "-DCMAKE_BUILD_TYPE=Release"),
                 ("cmake", "--build", example, "--clean-first"),
                 (example / "adamw4bit",)]
        good = all(succeeds(*step) for step in steps)
    return record("library", int(good), int(not good), 0)


def cuda() -> int:
    nvcc = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
    if nvcc is None:
        print("skipped cuda: no nvcc (CUDA toolkit) on this machine")
        return record("cuda", 0, 0, 1)
    steps = [("cmake", "-S", ROOT, "-B", ROOT / "build/cuda", "-G", "Ninja", "-DQZO_ONLY_OPTIM=ON", "-DQZO_CUDA=ON",
              "-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_CUDA_COMPILER={nvcc}"),
             ("cmake", "--build", ROOT / "build/cuda", "--target", "qzo_kernels_cuda")]
    good = all(succeeds(*step) for step in steps)
    return record("cuda", int(good), int(not good), 0)


def python_package() -> int:
    interop = ROOT / "build/interop-venv/bin/python"
    python = os.environ.get("QZO_PYTHON", interop if interop.exists() else "python3")
    found = subprocess.run([python, "-c", "import importlib.util as u; exit(u.find_spec('torch') is None)"], capture_output=True)
    if found.returncode != 0:
        print(f"skipped python: {python} has no torch (name one that has in QZO_PYTHON)")
        return record("python", 0, 0, 1)
    # Beside the environment's packages, not among them, so that it stays as its list says.
    place, tools = ROOT / "build/python-package", ROOT / "build/python-tools"
    for folder in (place, tools):
        shutil.rmtree(folder, ignore_errors=True)
    install = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target")
    if not succeeds(*install, tools, "setuptools>=70.1"):
        print("skipped python: setuptools cannot be fetched")
        return record("python", 0, 0, 1)
    os.environ["PYTHONPATH"] = str(tools)
    if not succeeds(*install, place, "--no-build-isolation", "--no-deps", ROOT / "python"):
        return record("python", 0, 1, 0)
    # A torch without its CUDA libraries (scripts/interop/setup.sh) loads if nothing looks up their symbols.
    lazily = "import os, runpy, sys; sys.setdlopenflags(os.RTLD_LAZY); runpy.run_path(sys.argv[1], run_name='__main__')"
    run = subprocess.run([python, "-c", lazily, ROOT / "python/tests/trajectory.py"], text=True, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, env=os.environ | {"PYTHONPATH": str(place), "TORCHDYNAMO_DISABLE": "1"})
    print(run.stdout, flush=True)
    counts = [sum(line.startswith(word) for line in run.stdout.splitlines()) for word in ("PASS ", "FAIL ", "SKIP ")]
    if run.returncode != 0 and counts[1] == 0:
        counts[1] = 1
    return record("python", *counts)


def sources(*suffixes: str) -> list[pathlib.Path]:
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"], text=True, check=True, capture_output=True).stdout
    return [ROOT / line for line in listed.splitlines() if line.endswith(suffixes) and (ROOT / line).exists()]


def tidy() -> bool:
    """clang-tidy on every source of ours that the fuzz preset compiles (clang flags, no torch)."""
    database = ROOT / "build/fuzz"
    known = {entry["file"] for entry in json.loads((database / "compile_commands.json").read_text())}
    files = [str(f) for f in sources(".cpp") if str(f) in known and "tests" not in f.parts]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        runs = list(pool.map(lambda f: subprocess.run(["clang-tidy", "-quiet", "-p", database, f], text=True, stdout=subprocess.PIPE,
                                                      stderr=subprocess.DEVNULL), files))
    for run in runs:
        if run.returncode:
            print(run.stdout[-3000:])
    return all(run.returncode == 0 for run in runs)


def check() -> int:
    steps = {
        "layers": lambda: subprocess.run([sys.executable, ROOT / "scripts/check_layers.py"]).returncode == 0,
        "sizes": lambda: subprocess.run([sys.executable, ROOT / "scripts/check_sizes.py"]).returncode == 0,
        "format": lambda: subprocess.run(["clang-format", "--dry-run", "-Werror", *sources(".cpp", ".h")]).returncode == 0,
    }
    passed = 0
    for name, step in steps.items():
        good = step()
        print(f"check {name}: {'ok' if good else 'FAILED'}", flush=True)
        passed += good
    return record("check", passed, len(steps) - passed, 0)


def total() -> int:
    counts = [json.loads(file.read_text()) for file in sorted(COUNTS.glob("*.json"))]
    passed, failed, skipped = (sum(column) for column in zip(*counts)) if counts else (0, 1, 0)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


def main() -> int:
    match sys.argv[1:]:
        case ["tests", folder]:
            return run_gtests(pathlib.Path(folder).resolve())
        case ["fuzz", folder]:
            return run_fuzzers(pathlib.Path(folder).resolve())
        case ["interop"]:
            return interop()
        case ["library"]:
            return library()
        case ["cuda"]:
            return cuda()
        case ["python"]:
            return python_package()
        case ["check"]:
            return check()
        case ["tidy"]:
            return 0 if tidy() else 1
        case ["sum"]:
            return total()
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main())
