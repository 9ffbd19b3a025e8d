#include "protocol/reply_writer.h"

#include <cstdio>
#include <memory>
#include <utility>

#include "base/numbers.h"

namespace cinnabar::protocol {
namespace {
// Strings up to this length are formatted with their header in one step.
constexpr size_t kNearBytes = 4096;
}  // namespace

void ReplyWriter::Header(char type, uint64_t count) {
  char line[24];
  line[0] = type;
  size_t size = 1 + FormatInt64(static_cast<int64_t>(count), line + 1);
  line[size++] = '\r';
  line[size++] = '\n';
  output_->Append({line, size});
}

void ReplyWriter::Simple(std::string_view text) {
  output_->Append("+");
  output_->Append(text);
  output_->Append("\r\n");
}

void ReplyWriter::Error(std::string_view text) {
  ++errors_;
  last_error_.assign(text);
  for (char& c : last_error_) {
    if (c == '\r' || c == '\n') c = ' ';
  }
  output_->Append("-");
  output_->Append(last_error_);
  output_->Append("\r\n");
}

void ReplyWriter::Integer(int64_t value) {
  char line[26];
  line[0] = ':';
  size_t size = 1 + FormatInt64(value, line + 1);
  line[size++] = '\r';
  line[size++] = '\n';
  output_->Append({line, size});
}

void ReplyWriter::Bulk(std::string_view bytes) {
  char* room = bytes.size() <= kNearBytes ? output_->Room(bytes.size() + 32) : nullptr;
  if (room == nullptr) {
    Header('$', bytes.size());
    if (!bytes.empty()) output_->Append(bytes);
    output_->Append("\r\n");
    return;
  }
  char* p = room;
  *p++ = '$';
  if (bytes.size() < 100) {
    if (bytes.size() >= 10) *p++ = static_cast<char>('0' + bytes.size() / 10);
    *p++ = static_cast<char>('0' + bytes.size() % 10);
  } else {
    p += FormatInt64(static_cast<int64_t>(bytes.size()), p);
  }
  *p++ = '\r';
  *p++ = '\n';
  // An empty view may have no address at all.
  if (!bytes.empty()) std::memcpy(p, bytes.data(), bytes.size());
  p += bytes.size();
  *p++ = '\r';
  *p++ = '\n';
  output_->Commit(static_cast<size_t>(p - room));
}

void ReplyWriter::Bulk(SharedBytes bytes) {
  Header('$', bytes.size());
  output_->AppendShared(std::move(bytes));
  output_->Append("\r\n");
}

void ReplyWriter::BulkInteger(int64_t value) {
  char digits[24];
  Bulk(std::string_view(digits, FormatInt64(value, digits)));
}

void ReplyWriter::Null() {
  output_->Append(version_ == Resp::k3 ? "_\r\n" : "$-1\r\n");
}

void ReplyWriter::NullArray() {
  output_->Append(version_ == Resp::k3 ? "_\r\n" : "*-1\r\n");
}

void ReplyWriter::Double(double value) {
  char digits[64];
  size_t size = digits_ == Digits::kShortest
                    ? FormatDouble(value, digits)
                    : static_cast<size_t>(std::snprintf(digits, sizeof digits, "%.17g", value));
  if (version_ == Resp::k2) return Bulk(std::string_view(digits, size));
  output_->Append(",");
  output_->Append({digits, size});
  output_->Append("\r\n");
}

void ReplyWriter::Boolean(bool value) {
  if (version_ == Resp::k2) return Integer(value ? 1 : 0);
  output_->Append(value ? "#t\r\n" : "#f\r\n");
}

void ReplyWriter::BigNumber(std::string_view digits) {
  if (version_ == Resp::k2) return Bulk(digits);
  output_->Append("(");
  output_->Append(digits);
  output_->Append("\r\n");
}

void ReplyWriter::Verbatim(std::string_view format, std::string_view text) {
  if (version_ == Resp::k2) return Bulk(text);
  Header('=', text.size() + 4);
  output_->Append(format);
  output_->Append(":");
  output_->Append(text);
  output_->Append("\r\n");
}

void ReplyWriter::Map(size_t pairs) {
  if (version_ == Resp::k3) {
    Header('%', pairs);
  } else {
    Header('*', pairs * 2);
  }
}

void ReplyWriter::BulkArray(const std::vector<std::string>& items) {
  Array(items.size());
  for (const std::string& item : items) Bulk(item);
}

void ReplyWriter::Begin(Aggregate kind) {
  auto open = std::make_unique<Open>(Open{kind, output_, OutputBuffer()});
  output_ = &open->inner;
  open_.push_back(std::move(open));
}

void ReplyWriter::End(size_t count) {
  std::unique_ptr<Open> open = std::move(open_.back());
  open_.pop_back();
  output_ = open->outer;
  switch (open->kind) {
    case Aggregate::kArray:
      Array(count);
      break;
    case Aggregate::kMap:
      Map(count);
      break;
    case Aggregate::kSet:
      Set(count);
      break;
  }
  output_->Splice(std::move(open->inner));
}

}  // namespace cinnabar::protocol
