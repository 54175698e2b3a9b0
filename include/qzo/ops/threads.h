#pragma once
// One set of worker threads for everything: ours. LibTorch runs single-threaded inside each of them.

namespace qzo::ops {

// threads: of core::parallel_for; 0 = as many as the process may run on. LibTorch's own loops are set to one thread in
// the caller and in every worker. Call once at the start of a program, before any tensor work.
void configure_threads(int threads);

}  // namespace qzo::ops
