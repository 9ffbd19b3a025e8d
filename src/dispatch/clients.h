// Clients: the port through which commands reach the connected clients of all cores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace cinnabar::dispatch {

struct Session;
struct BlockedCall;

// The connected clients of all cores. With the world stopped, unless said otherwise.
class Clients {
 public:
  virtual ~Clients() = default;
  virtual void ForEach(const std::function<void(Session&)>& visit) = 0;
  virtual Session* Find(uint64_t id) = 0;
  // Closes the connection; the caller's own is closed after its reply.
  virtual void Close(Session& session, const Session* caller) = 0;
  // Lets the core that owns the session look at it again (something was written to it, a pause ended ...).
  virtual void Wake(Session& session) = 0;
  // Brings the reply of a blocked command that is done to its session. Any core, any time.
  virtual void Resume(std::shared_ptr<BlockedCall> call) = 0;
  virtual size_t Count() const = 0;
  // The line of CLIENT LIST for a session of the calling core.
  virtual std::string Describe(const Session& session) const = 0;
  // Sends a line to every session in MONITOR mode. Any core, any time.
  virtual void FeedMonitors(std::string line) = 0;
};

}  // namespace cinnabar::dispatch
