#include "qzo/cli/messages.h"

#include <filesystem>
#include <functional>
#include <new>
#include <stdexcept>
#include <string>

#include <c10/util/Exception.h>
#include <gtest/gtest.h>

namespace {

using qzo::core::ExitCode;

struct Outcome {
  int code;
  std::string printed;
};

Outcome run(const std::function<ExitCode()>& program) {
  testing::internal::CaptureStderr();
  const int code = qzo::cli::run_main(program);
  return {code, testing::internal::GetCapturedStderr()};
}

TEST(RunMain, the_code_of_the_program_and_no_words) {
  for (const ExitCode code : {ExitCode::kDone, ExitCode::kRunFailed, ExitCode::kInterrupted, ExitCode::kTerminated}) {
    const Outcome outcome = run([code] { return code; });
    EXPECT_EQ(outcome.code, static_cast<int>(code));
    EXPECT_EQ(outcome.printed, "");
  }
}

TEST(RunMain, each_kind_of_failure) {
  const auto thrown = [](auto error) { return run([&]() -> ExitCode { throw error; }); };
  Outcome outcome = thrown(qzo::core::UserError("bad key"));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.printed, "error: bad key\n");
  EXPECT_EQ(thrown(qzo::core::EnvironmentError("disk full")).code, 1);
  outcome = thrown(qzo::core::GuardError("loss is nan"));
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(outcome.printed, "stopped: loss is nan\n");
  outcome = thrown(qzo::core::InternalError("x.cpp:1"));
  EXPECT_EQ(outcome.code, 70);
  EXPECT_NE(outcome.printed.find("please report: x.cpp:1"), std::string::npos);
  EXPECT_EQ(thrown(std::bad_alloc()).code, 4);
  EXPECT_EQ(thrown(std::filesystem::filesystem_error("copy", std::make_error_code(std::errc::no_space_on_device))).code,
            1);
  outcome = thrown(std::out_of_range("vector"));
  EXPECT_EQ(outcome.code, 70);
  EXPECT_NE(outcome.printed.find("internal error, please report: vector"), std::string::npos);
  EXPECT_EQ(thrown(7).code, 70);
}

TEST(RunMain, lack_of_memory_in_libtorch) {
  EXPECT_EQ(run([]() -> ExitCode {
              TORCH_CHECK(false, "DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes.");
            }).code,
            4);
  EXPECT_EQ(run([]() -> ExitCode { TORCH_CHECK(false, "shapes differ"); }).code, 70);
}

}  // namespace
