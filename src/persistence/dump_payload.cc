#include "persistence/dump_payload.h"

#include "base/crc64.h"
#include "base/unaligned.h"

namespace cinnabar::persistence {
namespace {

constexpr size_t kChecksumBytes = 8, kVersionBytes = 2;
static_assert(kChecksumBytes + kVersionBytes == kDumpFooterBytes);

template <typename T>
void Append(std::string& out, T value) {
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

std::string DumpPayload(const keyspace::Entry& entry, Compression compression) {
  std::string payload;
  RdbWriter out(payload, compression);
  const RdbType type = TypeFor(entry);
  out.Type(type);
  WriteValue(out, entry, type);
  AppendFooter(payload, VersionFor(type));
  return payload;
}

void AppendFooter(std::string& payload, uint16_t version) {
  Append(payload, version);
  Append(payload, Crc64(0, payload));
}

bool IntactPayload(std::string_view payload, PayloadChecksum checksum) {
  if (payload.size() < kDumpFooterBytes) return false;
  const std::string_view covered = payload.substr(0, payload.size() - kChecksumBytes);
  const char* const version = payload.data() + payload.size() - kDumpFooterBytes;
  if (LoadAs<uint16_t>(version) > kRdbVersionMax) return false;
  return checksum == PayloadChecksum::kIgnored ||
         LoadAs<uint64_t>(version + kVersionBytes) == Crc64(0, covered);
}

Status ReadPayload(std::string_view payload, const ValueLimits& limits, RdbValue& value) {
  RdbReader in(payload.substr(0, payload.size() - kDumpFooterBytes));
  const uint8_t type = in.Byte();
  if (ReadValue(in, type, limits, value)) {
    if (in.left() == 0) return {};
    in.FailCorrupt("bytes behind the value");
    value.bytes = {};
    value.object.reset();
  }
  return Fail(std::string(in.reason()), static_cast<int>(in.position()));
}

}  // namespace cinnabar::persistence
