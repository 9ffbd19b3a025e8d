// TlsContexts: the certificates, keys and rules of TLS as the settings have them now, for clients that come
// and for the connection to our primary.
//
// Any core, inside the gate or with the world stopped; Apply and Begin with the world stopped, or before the
// cores run. A connection keeps what it began with.
#pragma once

#include <memory>

#include "base/log.h"
#include "config/settings.h"
#include "net/tls_context.h"
#include "net/transport.h"

namespace cinnabar::server {

class TlsContexts {
 public:
  explicit TlsContexts(Logger& log) : log_(log) {}  // `log` must outlive this

  // Reads everything again, if TLS is used at all. With an error, which the log has in detail, nothing
  // changes. The error is the text for who has asked.
  Status Apply(const config::Settings& settings);
  // As Apply, unless TLS was used already.
  Status Begin(const config::Settings& old, const config::Settings& now);

  // A layer over an accepted connection, and over one that we have made. REQUIRES: Apply has succeeded once
  // with settings that use TLS. They may have ceased to since the connection came.
  std::unique_ptr<net::Transport> OverAccepted(std::unique_ptr<net::Transport> below) const;
  std::unique_ptr<net::Transport> OverOurs(std::unique_ptr<net::Transport> below) const;

 private:
  using Context = std::shared_ptr<const net::TlsContext>;

  Logger& log_;
  Context accepting_;
  Context connecting_;
};

}  // namespace cinnabar::server
