# The part `kernels`: portable bodies once, the vector bodies once per instruction set (files *_avx2.cpp, *_avx512.cpp),
# chosen at run time by CPU features. No file here may include torch.
file(GLOB kernel_sources CONFIGURE_DEPENDS
  ${CMAKE_SOURCE_DIR}/kernels/cpu/*.cpp ${CMAKE_SOURCE_DIR}/kernels/reference/*.cpp)
if(kernel_sources)
  add_library(qzo_kernels STATIC ${kernel_sources})
  target_include_directories(qzo_kernels PUBLIC $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:include> PRIVATE ${CMAKE_SOURCE_DIR}/kernels)
  target_link_libraries(qzo_kernels PUBLIC qzo_core PRIVATE $<BUILD_INTERFACE:qzo_warnings>)
  target_compile_options(qzo_kernels PRIVATE $<$<NOT:$<CONFIG:Debug>>:-O3>)
  foreach(source ${kernel_sources})
    if(source MATCHES "_avx2\\.cpp$")
      set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma;-mf16c;-mtune=znver3")
    elseif(source MATCHES "_avx512(vnni|bf16)?\\.cpp$")
      set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS
        "-mavx512f;-mavx512bw;-mavx512vl;-mavx512dq;-mavx2;-mfma;-mf16c;-mprfchw;-mprefer-vector-width=512")
      if(source MATCHES "_avx512(vnni|bf16)")
        set_property(SOURCE ${source} APPEND PROPERTY COMPILE_OPTIONS "-mavx512vnni")
      endif()
      if(source MATCHES "_avx512bf16")
        set_property(SOURCE ${source} APPEND PROPERTY COMPILE_OPTIONS "-mavx512bf16")
      endif()
    endif()
  endforeach()
else()
  add_library(qzo_kernels INTERFACE)
  target_link_libraries(qzo_kernels INTERFACE qzo_core)
endif()
