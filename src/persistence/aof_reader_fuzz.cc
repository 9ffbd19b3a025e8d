// Whatever is read as a command is the same bytes when it is written again, and no cut of it is a command.
#include <string>

#include "base/check.h"
#include "persistence/aof_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using cinnabar::persistence::AofReader;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  AofReader reader;
  while (true) {
    const auto outcome = reader.Next(bytes);
    if (outcome == AofReader::Outcome::kBadFormat || outcome == AofReader::Outcome::kIncomplete) return 0;
    CHECK(reader.size() > 0 && reader.size() <= bytes.size());
    if (outcome == AofReader::Outcome::kCommand) {
      std::string again = "*" + std::to_string(reader.argv().size()) + "\r\n";
      for (std::string_view argument : reader.argv()) {
        again += "$" + std::to_string(argument.size()) + "\r\n";
        again += argument;
        again += "\r\n";
      }
      CHECK(again == bytes.substr(0, reader.size()));
      const size_t whole = reader.size();
      AofReader shorter;
      CHECK(shorter.Next(bytes.substr(0, whole - 1)) == AofReader::Outcome::kIncomplete);
    }
    bytes.remove_prefix(reader.size());
  }
}
