// Args: a cursor over the arguments of a command. The first error is kept, later reads return zero values,
// and the handler asks once at the end:
//
//   Args args(call);
//   int64_t count = args.Int("COUNT");  ...
//   if (args.failed()) return args.Reply(call);
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace cinnabar::dispatch {

class Call;

// Whether two words are equal without regard to ASCII case. `upper` is given in upper case.
bool SameWord(std::string_view word, std::string_view upper);

class Args {
 public:
  // Starts behind the command's name.
  explicit Args(const Call& call, size_t next = 1);

  // The name of the command, for errors that mention it.
  std::string_view command_name() const { return command_name_; }
  bool more() const { return next_ < argv_.size(); }
  size_t left() const { return argv_.size() - next_; }
  size_t position() const { return next_; }
  void Skip(size_t count) { next_ += count; }
  std::string_view Peek() const { return more() ? argv_[next_] : std::string_view(); }

  // The next argument; a syntax error when there is none.
  std::string_view Next();
  // The next argument as a number; the error names no argument, as in Redis.
  int64_t Int();
  int64_t Int(int64_t least, int64_t most, std::string_view error);
  double Double();
  // Consumes the next argument if it is this word (upper case).
  bool Take(std::string_view upper);
  // Consumes the next argument if it is this word and at least `following` more come after it.
  bool TakeWith(std::string_view upper, size_t following = 1);

  // Keeps the first error.
  void Fail(std::string_view error);
  void FailSyntax();
  bool failed() const { return !error_.empty(); }
  std::string_view error() const { return error_; }
  void Reply(Call& call) const;

 private:
  std::span<const std::string_view> argv_;
  size_t next_;
  std::string_view command_name_;
  std::string error_;
};

}  // namespace cinnabar::dispatch
