// LZF, in which RDB files compress strings: reading. What liblzf reads, and in little more than half its
// time.
#pragma once

#include <cstddef>
#include <string_view>

namespace cinnabar::lzf {

// Unpacks `packed` into exactly `size` bytes at `out`. False when it is broken, or makes another number of
// bytes; `out` then holds anything. Never reads or writes beyond either.
bool Unpack(std::string_view packed, char* out, size_t size);

}  // namespace cinnabar::lzf
