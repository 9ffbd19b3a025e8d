// Reply: one RESP reply as a client sees it, with everything in it owned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace cinnabar::protocol {

struct Reply {
  enum class Kind : uint8_t {
    kSimple,
    kError,
    kInteger,
    kBulk,
    kNull,
    kArray,
    kMap,
    kSet,
    kPush,
    kDouble,
    kBoolean,
    kBigNumber,
    kVerbatim
  };

  bool is_error() const { return kind == Kind::kError; }
  // Whether `text` is what the reply says.
  bool IsText() const { return kind == Kind::kSimple || kind == Kind::kBulk || kind == Kind::kVerbatim; }
  bool IsArray(size_t at_least = 0) const {
    return (kind == Kind::kArray || kind == Kind::kPush) && elements.size() >= at_least;
  }

  Kind kind = Kind::kNull;
  // Of kSimple, kError (the code first, as in "ERR no"), kBulk, kBigNumber (the digits) and kVerbatim
  // (without its format).
  std::string text;
  int64_t integer = 0;          // of kInteger; 1 or 0 of kBoolean
  double number = 0;            // of kDouble
  std::vector<Reply> elements;  // of kArray, kMap (keys and values alternate), kSet and kPush
};

}  // namespace cinnabar::protocol
