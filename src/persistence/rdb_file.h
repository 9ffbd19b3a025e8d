// A whole RDB file, written and read piece by piece.
//
//   "REDIS" version(4 digits)
//   FA name value ...            facts about the writer
//   FE database  FB keys expires
//     [FC moment] [F8 idle | F9 frequency] type key value ...
//   FF checksum(8)               CRC-64 of all before; 0: none
//
// Written: the oldest version that holds the data (10, which Redis 7.0 reads; 12 if fields of hashes expire).
// Read: what Redis 2.x to 7.4 wrote. Functions are handed on, modules are refused. Sans-I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "keyspace/entry.h"
#include "persistence/rdb_reader.h"
#include "persistence/rdb_value.h"
#include "persistence/rdb_writer.h"

namespace cinnabar::persistence {

// What loading and checking say of a file's contents that are not allowed.
std::string DuplicatedKeyText(std::string_view key, int database);

enum class Checksum : uint8_t { kWritten, kOmitted };

// What else is written with an entry: one or none of the two.
struct EntryUse {
  std::optional<uint64_t> idle_seconds;
  std::optional<uint8_t> frequency;
};

class RdbFileWriter {
 public:
  // The sink gets everything, checksum included, by the end of End().
  RdbFileWriter(ByteSink& sink, uint16_t version, Compression compression, Checksum checksum);

  void Fact(std::string_view name, std::string_view value);
  void Fact(std::string_view name, int64_t value);
  void SelectDatabase(int database, size_t keys, size_t expires);
  void Entry(const keyspace::Entry& entry, const EntryUse& use);
  // The source of a library of functions.
  void Function(std::string_view code);
  void End();

  uint64_t bytes() const { return summing_.bytes; }

 private:
  // Sums what passes.
  struct SummingSink final : ByteSink {
    SummingSink(ByteSink& next, Checksum checksum) : next(next), checksum(checksum) {}
    void Take(std::string_view bytes) override;
    ByteSink& next;
    Checksum checksum;
    uint64_t sum = 0;
    uint64_t bytes = 0;
  };

  SummingSink summing_;
  const uint16_t version_;
  std::string buffer_;
  RdbWriter out_;
};

// Size: what a file says of itself (version, auxiliary fields, sizes, what came last) is a member each.
class RdbFileReader {
  static constexpr int kRdbVersionAny = 9999;  // four digits

 public:
  enum class Item : uint8_t {
    kFact,      // name(), text()
    kDatabase,  // database()
    kSizes,     // keys(), expires(): hints
    kEntry,     // name() is the key; value(), expiry(), use()
    kNothing,   // name() is a key without a value: only after LetEmptyPass()
    kFunction,  // text() is the source
    kEnd,       // the checksum was right, or there is none
    kFault,     // fault() and reason() say why
    kMore,      // it is not whole yet: only after MoreMayCome()
  };

  // What is being read: after kFault, what could not be.
  enum class Step : uint8_t {
    kStart,
    kType,
    kExpiry,
    kLength,
    kFact,
    kModuleFact,
    kFunction,
    kKey,
    kValue,  // name() and value_type() are known
    kChecksum,
  };

  // The bytes are those of the whole file, or of its beginning: they may be followed by others (an
  // append-only file with a snapshot in front).
  RdbFileReader(std::string_view bytes, const ValueLimits& limits, Checksum checksum = Checksum::kWritten);

  // A file of a later version than is known is read as far as it holds what is known.
  void AcceptLaterVersions() { version_max_ = kRdbVersionAny; }
  // Collections without elements, which old versions wrote by mistake, are no fault.
  void LetEmptyPass() { empty_passes_ = true; }
  // The bytes come piece by piece, and those that were read may go: behind kMore, and between items, Renew
  // shows what is there. What Next has returned dies with it.
  void MoreMayCome() { more_may_come_ = true; }
  // The file from `begin` on, which is at most needed_from(), as far as it has come. `whole`: nothing
  // follows.
  void Renew(std::string_view bytes, size_t begin, bool whole);
  size_t needed_from() const { return checksum_ == Checksum::kWritten ? summed_ : position(); }

  // Whether the bytes begin like an RDB file.
  static bool Recognizes(std::string_view bytes) { return bytes.starts_with("REDIS"); }

  Item Next();

  uint16_t version() const { return version_; }
  std::string_view name() const { return name_; }
  std::string_view text() const { return text_; }
  int database() const { return database_; }
  uint64_t keys() const { return keys_; }
  uint64_t expires() const { return expires_; }
  RdbValue& value() { return value_; }
  RdbType value_type() const { return value_type_; }
  Millis expiry() const { return expiry_; }
  const EntryUse& use() const { return use_; }

  Step step() const { return step_; }
  // How far the file has been read, in bytes.
  size_t position() const { return begin_ + in_.position(); }
  // Where the item that was read last begins.
  size_t item_position() const { return item_position_; }
  RdbFault fault() const { return in_.fault(); }
  std::string_view reason() const { return in_.reason(); }

 private:
  Item ReadItem();
  Item ReadHeader();
  Item ReadEntry(uint8_t type);
  Item ReadEnd();
  Item Faulty(RdbFault fault, std::string_view reason);

  std::string_view BytesBetween(size_t from, size_t to) const {
    return bytes_.substr(from - begin_, to - from);
  }

  std::string_view bytes_;
  size_t begin_ = 0;  // of the bytes, in the file
  const ValueLimits limits_;
  const Checksum checksum_;
  int version_max_ = kRdbVersionMax;
  bool empty_passes_ = false;
  bool more_may_come_ = false;
  RdbReader in_;
  bool begun_ = false;
  Step step_ = Step::kStart;
  uint16_t version_ = 0;
  RdbRoom name_room_, text_room_;
  std::string_view name_, text_;
  int database_ = 0;
  uint64_t keys_ = 0, expires_ = 0;
  RdbValue value_;
  RdbType value_type_ = RdbType::kString;
  Millis expiry_ = keyspace::kNever;
  EntryUse use_;
  size_t item_position_ = 0;
  size_t summed_ = 0;
  uint64_t sum_ = 0;
};

}  // namespace cinnabar::persistence
