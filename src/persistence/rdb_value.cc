#include "persistence/rdb_value.h"

#include "base/check.h"
#include "keyspace/string_value.h"
#include "keyspace/value_view.h"
#include "persistence/internal/value_codecs.h"
#include "types/encoding.h"

namespace cinnabar::persistence {

using keyspace::Entry;
using types::Type;

ValueLimits LimitsFrom(const config::Settings& settings) {
  const config::Encoding& encoding = settings.encoding;
  return {
      .list = {.node_size = encoding.list_max_listpack_size,
               .compress_depth = static_cast<size_t>(encoding.list_compress_depth)},
      .set = {.intset_entries = encoding.set_max_intset_entries,
              .listpack = {.entries = encoding.set_max_listpack_entries,
                           .value_bytes = encoding.set_max_listpack_value_bytes}},
      .sorted_set = {.entries = encoding.zset_max_listpack_entries,
                     .value_bytes = encoding.zset_max_listpack_value_bytes},
      .hash = {.entries = encoding.hash_max_listpack_entries,
               .value_bytes = encoding.hash_max_listpack_value_bytes},
  };
}

void RdbValue::Take(types::OwnHolder& collection) {
  if (collection.packed()) {
    room.bytes.assign(collection.view());
    bytes = room.bytes;
  } else {
    object = collection.TakeObject();
  }
}

Entry::Payload PayloadOf(RdbValue& value) {
  if (value.object != nullptr) {
    const auto word = reinterpret_cast<uint64_t>(value.object.release());
    return {.type = value.type, .place = keyspace::Place::kObject, .word = word};
  }
  if (value.type == Type::kString) return keyspace::StringPayload(value.bytes);
  return {.type = value.type, .place = keyspace::Place::kInline, .bytes = value.bytes};
}

RdbType TypeFor(const Entry& entry, uint16_t version) {
  const bool large = entry.place() == keyspace::Place::kObject;
  switch (entry.type()) {
    case Type::kString:
      return RdbType::kString;
    case Type::kList:
      return RdbType::kListQuicklist2;
    case Type::kSet:
      if (large) return RdbType::kSet;
      if (types::IsIntset(entry.inline_bytes())) return RdbType::kSetIntset;
      return version >= kRdbVersion72 ? RdbType::kSetListpack : RdbType::kSet;
    case Type::kSortedSet:
      return large ? RdbType::kSortedSet2 : RdbType::kSortedSetListpack;
    case Type::kHash: {
      keyspace::ValueView hash(entry);
      return internal::HashTypeFor(hash);
    }
    case Type::kStream:
      return version >= kRdbVersion72 ? RdbType::kStream3 : RdbType::kStream2;
  }
  CHECK(false);
}

uint16_t VersionFor(RdbType type) {
  switch (type) {
    case RdbType::kSetListpack:
    case RdbType::kStream3:
      return kRdbVersion72;
    case RdbType::kHashMetadata:
    case RdbType::kHashListpackEx:
      return kRdbVersion74;
    default:
      return kRdbVersion70;
  }
}

void WriteValue(RdbWriter& out, const Entry& entry, RdbType type) {
  if (entry.type() == Type::kString) {
    if (entry.place() == keyspace::Place::kInteger) return out.Integer(entry.integer());
    keyspace::DigitScratch scratch;
    return out.String(keyspace::StringBytes(entry, scratch));
  }
  keyspace::ValueView view(entry);
  switch (entry.type()) {
    case Type::kList:
      return internal::WriteList(out, view);
    case Type::kSet:
      return internal::WriteSet(out, type, view);
    case Type::kSortedSet:
      return internal::WriteSortedSet(out, view);
    case Type::kHash:
      return internal::WriteHash(out, type, view);
    default:
      return internal::WriteStream(out, type, view);
  }
}

bool ReadValue(RdbReader& in, uint8_t type_byte, const ValueLimits& limits, RdbValue& value) {
  const auto type = static_cast<RdbType>(type_byte);
  value.bytes = {};
  value.object.reset();
  value.mended = {};
  switch (type) {
    case RdbType::kString:
      value.type = Type::kString;
      value.bytes = in.String(value.room);
      break;
    case RdbType::kList:
    case RdbType::kListZiplist:
    case RdbType::kListQuicklist:
    case RdbType::kListQuicklist2:
      value.type = Type::kList;
      internal::ReadList(in, type, limits, value);
      break;
    case RdbType::kSet:
    case RdbType::kSetIntset:
    case RdbType::kSetListpack:
      value.type = Type::kSet;
      internal::ReadSet(in, type, limits, value);
      break;
    case RdbType::kSortedSet:
    case RdbType::kSortedSet2:
    case RdbType::kSortedSetZiplist:
    case RdbType::kSortedSetListpack:
      value.type = Type::kSortedSet;
      internal::ReadSortedSet(in, type, limits, value);
      break;
    case RdbType::kHash:
    case RdbType::kHashZipmap:
    case RdbType::kHashZiplist:
    case RdbType::kHashListpack:
    case RdbType::kHashMetadataPreGa:
    case RdbType::kHashListpackExPreGa:
    case RdbType::kHashMetadata:
    case RdbType::kHashListpackEx:
      value.type = Type::kHash;
      internal::ReadHash(in, type, limits, value);
      break;
    case RdbType::kStream:
    case RdbType::kStream2:
    case RdbType::kStream3:
      value.type = Type::kStream;
      internal::ReadStream(in, type, value);
      break;
    case RdbType::kModuleOld:
    case RdbType::kModule:
      in.Fail(RdbFault::kUnsupported, "a value of a module, which is not loaded");
      break;
    default:
      in.Fail(RdbFault::kUnsupported, "a value of an unknown type");
  }
  if (!in.failed()) return true;
  value.bytes = {};
  value.object.reset();
  return false;
}

}  // namespace cinnabar::persistence
