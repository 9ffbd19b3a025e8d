// TlsContext: what one end of TLS connections shows and asks for: certificates, keys, authorities, protocol
// versions, ciphers. Read from its files once, it never changes; a reload makes another one, and connections
// keep the one that they began with.
//
// Any thread, as it is immutable. The sessions that clients may resume are OpenSSL's, with locks of their
// own, and end with the context: what has been asked of a peer under other settings counts no more.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

struct ssl_ctx_st;

namespace cinnabar::net {

enum class TlsSide : uint8_t { kServer, kClient };
enum class TlsPeerCertificate : uint8_t { kIgnored, kOptional, kRequired };

// A certificate in PEM form, the rest of its chain behind it, and its private key. A client may have none.
struct TlsIdentity {
  std::string cert_file;
  std::string key_file;
  std::string key_pass;  // empty: none. Nobody is asked for it
};

struct TlsOptions {
  TlsSide side = TlsSide::kServer;
  TlsIdentity identity;
  std::string ca_cert_file;
  std::string ca_cert_dir;
  // A client always asks for its server's.
  TlsPeerCertificate peer_certificate = TlsPeerCertificate::kRequired;
  std::string protocols;  // "TLSv1.2 TLSv1.3"; empty: these two
  std::string ciphers;    // empty: OpenSSL's
  std::string ciphersuites;
  std::string dh_params_file;
  bool prefer_server_ciphers = false;
  bool session_caching = true;
  int64_t session_cache_size = 20480;  // 0: no limit
  int64_t session_cache_timeout_seconds = 300;
};

class TlsContext {
 public:
  // Reads the files. The error names the one that is at fault and says why, for the log.
  static Result<std::shared_ptr<const TlsContext>> Make(const TlsOptions& options);

  TlsSide side() const { return side_; }
  // Shared by all connections; OpenSSL counts its users.
  ssl_ctx_st* native() const { return native_.get(); }

 private:
  struct Free {
    void operator()(ssl_ctx_st* native) const;
  };
  using Native = std::unique_ptr<ssl_ctx_st, Free>;

  TlsContext(TlsSide side, Native native) : side_(side), native_(std::move(native)) {}

  const TlsSide side_;
  const Native native_;
};

}  // namespace cinnabar::net
