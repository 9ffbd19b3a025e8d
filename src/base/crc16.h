// CRC-16/XMODEM, from which the cluster slot of a key is taken.
#pragma once

#include <cstdint>
#include <string_view>

namespace cinnabar {

uint16_t Crc16(std::string_view bytes);

}  // namespace cinnabar
