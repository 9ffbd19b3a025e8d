// FUNCTION RESTORE's payload: any bytes are read or refused. With a footer that fits, so that the reader
// behind the checksum is reached.
#include "persistence/dump_payload.h"
#include "persistence/function_payload.h"
#include "persistence/rdb_format.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cinnabar::persistence;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)ReadFunctions(bytes);
  std::string payload(bytes);
  AppendFooter(payload, kRdbVersion70);
  if (const auto codes = ReadFunctions(payload); codes) {
    const std::string again = DumpFunctions(*codes, false);
    const auto same = ReadFunctions(again);
    if (!same || *same != *codes) __builtin_trap();
  }
  return 0;
}
