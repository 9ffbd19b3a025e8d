// A file of any bytes is read to its end or to a fault: nothing crashes, and memory follows what is there.
#include "persistence/rdb_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using cinnabar::persistence::RdbFileReader;
  static const auto limits = cinnabar::persistence::LimitsFrom(cinnabar::config::Settings());
  // The checksum would hide everything behind it.
  RdbFileReader reader({reinterpret_cast<const char*>(data), size}, limits,
                       cinnabar::persistence::Checksum::kOmitted);
  while (true) {
    const auto item = reader.Next();
    if (item == RdbFileReader::Item::kEnd || item == RdbFileReader::Item::kFault) return 0;
  }
}
