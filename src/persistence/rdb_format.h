// The numbers of the RDB format that more than one file needs.
//
// Sources: the files that Redis 2.8 to 7.0 write, and descriptions of the format
// (https://rdb.fnordig.de/file_format.html, https://redis.io/docs/latest/operate/oss_and_stack/).
#pragma once

#include <cstddef>
#include <cstdint>

namespace cinnabar::persistence {

// Files and payloads carry the version of the format.
inline constexpr uint16_t kRdbVersion70 = 10;  // Redis 7.0: what we write unless the data need more
inline constexpr uint16_t kRdbVersion72 =
    11;  // sets as listpacks, streams that know when consumers were active
inline constexpr uint16_t kRdbVersion74 = 12;  // hashes whose fields expire
inline constexpr uint16_t kRdbVersionMax = kRdbVersion74;

// How a value is laid out: the byte in front of it.
enum class RdbType : uint8_t {
  kString = 0,
  kList = 1,
  kSet = 2,
  kSortedSet = 3,  // scores as text
  kHash = 4,
  kSortedSet2 = 5,  // scores as binary doubles
  kModuleOld = 6,
  kModule = 7,
  kHashZipmap = 9,
  kListZiplist = 10,
  kSetIntset = 11,
  kSortedSetZiplist = 12,
  kHashZiplist = 13,
  kListQuicklist = 14,  // of ziplists
  kStream = 15,
  kHashListpack = 16,
  kSortedSetListpack = 17,
  kListQuicklist2 = 18,     // of listpacks and plain elements
  kStream2 = 19,            // with first id, greatest deleted id, number of entries ever added
  kSetListpack = 20,        // from 7.2 on
  kStream3 = 21,            // with the time when a consumer was active
  kHashMetadataPreGa = 22,  // 7.4 release candidates: moments in full
  kHashListpackExPreGa = 23,
  kHashMetadata = 24,    // fields that expire, moments relative to the earliest
  kHashListpackEx = 25,  // a listpack of field, value, moment (0: never)
};

// Nodes of kListQuicklist2.
inline constexpr uint64_t kPlainNode = 1, kPackedNode = 2;

// Bytes of the footer of a DUMP payload: version (2), checksum (8).
inline constexpr size_t kDumpFooterBytes = 10;

namespace rdb_internal {

// A length begins with two bits: 6 bits follow, 14 bits follow, see the whole byte, or it is no length at all
// but a string in a special encoding.
inline constexpr uint8_t kLength14 = 0x40, kLength32 = 0x80, kLength64 = 0x81, kEncoded = 0xc0;
inline constexpr uint8_t kKindMask = 0xc0;
inline constexpr uint64_t kInt8 = 0, kInt16 = 1, kInt32 = 2, kLzf = 3;

// Scores as text: a length of one byte, or one of these.
inline constexpr uint8_t kScoreNan = 253, kScoreInfinity = 254, kScoreMinusInfinity = 255;

}  // namespace rdb_internal
}  // namespace cinnabar::persistence
