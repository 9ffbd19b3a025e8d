// Subscriber: what one client has subscribed to.
//
// Owned by the client's session and used by the thread of its core. Only `Channels` changes it, so that the
// two never disagree.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace cinnabar::pubsub {

enum class Kind : uint8_t { kChannel, kPattern, kShardChannel };
inline constexpr size_t kKinds = 3;

// One subscription among all that ever were; a name that is subscribed to again gets another.
using Ticket = uint64_t;

class Subscriber {
 public:
  Subscriber(uint64_t session, int core) : session_(session), core_(core) {}
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;

  uint64_t session() const { return session_; }
  int core() const { return core_; }

  // In order of their names.
  const std::map<std::string, Ticket, std::less<>>& names(Kind kind) const {
    return names_[static_cast<size_t>(kind)];
  }
  size_t count(Kind kind) const { return names(kind).size(); }
  // Bytes that the subscriptions take, here and with the channels.
  size_t memory() const { return memory_; }
  bool empty() const { return names_[0].empty() && names_[1].empty() && names_[2].empty(); }
  // Whether this subscription still is the one that a message was meant for.
  bool Holds(Kind kind, std::string_view name, Ticket ticket) const {
    auto found = names(kind).find(name);
    return found != names(kind).end() && found->second == ticket;
  }

 private:
  friend class Channels;

  // Of one subscription: the name, and the nodes and tickets in three maps.
  static size_t MemoryOf(std::string_view name) { return 2 * name.size() + 192; }

  const uint64_t session_;
  const int core_;
  std::array<std::map<std::string, Ticket, std::less<>>, kKinds> names_;
  size_t memory_ = 0;
};

}  // namespace cinnabar::pubsub
