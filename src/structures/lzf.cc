// A stream of pieces, each of which begins with a control byte:
//
//   000nnnnn                     n + 1 literal bytes follow
//   lllooooo [oooooooo]          l + 2 bytes (l from 1 to 6) as they stood o + 1 bytes before
//   111ooooo [llllllll] [oooooooo]   l + 9 of them
//
// Copies are mostly short. As long as there is room behind them they are made of whole blocks, whose surplus
// is overwritten by what comes next; only near the ends they are made byte by byte.
#include "structures/lzf.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace cinnabar::lzf {
namespace {

constexpr size_t kBlock = 16;

void CopyBlock(char* to, const char* from) {
  char block[kBlock];
  std::memcpy(block, from, kBlock);
  std::memcpy(to, block, kBlock);
}

// What stood `distance` bytes before: it may run into what it makes. `room` bytes may be overwritten.
void CopyBack(char* out, size_t distance, size_t count, size_t room) {
  const char* from = out - distance;
  if (distance >= kBlock && room >= count + kBlock) {
    for (size_t done = 0; done < count; done += kBlock) CopyBlock(out + done, from + done);
  } else if (distance >= count) {
    std::memcpy(out, from, count);
  } else if (distance == 1) {
    std::memset(out, *from, count);
  } else {
    for (size_t i = 0; i < count; ++i) out[i] = from[i];
  }
}

}  // namespace

bool Unpack(std::string_view packed, char* out, size_t size) {
  const auto* in = reinterpret_cast<const uint8_t*>(packed.data());
  const uint8_t* const in_end = in + packed.size();
  char* const begin = out;
  char* const end = out + size;
  while (in < in_end) {
    const uint8_t control = *in++;
    const auto left = static_cast<size_t>(in_end - in), room = static_cast<size_t>(end - out);
    size_t count = control >> 5;
    if (count == 0) {
      count = size_t{control} + 1;
      if (count > left || count > room) return false;
      if (left >= 2 * kBlock && room >= 2 * kBlock) {  // 32 literals at most
        CopyBlock(out, reinterpret_cast<const char*>(in));
        CopyBlock(out + kBlock, reinterpret_cast<const char*>(in) + kBlock);
      } else {
        std::memcpy(out, in, count);
      }
      in += count;
    } else {
      if (left < (count == 7 ? 2 : 1)) return false;
      if (count == 7) count += *in++;
      count += 2;
      const size_t distance = (size_t{control & 31u} << 8 | *in++) + 1;
      if (count > room || distance > static_cast<size_t>(out - begin)) return false;
      CopyBack(out, distance, count, room);
    }
    out += count;
  }
  return out == end;
}

}  // namespace cinnabar::lzf
