// Checking the commands of an append-only file: how far it is whole, and what is wrong there.
//
// As lenient as redis-check-aof of Redis 7.0 in what it takes for a command (numbers may have signs and
// blanks in front, a command may have no words), so that both tools say the same of a file; AofReader is
// stricter. Transactions count as one: a MULTI without EXEC is cut off where it begins. Sans-I/O; never fails
// itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cinnabar::persistence {

class AofCheck {
 public:
  struct Result {
    enum class Outcome : uint8_t {
      kRead,           // to the end, or to the first fault: see `whole`
      kLater,          // an annotation beyond the time that was asked for stands at `whole`
      kBadAnnotation,  // a time annotation without a time
    };
    Outcome outcome = Outcome::kRead;
    size_t whole = 0;  // bytes in front of the first fault, and of the transaction that holds it
    uint64_t commands = 0;
    // In the form "0x<offset>: <what>"; empty when nothing is wrong, or when a command just ends too early.
    std::string fault;
    bool bad_record = false;  // neither a command nor an annotation begins where one should
  };

  // Checks `bytes` from `begin` on (a snapshot may stand in front). With `until` (seconds) it ends before the
  // first annotation of a later time. `name` is for messages. Lines go on counting from file to file.
  Result Check(std::string_view bytes, size_t begin, std::optional<int64_t> until, std::string_view name);

  // The line after the last one that was whole, annotations not counted.
  int64_t line() const { return line_; }

 private:
  bool Command();
  bool Number(char prefix, int64_t& number);
  bool Bytes(int64_t size, std::string_view& text);
  bool Fault(std::string text);

  std::string_view bytes_;
  std::string_view name_;
  size_t at_ = 0;
  size_t item_at_ = 0;  // where the number or string begins that is being read
  bool in_transaction_ = false;
  bool ended_ = false;  // the bytes ended within a command
  int64_t line_ = 1;
  std::string fault_;
};

}  // namespace cinnabar::persistence
