#include "qzo/ops/threads.h"

#include <ATen/Parallel.h>

#include "qzo/core/thread_pool.h"

namespace qzo::ops {

void configure_threads(int threads) {
  core::set_thread_count(threads);
  core::set_thread_start_hook([] { at::set_num_threads(1); });  // OpenMP keeps the number per thread
}

}  // namespace qzo::ops
