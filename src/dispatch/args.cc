#include "dispatch/args.h"

#include "base/ascii.h"
#include "base/numbers.h"
#include "catalog/errors.h"
#include "dispatch/call.h"

namespace cinnabar::dispatch {

bool SameWord(std::string_view word, std::string_view upper) {
  return cinnabar::SameWord(word, upper);
}

Args::Args(const Call& call, size_t next)
    : argv_(call.argv()), next_(next), command_name_(call.command().name) {}

std::string_view Args::Next() {
  if (!more()) {
    FailSyntax();
    return {};
  }
  return argv_[next_++];
}

int64_t Args::Int() {
  std::string_view text = Next();
  if (failed()) return 0;
  auto number = ParseInt64(text);
  if (!number) Fail(errors::kNotInteger);
  return number.value_or(0);
}

int64_t Args::Int(int64_t least, int64_t most, std::string_view error) {
  int64_t number = Int();
  if (!failed() && (number < least || number > most)) Fail(error);
  return number;
}

double Args::Double() {
  std::string_view text = Next();
  if (failed()) return 0;
  auto number = ParseDouble(text);
  if (!number) Fail(errors::kNotFloat);
  return number.value_or(0);
}

bool Args::Take(std::string_view upper) {
  if (!more() || !SameWord(argv_[next_], upper)) return false;
  ++next_;
  return true;
}

bool Args::TakeWith(std::string_view upper, size_t following) {
  return left() > following && Take(upper);
}

void Args::Fail(std::string_view error) {
  if (error_.empty()) error_ = error;
}

void Args::FailSyntax() {
  Fail(errors::kSyntax);
}

void Args::Reply(Call& call) const {
  call.reply().Error(error_);
}

}  // namespace cinnabar::dispatch
