// A transport that behaves as a layer does (TLS): it reads ahead and hands out in pieces, takes what is
// written and sends it in pieces, and writes nothing before the peer has spoken. The bytes stay as they are.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "net/transport.h"

namespace cinnabar::server {

class LayeredTransport final : public net::Transport {
 public:
  LayeredTransport(std::unique_ptr<net::Transport> below, uint64_t seed)
      : below_(std::move(below)), random_(seed) {
    awaits_peer_ = true;
  }

  net::Transfer Read(std::span<char> room) override {
    if (incoming_.empty()) {
      incoming_.resize(kBytesMax);
      const net::Transfer got = below_->Read(incoming_);
      incoming_.resize(got.bytes);
      if (got.outcome != Outcome::kMoved) return got;
      awaits_peer_ = false;
    }
    const size_t bytes = std::min({room.size(), incoming_.size(), 1 + Below(4000)});
    std::memcpy(room.data(), incoming_.data(), bytes);
    incoming_.erase(0, bytes);
    pending_ = incoming_.size();
    return {.bytes = bytes};
  }

  net::Transfer Write(std::span<const iovec> parts) override {
    if (awaits_peer_) return {.outcome = Outcome::kLater};
    size_t taken = 0;
    for (const iovec& part : parts) {
      const size_t bytes = std::min(part.iov_len, kBytesMax - outgoing_.size());
      outgoing_.append(static_cast<const char*>(part.iov_base), bytes);
      taken += bytes;
    }
    const iovec next{outgoing_.data(), std::min(outgoing_.size(), 1 + Below(4000))};
    if (next.iov_len != 0) {
      const net::Transfer sent = below_->Write({&next, 1});
      if (sent.outcome == Outcome::kFailed) return sent;
      outgoing_.erase(0, sent.bytes);
    }
    unsent_ = !outgoing_.empty();
    if (taken == 0) return {.outcome = Outcome::kLater};
    return {.bytes = taken};
  }

  void Shutdown() override { below_->Shutdown(); }
  int fd() const override { return below_->fd(); }

 private:
  using Outcome = net::Transfer::Outcome;
  static constexpr size_t kBytesMax = 16 * 1024;

  size_t Below(size_t limit) { return static_cast<size_t>(random_() % limit); }

  const std::unique_ptr<net::Transport> below_;
  std::mt19937_64 random_;
  std::string incoming_;
  std::string outgoing_;
};

}  // namespace cinnabar::server
