#pragma once
// A fixed set of worker threads. Work is cut into pieces by the caller, never by the number of threads, so results do
// not depend on it: each piece writes its own output.

#include <cstdint>
#include <functional>

namespace qzo::core {

// Number of threads that parallel_for uses, the caller included. 0 = as many as the process may run on.
// Call before the first parallel_for of the run or between two; not from inside one.
void set_thread_count(int threads);
int thread_count();

// Run once in every worker thread when it starts (and at once in the caller): thread-local settings of libraries.
void set_thread_start_hook(std::function<void()> hook);

// Calls body(piece, worker) for every piece in [0, pieces); worker in [0, thread_count()) identifies scratch space.
// Returns when all are done. The first exception thrown by a piece is rethrown here. Not reentrant: a body that calls
// parallel_for again runs the inner pieces serially on its own thread (worker index unchanged). EnvironmentError if the
// system refuses the threads.
void parallel_for(std::int64_t pieces, const std::function<void(std::int64_t piece, int worker)>& body);

}  // namespace qzo::core
