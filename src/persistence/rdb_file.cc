#include "persistence/rdb_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/crc64.h"

namespace cinnabar::persistence {
namespace {

enum Opcode : uint8_t {
  kSlotFacts = 0xf4,
  kFunctionCode = 0xf5,
  kFunctionPreGa = 0xf6,
  kModuleFact = 0xf7,
  kIdle = 0xf8,
  kFrequency = 0xf9,
  kFactOpcode = 0xfa,
  kSizesOpcode = 0xfb,
  kExpiryMillis = 0xfc,
  kExpirySeconds = 0xfd,
  kSelect = 0xfe,
  kEndOfFile = 0xff,
};

constexpr size_t kMagicBytes = 9;
constexpr uint16_t kFirstWithChecksum = 5;
// Sums in steps, while the bytes are in the cache still.
constexpr size_t kSumStep = 1 << 20;
constexpr int kDatabasesMax = std::numeric_limits<int>::max();

using Step = RdbFileReader::Step;

// What follows an opcode; a value's type is followed by its key.
Step StepAfter(uint8_t opcode) {
  switch (opcode) {
    case kExpirySeconds:
    case kExpiryMillis:
      return Step::kExpiry;
    case kSelect:
    case kSizesOpcode:
      return Step::kLength;
    case kFactOpcode:
      return Step::kFact;
    case kModuleFact:
      return Step::kModuleFact;
    case kFunctionCode:
    case kFunctionPreGa:
      return Step::kFunction;
    case kEndOfFile:
      return Step::kChecksum;
    default:
      return Step::kType;
  }
}

bool IsValueType(uint8_t type) {
  constexpr uint8_t kNeverUsed = 8;
  return type <= static_cast<uint8_t>(RdbType::kHashListpackEx) && type != kNeverUsed;
}

}  // namespace

std::string DuplicatedKeyText(std::string_view key, int database) {
  return fmt::format("RDB has duplicated key '{}' in DB {}", key, database);
}

void RdbFileWriter::SummingSink::Take(std::string_view piece) {
  if (checksum == Checksum::kWritten) sum = Crc64(sum, piece);
  bytes += piece.size();
  next.Take(piece);
}

RdbFileWriter::RdbFileWriter(ByteSink& sink, uint16_t version, Compression compression, Checksum checksum)
    : summing_(sink, checksum), version_(version), out_(buffer_, compression, &summing_) {
  out_.Raw(fmt::format("REDIS{:04}", version));
}

void RdbFileWriter::Fact(std::string_view name, std::string_view value) {
  out_.Byte(kFactOpcode);
  out_.String(name);
  out_.String(value);
}

void RdbFileWriter::Fact(std::string_view name, int64_t value) {
  out_.Byte(kFactOpcode);
  out_.String(name);
  out_.Integer(value);
}

void RdbFileWriter::SelectDatabase(int database, size_t keys, size_t expires) {
  out_.Byte(kSelect);
  out_.Length(static_cast<uint64_t>(database));
  out_.Byte(kSizesOpcode);
  out_.Length(keys);
  out_.Length(expires);
}

void RdbFileWriter::Entry(const keyspace::Entry& entry, const EntryUse& use) {
  if (entry.has_expiry()) {
    out_.Byte(kExpiryMillis);
    out_.Moment(entry.expiry());
  }
  if (use.idle_seconds) {
    out_.Byte(kIdle);
    out_.Length(*use.idle_seconds);
  } else if (use.frequency) {
    out_.Byte(kFrequency);
    out_.Byte(*use.frequency);
  }
  const RdbType type = TypeFor(entry, version_);
  out_.Type(type);
  out_.String(entry.key());
  WriteValue(out_, entry, type);
}

void RdbFileWriter::Function(std::string_view code) {
  out_.Byte(kFunctionCode);
  out_.String(code);
}

void RdbFileWriter::End() {
  out_.Byte(kEndOfFile);
  summing_.Take(std::exchange(buffer_, {}));
  const uint64_t sum = summing_.sum;
  char bytes[sizeof sum];
  std::memcpy(bytes, &sum, sizeof sum);  // little-endian, as is every machine we run on
  summing_.Take({bytes, sizeof bytes});
}

RdbFileReader::RdbFileReader(std::string_view bytes, const ValueLimits& limits, Checksum checksum)
    : bytes_(bytes), limits_(limits), checksum_(checksum), in_(bytes) {}

RdbFileReader::Item RdbFileReader::Faulty(RdbFault fault, std::string_view reason) {
  in_.Fail(fault, reason);
  return Item::kFault;
}

RdbFileReader::Item RdbFileReader::ReadHeader() {
  begun_ = true;
  const std::string_view magic = in_.Raw(kMagicBytes);
  if (in_.failed()) return Item::kFault;
  int version = 0;
  bool digits = true;
  for (char c : magic.substr(kMagicBytes - 4)) {
    digits = digits && c >= '0' && c <= '9';
    version = version * 10 + (c - '0');
  }
  if (!Recognizes(magic) || !digits)
    return Faulty(RdbFault::kCorrupt, "Wrong signature trying to load DB from file");
  if (version < 1 || version > version_max_)
    return Faulty(RdbFault::kUnsupported, "Can't handle RDB format version");
  version_ = static_cast<uint16_t>(version);
  return ReadItem();
}

RdbFileReader::Item RdbFileReader::Next() {
  const Item item = ReadItem();
  if (item != Item::kFault || !more_may_come_ || in_.fault() != RdbFault::kTruncated) return item;
  value_.object.reset();
  in_.Renew(bytes_, item_position_ - begin_);
  begun_ = item_position_ > 0;
  return Item::kMore;
}

void RdbFileReader::Renew(std::string_view bytes, size_t begin, bool whole) {
  DCHECK(begin <= needed_from() && begin + bytes.size() >= begin_ + bytes_.size() && !in_.failed());
  const size_t here = position();
  bytes_ = bytes;
  begin_ = begin;
  in_.Renew(bytes, here - begin);
  more_may_come_ = !whole;
  name_ = text_ = {};
}

RdbFileReader::Item RdbFileReader::ReadItem() {
  if (!begun_) return ReadHeader();
  if (in_.failed()) return Item::kFault;
  // Checked as it goes, so that the end of a large file does not take long.
  if (checksum_ == Checksum::kWritten && position() - summed_ >= kSumStep) {
    sum_ = Crc64(sum_, BytesBetween(summed_, position()));
    summed_ = position();
  }
  expiry_ = keyspace::kNever;
  use_ = {};
  item_position_ = position();
  while (true) {
    step_ = Step::kType;
    const uint8_t opcode = in_.Byte();
    if (in_.failed()) return Item::kFault;
    step_ = StepAfter(opcode);
    switch (opcode) {
      case kExpirySeconds: {
        uint32_t seconds = 0;
        const std::string_view raw = in_.Raw(sizeof seconds);
        if (!in_.failed()) std::memcpy(&seconds, raw.data(), sizeof seconds);
        expiry_ = Millis{seconds} * 1000;
        break;
      }
      case kExpiryMillis:
        expiry_ = std::min(in_.Moment(), keyspace::kNever - 1);
        break;
      case kIdle:
        use_.idle_seconds = in_.Length();
        break;
      case kFrequency:
        use_.frequency = in_.Byte();
        break;
      case kSlotFacts:
        for (int i = 0; i < 3; ++i) in_.Length();
        break;
      case kSelect: {
        const uint64_t database = in_.Length();
        if (database > kDatabasesMax) return Faulty(RdbFault::kCorrupt, "Database number out of range");
        database_ = static_cast<int>(database);
        return in_.failed() ? Item::kFault : Item::kDatabase;
      }
      case kSizesOpcode:
        keys_ = in_.Length();
        expires_ = in_.Length();
        return in_.failed() ? Item::kFault : Item::kSizes;
      case kFactOpcode:
        name_ = in_.String(name_room_);
        text_ = in_.String(text_room_);
        return in_.failed() ? Item::kFault : Item::kFact;
      case kFunctionCode:
        text_ = in_.String(text_room_);
        return in_.failed() ? Item::kFault : Item::kFunction;
      case kFunctionPreGa:
        return Faulty(RdbFault::kUnsupported, "Pre-release function format not supported");
      case kModuleFact:
        return Faulty(RdbFault::kUnsupported, "The RDB file contains module data, which is not supported");
      case kEndOfFile:
        return ReadEnd();
      default:
        return ReadEntry(opcode);
    }
    if (in_.failed()) return Item::kFault;
  }
}

RdbFileReader::Item RdbFileReader::ReadEntry(uint8_t type) {
  if (!IsValueType(type)) return Faulty(RdbFault::kUnsupported, "Invalid object type");
  value_type_ = static_cast<RdbType>(type);
  step_ = Step::kKey;
  name_ = in_.String(name_room_);
  if (in_.failed()) return Item::kFault;
  step_ = Step::kValue;
  value_.object.reset();
  if (ReadValue(in_, type, limits_, value_)) return Item::kEntry;
  if (!empty_passes_ || in_.fault() != RdbFault::kEmpty) return Item::kFault;
  in_.ForgiveEmpty();
  return Item::kNothing;
}

RdbFileReader::Item RdbFileReader::ReadEnd() {
  if (version_ < kFirstWithChecksum) return Item::kEnd;
  const size_t end = position();
  const std::string_view raw = in_.Raw(sizeof(uint64_t));
  if (in_.failed()) return Item::kFault;
  uint64_t expected;
  std::memcpy(&expected, raw.data(), sizeof expected);
  if (checksum_ == Checksum::kOmitted || expected == 0) return Item::kEnd;
  sum_ = Crc64(sum_, BytesBetween(summed_, end));
  if (sum_ != expected) return Faulty(RdbFault::kCorrupt, "RDB CRC error");
  return Item::kEnd;
}

}  // namespace cinnabar::persistence
