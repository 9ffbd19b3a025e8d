#include "server/client_memory.h"

namespace cinnabar::server {

void ClientMemory::ApplyLimit(const config::Settings& settings) {
  const config::MemoryShare& share = settings.clients.maxmemory_clients;
  const int64_t whole = settings.memory.maxmemory_bytes;
  const int64_t bytes =
      share.is_percent
          ? static_cast<int64_t>(static_cast<double>(whole) * static_cast<double>(share.amount) / 100.0)
          : share.amount;
  limit_ = bytes > 0 ? static_cast<uint64_t>(bytes) : 0;
}

void ClientMemory::Change(int core, const ClientWeight& before, const ClientWeight& after) {
  Share& share = shares_[static_cast<size_t>(core)];
  const auto add = [](std::atomic<uint64_t>& sum, uint64_t less, uint64_t more) {
    if (less != more) sum.store(sum.load(std::memory_order_relaxed) - less + more, std::memory_order_relaxed);
  };
  add(share.bytes, before.bytes, after.bytes);
  add(share.evictable, before.evictable ? before.bytes : 0, after.evictable ? after.bytes : 0);
}

bool ClientMemory::Over() const {
  if (limit_ == 0) return false;
  uint64_t bytes = 0, evictable = 0;
  for (int core = 0; core < cores_; ++core) {
    const Share& share = shares_[static_cast<size_t>(core)];
    bytes += share.bytes.load(std::memory_order_relaxed);
    evictable += share.evictable.load(std::memory_order_relaxed);
  }
  return bytes > limit_ && evictable > 0;
}

}  // namespace cinnabar::server
