#include "net/tls_context.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <string_view>

#include "base/ascii.h"

namespace cinnabar::net {
namespace {

struct Protocol {
  std::string_view name;  // in lower case
  int version;
  uint64_t no;  // the option that forbids it
};
constexpr Protocol kProtocols[] = {
    {"tlsv1", TLS1_VERSION, SSL_OP_NO_TLSv1},
    {"tlsv1.1", TLS1_1_VERSION, SSL_OP_NO_TLSv1_1},
    {"tlsv1.2", TLS1_2_VERSION, SSL_OP_NO_TLSv1_2},
    {"tlsv1.3", TLS1_3_VERSION, SSL_OP_NO_TLSv1_3},
};
constexpr std::string_view kDefaultProtocols = "TLSv1.2 TLSv1.3";

// The first error is the cause, those behind it are its consequences.
std::string FirstReason() {
  char text[256];
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  ERR_clear_error();
  return text;
}

// A key that wants a pass phrase and has none fails, instead of asking the terminal.
int GivePassPhrase(char* room, int size, int /*writing*/, void* pass) {
  const auto& text = *static_cast<const std::string*>(pass);
  if (text.empty() || text.size() > static_cast<size_t>(size)) return -1;
  std::ranges::copy(text, room);
  return static_cast<int>(text.size());
}

Status AllowProtocols(SSL_CTX* native, std::string_view names) {
  if (names.find_first_not_of(' ') == std::string_view::npos) names = kDefaultProtocols;
  uint64_t forbidden = SSL_OP_NO_SSLv3;
  for (const Protocol& protocol : kProtocols) forbidden |= protocol.no;
  int lowest = TLS1_3_VERSION;
  while (!names.empty()) {
    const size_t end = std::min(names.find(' '), names.size());
    const std::string name = LowerCase(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
    if (name.empty()) continue;
    const auto found = std::ranges::find(kProtocols, name, &Protocol::name);
    if (found == std::end(kProtocols)) {
      return Fail(
          "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and "
          "'TLSv1.3'.");
    }
    forbidden &= ~found->no;
    lowest = std::min(lowest, found->version);
  }
  SSL_CTX_set_options(native, forbidden);
  // The machine's OpenSSL configuration may have a higher one.
  SSL_CTX_set_min_proto_version(native, lowest);
  return {};
}

Status LoadIdentity(SSL_CTX* native, TlsSide side, const TlsIdentity& identity) {
  if (identity.cert_file.empty() && side == TlsSide::kClient) return {};
  if (identity.cert_file.empty()) return Fail("No tls-cert-file configured!");
  if (identity.key_file.empty()) return Fail("No tls-key-file configured!");
  SSL_CTX_set_default_passwd_cb(native, GivePassPhrase);
  SSL_CTX_set_default_passwd_cb_userdata(native, const_cast<std::string*>(&identity.key_pass));
  const int certified = SSL_CTX_use_certificate_chain_file(native, identity.cert_file.c_str());
  if (certified != 1)
    return Fail(fmt::format("Failed to load certificate: {}: {}", identity.cert_file, FirstReason()));
  const int keyed = SSL_CTX_use_PrivateKey_file(native, identity.key_file.c_str(), SSL_FILETYPE_PEM);
  SSL_CTX_set_default_passwd_cb_userdata(native, nullptr);
  SSL_CTX_set_default_passwd_cb(native, nullptr);
  if (keyed != 1 || SSL_CTX_check_private_key(native) != 1)
    return Fail(fmt::format("Failed to load private key: {}: {}", identity.key_file, FirstReason()));
  if (X509_cmp_current_time(X509_get0_notAfter(SSL_CTX_get0_certificate(native))) < 0)
    return Fail(fmt::format("Failed to load certificate: {}: it has expired", identity.cert_file));
  return {};
}

Status LoadAuthorities(SSL_CTX* native, const TlsOptions& options) {
  const char* const file = options.ca_cert_file.empty() ? nullptr : options.ca_cert_file.c_str();
  const char* const folder = options.ca_cert_dir.empty() ? nullptr : options.ca_cert_dir.c_str();
  if (file == nullptr && folder == nullptr) return {};
  if (SSL_CTX_load_verify_locations(native, file, folder) == 1) return {};
  return Fail(fmt::format("Failed to configure CA certificate(s) file/directory: {}", FirstReason()));
}

Status LoadDhParameters(SSL_CTX* native, const std::string& path) {
  if (path.empty()) {
    SSL_CTX_set_dh_auto(native, 1);
    return {};
  }
  const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(path.c_str(), "r"), BIO_free);
  EVP_PKEY* const parameters = file == nullptr ? nullptr : PEM_read_bio_Parameters(file.get(), nullptr);
  if (parameters == nullptr)
    return Fail(fmt::format("Failed to load DH params file: {}: {}", path, FirstReason()));
  if (SSL_CTX_set0_tmp_dh_pkey(native, parameters) == 1) return {};
  EVP_PKEY_free(parameters);
  return Fail(fmt::format("Failed to load DH params file: {}: {}", path, FirstReason()));
}

Status ChooseCiphers(SSL_CTX* native, const TlsOptions& options) {
  if (!options.ciphers.empty() && SSL_CTX_set_cipher_list(native, options.ciphers.c_str()) != 1)
    return Fail(fmt::format("Failed to configure ciphers: {}", options.ciphers));
  if (!options.ciphersuites.empty() && SSL_CTX_set_ciphersuites(native, options.ciphersuites.c_str()) != 1)
    return Fail(fmt::format("Failed to configure ciphersuites: {}", options.ciphersuites));
  if (options.prefer_server_ciphers) SSL_CTX_set_options(native, SSL_OP_CIPHER_SERVER_PREFERENCE);
  return {};
}

void LetResume(SSL_CTX* native, const TlsOptions& options) {
  constexpr unsigned char kName[] = "cinnabar";
  SSL_CTX_set_session_id_context(native, kName, sizeof kName - 1);
  if (!options.session_caching || options.side == TlsSide::kClient) {
    SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(native, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(native, 0);
    return;
  }
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_SERVER);
  SSL_CTX_set_timeout(native, static_cast<long>(options.session_cache_timeout_seconds));
  SSL_CTX_sess_set_cache_size(native, static_cast<long>(options.session_cache_size));
  // Each resumed connection brings the ticket for the next one.
  SSL_CTX_set_num_tickets(native, 1);
}

int VerifyMode(const TlsOptions& options) {
  if (options.side == TlsSide::kClient) return SSL_VERIFY_PEER;
  switch (options.peer_certificate) {
    case TlsPeerCertificate::kIgnored:
      return SSL_VERIFY_NONE;
    case TlsPeerCertificate::kOptional:
      return SSL_VERIFY_PEER;
    case TlsPeerCertificate::kRequired:
      return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  }
  return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* native) const {
  SSL_CTX_free(native);
}

Result<std::shared_ptr<const TlsContext>> TlsContext::Make(const TlsOptions& options) {
  ERR_clear_error();
  Native native(SSL_CTX_new(TLS_method()));
  if (native == nullptr) return Fail(fmt::format("Failed to make a TLS context: {}", FirstReason()));
  SSL_CTX* const raw = native.get();
  // A peer that ends without saying so has ended all the same: requests and replies say themselves where they
  // end.
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // An idle connection keeps no buffers, which would be 34 kB.
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);
  // One read of the socket brings head and body of a record.
  SSL_CTX_set_read_ahead(raw, 1);
  SSL_CTX_set_verify(raw, VerifyMode(options), nullptr);
  TRY_STATUS(AllowProtocols(raw, options.protocols));
  TRY_STATUS(LoadIdentity(raw, options.side, options.identity));
  TRY_STATUS(LoadAuthorities(raw, options));
  TRY_STATUS(ChooseCiphers(raw, options));
  TRY_STATUS(LoadDhParameters(raw, options.dh_params_file));
  LetResume(raw, options);
  return std::shared_ptr<const TlsContext>(new TlsContext(options.side, std::move(native)));
}

}  // namespace cinnabar::net
