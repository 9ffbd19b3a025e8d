#include "server/tls_contexts.h"

#include <utility>

#include "base/check.h"
#include "net/tls_transport.h"

namespace cinnabar::server {
namespace {

bool UsesTls(const config::Settings& settings) {
  return settings.tls.port != 0 || settings.tls.replication || settings.tls.cluster;
}

net::TlsPeerCertificate PeerCertificate(config::TlsAuthClients mode) {
  switch (mode) {
    case config::TlsAuthClients::kNo:
      return net::TlsPeerCertificate::kIgnored;
    case config::TlsAuthClients::kOptional:
      return net::TlsPeerCertificate::kOptional;
    case config::TlsAuthClients::kYes:
      return net::TlsPeerCertificate::kRequired;
  }
  return net::TlsPeerCertificate::kRequired;
}

net::TlsOptions OptionsFor(const config::Tls& tls, net::TlsSide side) {
  net::TlsOptions options{
      .side = side,
      .identity = {.cert_file = tls.cert_file, .key_file = tls.key_file, .key_pass = tls.key_file_pass},
      .ca_cert_file = tls.ca_cert_file,
      .ca_cert_dir = tls.ca_cert_dir,
      .peer_certificate = PeerCertificate(tls.auth_clients),
      .protocols = tls.protocols,
      .ciphers = tls.ciphers,
      .ciphersuites = tls.ciphersuites,
      .dh_params_file = tls.dh_params_file,
      .prefer_server_ciphers = tls.prefer_server_ciphers,
      .session_caching = tls.session_caching,
      .session_cache_size = tls.session_cache_size,
      .session_cache_timeout_seconds = tls.session_cache_timeout_seconds,
  };
  // The two may be set one after the other: they count once both are there.
  const bool own = !tls.client_cert_file.empty() && !tls.client_key_file.empty();
  if (side == net::TlsSide::kClient && own) {
    options.identity = {.cert_file = tls.client_cert_file,
                        .key_file = tls.client_key_file,
                        .key_pass = tls.client_key_file_pass};
  }
  return options;
}

Status CheckAuthorities(const config::Tls& tls) {
  const bool needed = tls.auth_clients != config::TlsAuthClients::kNo || tls.replication || tls.cluster;
  if (!needed || !tls.ca_cert_file.empty() || !tls.ca_cert_dir.empty()) return {};
  return Fail(
      "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or "
      "tls-auth-clients are enabled!");
}

struct Pair {
  std::shared_ptr<const net::TlsContext> accepting;
  std::shared_ptr<const net::TlsContext> connecting;
};

Result<Pair> Read(const config::Tls& tls) {
  auto accepting = TRY(net::TlsContext::Make(OptionsFor(tls, net::TlsSide::kServer)));
  TRY_STATUS(CheckAuthorities(tls));
  auto connecting = TRY(net::TlsContext::Make(OptionsFor(tls, net::TlsSide::kClient)));
  return Pair{std::move(accepting), std::move(connecting)};
}

}  // namespace

Status TlsContexts::Apply(const config::Settings& settings) {
  if (!UsesTls(settings)) return {};
  Result<Pair> read = Read(settings.tls);
  if (!read) {
    log_.Warning("{}", read.error().message);
    return Fail("Unable to update TLS configuration. Check server logs.");
  }
  accepting_ = std::move(read->accepting);
  connecting_ = std::move(read->connecting);
  return {};
}

Status TlsContexts::Begin(const config::Settings& old, const config::Settings& now) {
  return UsesTls(old) ? Status() : Apply(now);
}

std::unique_ptr<net::Transport> TlsContexts::OverAccepted(std::unique_ptr<net::Transport> below) const {
  CHECK(accepting_ != nullptr);
  return std::make_unique<net::TlsTransport>(std::move(below), accepting_);
}

std::unique_ptr<net::Transport> TlsContexts::OverOurs(std::unique_ptr<net::Transport> below) const {
  CHECK(connecting_ != nullptr);
  return std::make_unique<net::TlsTransport>(std::move(below), connecting_);
}

}  // namespace cinnabar::server
