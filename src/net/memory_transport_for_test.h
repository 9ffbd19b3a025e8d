// Two ends of a connection in memory. Each end may move few bytes at a time, and refuse now and then, as a
// socket with a slow peer does.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "net/transport.h"

namespace cinnabar::net {

// One direction.
struct MemoryStream {
  std::string bytes;
  size_t room = SIZE_MAX;  // more than that is not taken before some was read
  size_t total = 0;
  bool ended = false;
};

struct MemoryPace {
  size_t piece_max = SIZE_MAX;  // each transfer moves between one byte and this many
  unsigned refusals_percent = 0;
};

class MemoryTransport final : public Transport {
 public:
  MemoryTransport(std::shared_ptr<MemoryStream> in, std::shared_ptr<MemoryStream> out, MemoryPace pace = {},
                  uint64_t seed = 1)
      : in_(std::move(in)), out_(std::move(out)), pace_(pace), random_(seed) {}
  ~MemoryTransport() override { out_->ended = true; }

  Transfer Read(std::span<char> room) override {
    if (in_->bytes.empty()) return {.outcome = in_->ended ? Outcome::kEnded : Outcome::kLater};
    if (Refuses()) return {.outcome = Outcome::kLater};
    const size_t bytes = std::min({room.size(), in_->bytes.size(), Piece()});
    std::memcpy(room.data(), in_->bytes.data(), bytes);
    in_->bytes.erase(0, bytes);
    return {.bytes = bytes};
  }

  Transfer Write(std::span<const iovec> parts) override {
    if (out_->ended) return {.outcome = Outcome::kFailed, .error = EPIPE};
    size_t left = out_->room - std::min(out_->room, out_->bytes.size());
    left = std::min(left, Piece());
    if (Refuses()) left = 0;
    size_t taken = 0;
    for (const iovec& part : parts) {
      const size_t bytes = std::min(part.iov_len, left - taken);
      out_->bytes.append(static_cast<const char*>(part.iov_base), bytes);
      taken += bytes;
    }
    out_->total += taken;
    if (taken == 0) return {.outcome = Outcome::kLater};
    return {.bytes = taken};
  }

  void Shutdown() override { in_->ended = out_->ended = true; }
  int fd() const override { return -1; }

 private:
  using Outcome = Transfer::Outcome;

  size_t Piece() { return pace_.piece_max == SIZE_MAX ? SIZE_MAX : 1 + random_() % pace_.piece_max; }
  bool Refuses() { return pace_.refusals_percent != 0 && random_() % 100 < pace_.refusals_percent; }

  const std::shared_ptr<MemoryStream> in_;
  const std::shared_ptr<MemoryStream> out_;
  const MemoryPace pace_;
  std::mt19937_64 random_;
};

}  // namespace cinnabar::net
