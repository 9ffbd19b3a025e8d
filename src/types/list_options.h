// ListOptions: how far lists and the nodes of large lists may grow (list-max-listpack-size,
// list-compress-depth).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace cinnabar::types {

// What one listpack of a list may hold.
struct NodeLimit {
  size_t bytes = 0;
  size_t count = 0;

  bool Allows(size_t wanted_bytes, size_t wanted_count) const {
    return wanted_bytes <= bytes && wanted_count <= count;
  }
  // The bound under which a list becomes packed again: low enough that it does not go to and fro.
  NodeLimit Half() const { return {bytes / 2, count / 2}; }
};

struct ListOptions {
  // As list-max-listpack-size has it: -1 ... -5 for 4 ... 64 KB, or else a number of elements.
  int64_t node_size = -2;
  // Nodes at each end that are never compressed; 0: nothing is.
  size_t compress_depth = 0;
  // From how many bytes on an element stands alone; 0: when it does not fit a node. For tests.
  size_t plain_from = 0;

  NodeLimit limit() const {
    constexpr size_t kNoCount = 65534;  // beyond this a listpack does not know its length
    constexpr size_t kCountMax = 32767;
    if (node_size < 0) return {size_t{2048} << std::min<int64_t>(-node_size, 5), kNoCount};
    const size_t count = node_size == 0 ? 1 : static_cast<size_t>(node_size);
    return {kBytesWhenCounted, std::min(count, kCountMax)};
  }
  bool StandsAlone(size_t value_bytes) const {
    return plain_from != 0 ? value_bytes >= plain_from : value_bytes > limit().bytes;
  }

 private:
  // Nodes that are limited by a number of elements do not grow beyond this either.
  static constexpr size_t kBytesWhenCounted = 8192;
};

}  // namespace cinnabar::types
