# The CUDA kernels: every file for every architecture. Their bodies stand in headers, which tests run on the host.
set(CMAKE_CUDA_ARCHITECTURES 80 86 89 90 CACHE STRING "CUDA architectures")
enable_language(CUDA)
# CMake 3.25 does not know that recent compilers speak C++20.
foreach(kind STANDARD EXTENSION)
  if(NOT CMAKE_CUDA20_${kind}_COMPILE_OPTION)
    set(CMAKE_CUDA20_${kind}_COMPILE_OPTION "-std=c++20")
  endif()
endforeach()
file(GLOB cuda_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kernels/cuda/*.cu)
add_library(qzo_kernels_cuda STATIC ${cuda_sources})
target_include_directories(qzo_kernels_cuda PRIVATE ${CMAKE_SOURCE_DIR}/kernels)
target_link_libraries(qzo_kernels_cuda PUBLIC qzo_kernels)
# -fmad=false: the compiler fuses nothing on its own. Spilled registers are an error.
target_compile_options(qzo_kernels_cuda PRIVATE -fmad=false -lineinfo -Werror all-warnings -Xptxas -warn-spills,-Werror)
