// ReplyWriter: writes replies in the RESP version of the session, so that no command knows which it is.
//
// RESP3 types fall back in RESP2 as Redis defines it: maps become flat arrays, sets arrays, doubles bulk
// strings, booleans integers, verbatim strings bulk strings, nulls the bulk or array null. Spec:
// https://redis.io/docs/reference/protocol-spec/
// Size: RESP has so many types, and a function for each.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/output_buffer.h"

namespace cinnabar::protocol {

enum class Resp : uint8_t { k2 = 2, k3 = 3 };

// How doubles are written: with the fewest digits that read back as the same number, or always with 17
// significant ones, as Redis did before 7.2.
enum class Digits : uint8_t { kShortest, kSeventeen };

class ReplyWriter {
 public:
  // `output` must outlive the writer.
  ReplyWriter(OutputBuffer& output, Resp version) : output_(&output), version_(version) {}

  Resp version() const { return version_; }
  void set_version(Resp version) { version_ = version; }
  void set_digits(Digits digits) { digits_ = digits; }
  // Redirects what follows, and returns where it went until now.
  OutputBuffer& Redirect(OutputBuffer& output) {
    OutputBuffer& old = *output_;
    output_ = &output;
    return old;
  }

  void Ok() { output_->Append("+OK\r\n"); }
  void Simple(std::string_view text);
  // `text` starts with the error code: "ERR ...", "WRONGTYPE ...". Line breaks in it become spaces.
  void Error(std::string_view text);
  void Integer(int64_t value);
  void Bulk(std::string_view bytes);
  // A large value, linked instead of copied.
  void Bulk(SharedBytes bytes);
  // The decimal text of `value` as a bulk string.
  void BulkInteger(int64_t value);
  void Null();
  void NullArray();
  void Double(double value);
  void Boolean(bool value);
  void BigNumber(std::string_view digits);
  // `format` has three letters: "txt", "mkd".
  void Verbatim(std::string_view format, std::string_view text);

  void Array(size_t count) { Header('*', count); }
  void Map(size_t pairs);
  void Set(size_t count) { Header(version_ == Resp::k3 ? '~' : '*', count); }
  void Push(size_t count) { Header(version_ == Resp::k3 ? '>' : '*', count); }
  // RESP3 only: REQUIRES version() == k3.
  void Attribute(size_t pairs) { Header('|', pairs); }
  // An array of bulk strings.
  void BulkArray(const std::vector<std::string>& items);
  // Bytes that are RESP already.
  void Raw(std::string_view bytes) { output_->Append(bytes); }
  void Raw(OutputBuffer&& bytes) { output_->Splice(std::move(bytes)); }

  // An aggregate whose size is known only after its elements were written. They may be nested.
  enum class Aggregate : uint8_t { kArray, kMap, kSet };
  void Begin(Aggregate kind);
  // `count` elements (pairs for a map) were written since the matching Begin.
  void End(size_t count);

  // How many errors were written, and the code of the last one.
  uint64_t errors() const { return errors_; }
  const std::string& last_error() const { return last_error_; }

 private:
  struct Open {
    Aggregate kind;
    OutputBuffer* outer;
    OutputBuffer inner;
  };

  void Header(char type, uint64_t count);

  OutputBuffer* output_;
  Resp version_;
  Digits digits_ = Digits::kShortest;
  uint64_t errors_ = 0;
  std::string last_error_;
  std::vector<std::unique_ptr<Open>> open_;
};

}  // namespace cinnabar::protocol
