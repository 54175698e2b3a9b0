# What find_package(qzo) gives: the target qzo::optim, its headers, and qzo::torch_optim, which is headers alone and leaves
# LibTorch to the program that uses it. The static libraries of the parts below come along; of what those depend on,
# nothing that optimizers use needs more than threads.
include(CMakePackageConfigHelpers)
add_library(qzo_torch_optim INTERFACE)
target_include_directories(qzo_torch_optim INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>
                                                     $<INSTALL_INTERFACE:include>)
target_link_libraries(qzo_torch_optim INTERFACE qzo_optim)
foreach(part core kernels io optim torch_optim)
  set_target_properties(qzo_${part} PROPERTIES EXPORT_NAME ${part})
  install(TARGETS qzo_${part} EXPORT qzo-targets ARCHIVE DESTINATION lib)
endforeach()
install(DIRECTORY include/qzo/optim include/qzo/torch_optim DESTINATION include/qzo)
install(FILES include/qzo/kernels/optim_state.h include/qzo/kernels/optim_step.h DESTINATION include/qzo/kernels)
install(FILES include/qzo/core/dtype.h include/qzo/core/error.h include/qzo/core/thread_pool.h include/qzo/core/zeroed_array.h
        DESTINATION include/qzo/core)
install(EXPORT qzo-targets NAMESPACE qzo:: DESTINATION lib/cmake/qzo)
file(WRITE ${CMAKE_BINARY_DIR}/generated/qzo-config.cmake
  "include(CMakeFindDependencyMacro)\nfind_dependency(Threads)\ninclude(\${CMAKE_CURRENT_LIST_DIR}/qzo-targets.cmake)\n")
write_basic_package_version_file(${CMAKE_BINARY_DIR}/generated/qzo-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/generated/qzo-config.cmake ${CMAKE_BINARY_DIR}/generated/qzo-config-version.cmake
        DESTINATION lib/cmake/qzo)
