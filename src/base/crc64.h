// CRC-64/Jones, the checksum at the end of RDB files and DUMP payloads (reflected, no initial or final XOR).
#pragma once

#include <cstdint>
#include <string_view>

namespace cinnabar {

// The checksum of everything covered by `crc` followed by `bytes`. Start with 0:
// Crc64(Crc64(0, a), b) is the checksum of a and b together. About one byte per cycle, and ten of long texts.
uint64_t Crc64(uint64_t crc, std::string_view bytes);

}  // namespace cinnabar
