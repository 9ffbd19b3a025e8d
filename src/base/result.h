// Results: how an error of the world (a file, a socket, a config line) travels to the code that owns the
// policy. A client's error is not one of these: see catalog/errors.h. Our own bug is a CHECK (base/check.h).
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace cinnabar {

// An error of the world. `code` is an errno value, or 0 when there is none.
struct [[nodiscard]] Error {
  std::string message;
  int code = 0;
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = std::expected<void, Error>;

inline std::unexpected<Error> Fail(std::string message, int code = 0) {
  return std::unexpected<Error>(Error{std::move(message), code});
}

}  // namespace cinnabar

// Yields the value of a Result, or returns its error from the enclosing function.
#define TRY(expression)                                                       \
  ({                                                                          \
    auto try_result_ = (expression);                                          \
    if (!try_result_) return std::unexpected(std::move(try_result_).error()); \
    std::move(try_result_).value();                                           \
  })

// The same for a Status, which carries no value.
#define TRY_STATUS(expression)                                                \
  do {                                                                        \
    auto try_status_ = (expression);                                          \
    if (!try_status_) return std::unexpected(std::move(try_status_).error()); \
  } while (false)
