// A file of any bytes is read to its end or to a fault: nothing crashes, and memory follows what is there. In
// pieces it is read as it is at once.
#include <algorithm>
#include <string>

#include "base/check.h"
#include "persistence/rdb_file.h"

namespace {

using cinnabar::persistence::Checksum;
using cinnabar::persistence::RdbFileReader;
using Item = RdbFileReader::Item;

const auto& Limits() {
  static const auto limits = cinnabar::persistence::LimitsFrom(cinnabar::config::Settings());
  return limits;
}

Item NextOfPieces(RdbFileReader& reader, std::string_view file, size_t piece, std::string& there) {
  while (true) {
    const Item item = reader.Next();
    if (item != Item::kMore) return item;
    const size_t begin = reader.needed_from();
    const size_t end = std::min(file.size(), reader.item_position() + there.size() + piece);
    there = std::string(file.substr(begin, end - begin));
    reader.Renew(there, begin, end == file.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // The checksum would hide everything behind it.
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  RdbFileReader reader(file, Limits(), Checksum::kOmitted);
  RdbFileReader in_pieces({}, Limits(), Checksum::kOmitted);
  in_pieces.MoreMayCome();
  std::string there;
  const size_t piece = 1 + size / 8;
  while (true) {
    const auto item = reader.Next();
    CHECK(NextOfPieces(in_pieces, file, piece, there) == item);
    CHECK(in_pieces.position() == reader.position());
    if (item == Item::kEnd || item == Item::kFault) return 0;
    const bool named = item == Item::kFact || item == Item::kEntry || item == Item::kNothing;
    CHECK(!named || in_pieces.name() == reader.name());
  }
}
