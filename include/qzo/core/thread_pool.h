#pragma once
// A fixed set of worker threads. Work is cut into pieces by the caller, never by the number of threads, so results do
// not depend on it: each piece writes its own output.

#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>

namespace qzo::core {

// Number of threads that parallel_for uses, the caller included. 0 = as many as the process may run on.
// Call before the first parallel_for of the run or between two; not from inside one.
void set_thread_count(int threads);
int thread_count();

// Run once in every worker thread when it starts (and at once in the caller): thread-local settings of libraries.
void set_thread_start_hook(std::function<void()> hook);

// A body of a parallel loop, looked at: unlike std::function it never allocates, however much the body captures. The
// body must outlive it.
class PieceBody {
 public:
  template <class Body>
  requires(!std::is_same_v<std::remove_cvref_t<Body>, PieceBody>)
      PieceBody(const Body& body)  // NOLINT(google-explicit-constructor): a lambda is meant to be passed as it is
      : body_(std::addressof(body)), call_([](const void* self, std::int64_t piece, int worker) {
          (*static_cast<const Body*>(self))(piece, worker);
        }) {}
  void operator()(std::int64_t piece, int worker) const { call_(body_, piece, worker); }

 private:
  const void* body_;
  void (*call_)(const void*, std::int64_t, int);
};

// Calls body(piece, worker) for every piece in [0, pieces); worker in [0, thread_count()) identifies scratch space.
// Returns when all are done. The first exception thrown by a piece is rethrown here. Not reentrant: a body that calls
// parallel_for again runs the inner pieces serially on its own thread (worker index unchanged). EnvironmentError if the
// system refuses the threads.
void parallel_for(std::int64_t pieces, PieceBody body);

}  // namespace qzo::core
