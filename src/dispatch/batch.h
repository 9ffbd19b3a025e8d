// Batch: requests that are prepared together, so that their cache misses overlap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>

#include "base/flat_vector.h"
#include "dispatch/keys.h"
#include "dispatch/registry.h"

namespace cinnabar::dispatch {

// One parsed request, as ranges of a Batch.
struct Request {
  const Command* command = nullptr;  // null: unknown
  uint32_t first_argument = 0;
  uint32_t argument_count = 0;
  uint32_t first_key = 0;
  uint32_t key_count = 0;
  const char* text = nullptr;  // where a canonical request begins (RequestParser::canonical); null: nowhere
};

// Arguments point into the input buffers of their connections.
struct Batch {
  FlatVector<std::string_view> arguments;
  std::deque<std::string> storage;
  FlatVector<Request> requests;
  FlatVector<PlacedKey> keys;

  void Clear() {
    arguments.clear();
    if (!storage.empty()) storage.clear();
    requests.clear();
    keys.clear();
    arguments.ShrinkTo(kUsual);
    keys.ShrinkTo(kUsual);
  }
  static constexpr size_t kUsual = 16 * 1024;
  std::span<const std::string_view> argv(const Request& request) const {
    return {arguments.data() + request.first_argument, request.argument_count};
  }
  std::span<const PlacedKey> keys_of(const Request& request) const {
    return {keys.data() + request.first_key, request.key_count};
  }
};

}  // namespace cinnabar::dispatch
