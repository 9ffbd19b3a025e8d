#include "protocol/reply_parser.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "base/numbers.h"
#include "base/quote.h"

namespace cinnabar::protocol {
namespace {

using Kind = Reply::Kind;

constexpr std::string_view kTypes = "+-:$*_#,(!=%~>|";
constexpr std::string_view kTextTypes = "+-(";  // their lines are text of any length
constexpr size_t kNumberLineMax = 1024;         // a double may be written with some hundred digits
constexpr size_t kFirstElements = 64;           // room that an announcement gets before its elements come
constexpr size_t kKeptBufferBytes = 64 * 1024;

// As much as a message can show.
std::string Shown(std::string_view bytes) {
  return Quoted(bytes.substr(0, 64));
}

// The specification allows a plus sign.
std::optional<int64_t> ParseSigned(std::string_view text) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  return ParseInt64(text);
}

// Decimals, infinities, and what C libraries print for something that is no number.
std::optional<double> ParseRespDouble(std::string_view text) {
  if (text == "nan" || text == "-nan") return std::numeric_limits<double>::quiet_NaN();
  if (text == "inf" || text == "+inf") return std::numeric_limits<double>::infinity();
  if (text == "-inf") return -std::numeric_limits<double>::infinity();
  if (text.find_first_not_of("0123456789+-.eE") != std::string_view::npos) return std::nullopt;
  return ParseDouble(text);
}

bool IsBigNumber(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

Kind AggregateKind(char type) {
  switch (type) {
    case '%':
      return Kind::kMap;
    case '~':
      return Kind::kSet;
    case '>':
      return Kind::kPush;
    default:
      return Kind::kArray;
  }
}

}  // namespace

void ReplyParser::Feed(std::string_view bytes) {
  if (!problem_.empty()) return;
  // Moving the rest costs no more than reading what is before it did.
  if (position_ >= unread()) DropUsed();
  buffer_ += bytes;
}

ReplyParser::Outcome ReplyParser::Next(Reply& reply) {
  if (!problem_.empty()) return Outcome::kDamaged;
  while (true) {
    const Step step = in_bulk_ ? ReadBulk() : ReadLine();
    if (step == Step::kDamaged) return Outcome::kDamaged;
    if (step == Step::kCutOff) {
      if (unread() == 0) DropUsed();
      return Outcome::kIncomplete;
    }
    if (step == Step::kValue && PutAway()) break;
  }
  reply = std::exchange(value_, Reply());
  reply_bytes_ = announced_ = 0;
  return Outcome::kReply;
}

void ReplyParser::Reset() {
  *this = ReplyParser(limits_);
}

void ReplyParser::Use(size_t bytes) {
  position_ += bytes;
  reply_bytes_ += bytes;
}

void ReplyParser::DropUsed() {
  if (unread() == 0 && buffer_.capacity() > kKeptBufferBytes) {
    buffer_ = std::string();
  } else {
    buffer_.erase(0, position_);
  }
  position_ = 0;
}

// Puts value_ into the aggregate that waits for it, that one, if now complete, into its own, and so on. True
// if a whole reply is in value_.
bool ReplyParser::PutAway() {
  while (!open_.empty()) {
    Open& parent = open_.back();
    if (!parent.attribute) parent.reply.elements.push_back(std::move(value_));
    value_ = Reply();
    if (--parent.left > 0) return false;
    const bool attribute = parent.attribute;
    if (!attribute) value_ = std::move(parent.reply);
    open_.pop_back();
    if (attribute) return false;  // the value that it belongs to comes now
  }
  return true;
}

// A line, from its type to its end. Whether it is too long depends on its bytes before the line end alone,
// not on whether that is already there: the problem is the same however the bytes are cut.
ReplyParser::Step ReplyParser::ReadLine() {
  const std::string_view input = rest();
  if (input.empty()) return Step::kCutOff;
  const char type = input[0];
  if (type == '.' || type == ';') return Damage("streamed types are not supported");
  if (!kTypes.contains(type)) return Damage("no type of reply begins with " + Shown(input.substr(0, 1)));
  constexpr size_t kFrame = 3;  // the type and the line end
  const size_t room = limits_.total_bytes - std::min(limits_.total_bytes, reply_bytes_);
  const size_t line_max = kTextTypes.contains(type) ? limits_.bulk_bytes : kNumberLineMax;
  const size_t end = input.find_first_of("\r\n", std::max<size_t>(1, searched_));
  const bool found = end != std::string_view::npos;
  const size_t length = (found ? end : input.size()) - 1;
  if (room < kFrame || length > std::min(line_max, room - kFrame)) {
    if (room < kFrame || room - kFrame < line_max) return Damage("the reply is too large");
    return Damage("a line is too long");
  }
  searched_ = found ? end : input.size();
  if (found && input[end] == '\n') return Damage("a line ends without \\r");
  if (!found || end + 1 == input.size()) return Step::kCutOff;
  if (input[end + 1] != '\n') return Damage("\\r is not followed by \\n");
  searched_ = 0;
  Use(end + 2);
  return Interpret(type, input.substr(1, length));
}

// REQUIRES: `type` is one of kTypes.
ReplyParser::Step ReplyParser::Interpret(char type, std::string_view line) {
  switch (type) {
    case '+':
      value_.text = line;
      return Value(Kind::kSimple);
    case '-':
      value_.text = line;
      return Value(Kind::kError);
    case ':':
    case ',':
    case '(':
      return ReadNumber(type, line);
    case '_':
      if (!line.empty()) return Damage("a null has a value: " + Shown(line));
      return Value(Kind::kNull);
    case '#':
      if (line != "t" && line != "f") return Damage("invalid boolean: " + Shown(line));
      value_.integer = line == "t" ? 1 : 0;
      return Value(Kind::kBoolean);
    case '$':
      return OpenBulk(Kind::kBulk, line);
    case '!':
      return OpenBulk(Kind::kError, line);
    case '=':
      return OpenBulk(Kind::kVerbatim, line);
    default:
      return OpenAggregate(type, line);
  }
}

ReplyParser::Step ReplyParser::ReadNumber(char type, std::string_view line) {
  if (type == ':') {
    const auto integer = ParseSigned(line);
    if (!integer) return Damage("invalid integer: " + Shown(line));
    value_.integer = *integer;
    return Value(Kind::kInteger);
  }
  if (type == ',') {
    const auto number = ParseRespDouble(line);
    if (!number) return Damage("invalid double: " + Shown(line));
    value_.number = *number;
    return Value(Kind::kDouble);
  }
  if (!IsBigNumber(line)) return Damage("invalid big number: " + Shown(line));
  value_.text = line;
  return Value(Kind::kBigNumber);
}

ReplyParser::Step ReplyParser::OpenBulk(Kind kind, std::string_view line) {
  if (line == "?") return Damage("streamed types are not supported");
  if (kind == Kind::kBulk && line == "-1") return Value(Kind::kNull);
  const auto length = ParseUInt64(line);
  if (!length) return Damage("invalid length of a string: " + Shown(line));
  if (*length > limits_.bulk_bytes) return Damage("a string is too long: " + Shown(line));
  constexpr size_t kLineEnd = 2;
  const size_t room = limits_.total_bytes - reply_bytes_;
  if (room < kLineEnd || *length > room - kLineEnd) return Damage("the reply is too large");
  value_.kind = kind;
  bulk_left_ = *length;
  in_bulk_ = true;
  return Step::kProgress;
}

ReplyParser::Step ReplyParser::ReadBulk() {
  const size_t come = std::min(bulk_left_, unread());
  value_.text += rest().substr(0, come);
  Use(come);
  bulk_left_ -= come;
  if (bulk_left_ > 0 || unread() < 2) return Step::kCutOff;
  if (!rest().starts_with("\r\n")) return Damage("a string does not end where its length says");
  Use(2);
  in_bulk_ = false;
  if (value_.kind == Kind::kVerbatim) {
    constexpr size_t kFormat = 3;  // letters, as in "txt:"
    if (value_.text.size() <= kFormat || value_.text[kFormat] != ':') {
      return Damage("a verbatim string without a format");
    }
    value_.text.erase(0, kFormat + 1);
  }
  return Value(value_.kind);
}

ReplyParser::Step ReplyParser::OpenAggregate(char type, std::string_view line) {
  if (line == "?") return Damage("streamed types are not supported");
  if (type == '*' && line == "-1") return Value(Kind::kNull);
  const auto count = ParseUInt64(line);
  if (!count) return Damage("invalid number of elements: " + Shown(line));
  const size_t each = type == '%' || type == '|' ? 2 : 1;
  if (*count > (limits_.elements - announced_) / each) return Damage("too many elements: " + Shown(line));
  // An empty one is an aggregate, too, although it is never opened.
  if (std::cmp_greater_equal(open_.size(), limits_.depth)) return Damage("aggregates are nested too deeply");
  const size_t elements = *count * each;
  announced_ += elements;
  const bool attribute = type == '|';
  if (elements == 0) return attribute ? Step::kProgress : Value(AggregateKind(type));
  Open& opened = open_.emplace_back(Open{.reply = {}, .left = elements, .attribute = attribute});
  opened.reply.kind = AggregateKind(type);
  if (!attribute) opened.reply.elements.reserve(std::min(elements, kFirstElements));
  return Step::kProgress;
}

ReplyParser::Step ReplyParser::Value(Kind kind) {
  value_.kind = kind;
  return Step::kValue;
}

// Nothing is of use any more.
ReplyParser::Step ReplyParser::Damage(std::string problem) {
  Reset();
  problem_ = std::move(problem);
  return Step::kDamaged;
}

}  // namespace cinnabar::protocol
