# One list of warnings for every target of ours; all of them are errors. (Not in sanitizer builds: the instrumentation
# makes gcc 12 report its own headers.)
add_library(qzo_warnings INTERFACE)
target_compile_options(qzo_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wunused-result -Wnon-virtual-dtor
  -Woverloaded-virtual -Wcast-align -Wnull-dereference)
if(NOT QZO_SANITIZE AND NOT QZO_FUZZERS)
  target_compile_options(qzo_warnings INTERFACE -Werror)
endif()
# gcc 12 reports null dereferences and array bounds inside its own headers when it inlines them.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(qzo_warnings INTERFACE -Wno-null-dereference -Wno-array-bounds -Wno-stringop-overflow
    -Wno-restrict -Wno-maybe-uninitialized)
endif()
# The same bits on every machine: the compiler may not fuse a multiply and an add on its own.
target_compile_options(qzo_warnings INTERFACE -ffp-contract=off)
