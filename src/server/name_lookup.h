// NameLookup: the numeric address of a host name, without waiting for it.
//
// The system's resolver blocks, for as long as it likes. So it is asked on a thread for which nobody waits,
// not even the end of the process. A question that is not answered (it was asked before the name was known,
// or the server of names is gone) does not keep us from asking again: the first good answer counts.
//
// One thread, the owner's, which looks for the answer from time to time.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace cinnabar::server {

// An IPv4 or IPv6 address as numbers.
bool IsNumericAddress(const std::string& host);

// Any thread. May take long.
Result<std::string> ResolveName(const std::string& host);

class NameLookup {
 public:
  using Resolver = Result<std::string> (*)(const std::string& host);
  explicit NameLookup(Resolver resolve = ResolveName) : resolve_(resolve) {}

  // Asks. The answer to what was asked before is of no interest any more.
  void Begin(const std::string& host, Millis now);
  void Forget() { questions_.clear(); }
  // The answer, once; an error when every question has failed. None: not yet, or nothing was asked.
  std::optional<Result<std::string>> Take(Millis now);

 private:
  struct Question {
    Result<std::string> answer = std::string();
    std::atomic<bool> answered{false};
  };
  void Ask(Millis now);

  Resolver resolve_;
  std::string host_;
  std::vector<std::shared_ptr<Question>> questions_;  // without an answer
  Millis asked_at_ = 0;                               // the last one
};

}  // namespace cinnabar::server
