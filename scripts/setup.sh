#!/usr/bin/env bash
# Installs what qzo needs: Debian packages, and LibTorch 2.11.0 unpacked into build/libtorch. Safe to run again: what is
# there is kept. To use a LibTorch of your own, set TORCH_ROOT (the folder with include/ and lib/); nothing is downloaded then.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf 'setup: %s\n' "$*"; }

packages=(g++ cmake ninja-build pkg-config git ca-certificates unzip python3 python3-pip
          libcli11-dev nlohmann-json3-dev libspdlog-dev libonig-dev libutf8proc-dev libxxhash-dev
          libgtest-dev)
# Only the tests and checks need these (scripts/test.sh asks for them).
[ "${QZO_SETUP_TESTS:-0}" = 1 ] && packages+=(clang libclang-rt-14-dev clang-format clang-tidy ccache python3-venv)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  say "all ${#packages[@]} Debian packages are installed"
else
  command -v apt-get >/dev/null || { say "this script knows Debian and its children only; please install: ${missing[*]}"; exit 2; }
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { say "not root and no sudo; please install as root: apt-get install ${missing[*]}"; exit 2; }
    as_root=(sudo)
  fi
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

if [ -n "${TORCH_ROOT:-}" ]; then
  [ -e "$TORCH_ROOT/lib/libtorch_cpu.so" ] || { say "TORCH_ROOT=$TORCH_ROOT has no lib/libtorch_cpu.so"; exit 2; }
  say "using the LibTorch in TORCH_ROOT=$TORCH_ROOT"
  exit 0
fi

if [ -e build/libtorch/DONE ] && cmp -s scripts/libtorch.lock build/libtorch/DONE; then
  say "LibTorch 2.11.0 is in build/libtorch"
  exit 0
fi
work=build/libtorch.tmp
rm -rf "$work" build/libtorch
mkdir -p "$work/wheels"
say "fetching LibTorch 2.11.0 (three wheels, 544 MB, SHA-256 pinned in scripts/libtorch.lock)"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-cache-dir --only-binary=:all: --require-hashes \
  --implementation cp --python-version 3.11 --abi cp311 --abi none \
  --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 --platform manylinux2014_x86_64 \
  --dest "$work/wheels" -r scripts/libtorch.lock
say "unpacking headers and CPU libraries"
for wheel in "$work"/wheels/torch-*.whl; do
  unzip -q "$wheel" 'torch/include/*' torch/lib/libtorch_cpu.so torch/lib/libc10.so torch/lib/libgomp.so.1 -d "$work"
done
for wheel in "$work"/wheels/nvidia_cuda_*.whl; do
  unzip -q -o "$wheel" 'nvidia/cu13/lib/libcudart.so*' 'nvidia/cu13/lib/libcupti.so*' -d "$work" 2>/dev/null || {
    [ $? -le 11 ] && [ -d "$work/nvidia" ]; }
done
rm -rf "$work/wheels"
for library in torch/lib/libtorch_cpu.so torch/lib/libc10.so nvidia/cu13/lib/libcudart.so.13 nvidia/cu13/lib/libcupti.so.13; do
  [ -e "$work/$library" ] || { say "the wheels did not contain $library"; exit 1; }
done
cp scripts/libtorch.lock "$work/DONE"
mv "$work" build/libtorch
say "LibTorch 2.11.0 is in build/libtorch ($(du -sh build/libtorch | cut -f1))"
