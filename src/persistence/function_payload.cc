#include "persistence/function_payload.h"

#include "persistence/dump_payload.h"
#include "persistence/rdb_reader.h"
#include "persistence/rdb_writer.h"

namespace cinnabar::persistence {
namespace {

constexpr uint8_t kFunctionOpcode = 0xf5;

}  // namespace

std::string DumpFunctions(std::span<const std::string> codes, bool compress) {
  std::string payload;
  RdbWriter out(payload, compress ? Compression::kLzf : Compression::kNone);
  for (const std::string& code : codes) {
    out.Byte(kFunctionOpcode);
    out.String(code);
  }
  AppendFooter(payload, kRdbVersion70);
  return payload;
}

Result<std::vector<std::string>> ReadFunctions(std::string_view payload) {
  if (!IntactPayload(payload)) return Fail("DUMP payload version or checksum are wrong");
  RdbReader in(payload.substr(0, payload.size() - kDumpFooterBytes));
  std::vector<std::string> codes;
  RdbRoom room;
  while (in.left() != 0) {
    if (in.Byte() != kFunctionOpcode) return Fail("given type is not a function");
    codes.emplace_back(in.String(room));
    if (in.failed()) return Fail("failed loading functions data");
  }
  return codes;
}

}  // namespace cinnabar::persistence
