# Everything from outside, named once.
find_package(Threads REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(spdlog REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
if(NOT QZO_ONLY_OPTIM)
  find_package(CLI11 REQUIRED)
  pkg_check_modules(oniguruma REQUIRED IMPORTED_TARGET oniguruma)
  pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

if(QZO_TORCH)
  if(NOT EXISTS ${TORCH_ROOT}/lib/libtorch_cpu.so)
    message(FATAL_ERROR "No LibTorch in TORCH_ROOT=${TORCH_ROOT} (lib/libtorch_cpu.so is missing). "
                        "Run scripts/setup.sh, or pass -DTORCH_ROOT=<folder with include/ and lib/ of LibTorch 2.11.0>.")
  endif()
  # The libraries are linked directly: the CMake package of the wheel insists on a CUDA toolkit even for CPU programs.
  add_library(torch_cpu_only INTERFACE)
  target_include_directories(torch_cpu_only SYSTEM INTERFACE
    ${TORCH_ROOT}/include ${TORCH_ROOT}/include/torch/csrc/api/include)
  target_link_libraries(torch_cpu_only INTERFACE ${TORCH_ROOT}/lib/libtorch_cpu.so ${TORCH_ROOT}/lib/libc10.so)
  set(cuda_stub_libs "${TORCH_ROOT}/../nvidia/cu13/lib")
  target_link_options(torch_cpu_only INTERFACE
    -Wl,-rpath,${TORCH_ROOT}/lib -Wl,-rpath-link,${TORCH_ROOT}/lib
    -Wl,-rpath,${cuda_stub_libs} -Wl,-rpath-link,${cuda_stub_libs})
endif()
