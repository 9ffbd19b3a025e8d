// Certificates for tests: authorities and what they sign, made in memory and written into a folder that goes
// with its owner.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "base/check.h"
#include "net/tls_context.h"

namespace cinnabar::net {

class TestFolder {
 public:
  TestFolder() { CHECK(mkdtemp(path_.data()) != nullptr); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder() { std::filesystem::remove_all(path_); }
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_ = std::filesystem::temp_directory_path() / "cinnabar-tls-XXXXXX";
};

struct TestCertificateOptions {
  std::string name = "localhost";
  std::string pass;             // encrypts the key
  long ends_in_seconds = 3600;  // from now; negative: it has expired
};

class TestAuthority {
 public:
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

  TestAuthority(const TestFolder& folder, const std::string& name)
      : folder_(folder),
        name_(name),
        key_(NewKey()),
        certificate_(Sign({.name = name}, key_.get(), nullptr)) {
    WriteCertificate(ca_file(), certificate_.get());
  }

  std::string ca_file() const { return folder_.Path(name_ + "-ca.crt"); }

  // The files are called after `file`.
  TlsIdentity Issue(const std::string& file, const TestCertificateOptions& options = {}) const {
    const Key key = NewKey();
    const Certificate signed_one = Sign(options, key.get(), certificate_.get());
    TlsIdentity identity{.cert_file = folder_.Path(file + ".crt"),
                         .key_file = folder_.Path(file + ".key"),
                         .key_pass = options.pass};
    WriteCertificate(identity.cert_file, signed_one.get());
    FILE* const out = fopen(identity.key_file.c_str(), "w");
    CHECK(out != nullptr);
    const EVP_CIPHER* const cipher = options.pass.empty() ? nullptr : EVP_aes_128_cbc();
    const auto* const pass = reinterpret_cast<const unsigned char*>(options.pass.data());
    CHECK(PEM_write_PKCS8PrivateKey(out, key.get(), cipher, reinterpret_cast<const char*>(pass),
                                    static_cast<int>(options.pass.size()), nullptr, nullptr) == 1);
    fclose(out);
    return identity;
  }

 private:
  static Key NewKey() {
    Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    CHECK(key != nullptr);
    return key;
  }

  static void WriteCertificate(const std::string& path, X509* certificate) {
    FILE* const out = fopen(path.c_str(), "w");
    CHECK(out != nullptr && PEM_write_X509(out, certificate) == 1);
    fclose(out);
  }

  // Without an issuer it signs itself.
  Certificate Sign(const TestCertificateOptions& options, EVP_PKEY* key, X509* issuer) const {
    Certificate made(X509_new(), X509_free);
    X509* const raw = made.get();
    X509_set_version(raw, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(raw), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(raw), -7200);
    X509_gmtime_adj(X509_getm_notAfter(raw), options.ends_in_seconds);
    X509_set_pubkey(raw, key);
    // A name of any length: many parts, as one part may have 64 characters.
    for (size_t at = 0; at < options.name.size(); at += 64) {
      const std::string part = options.name.substr(at, 64);
      CHECK(X509_NAME_add_entry_by_txt(X509_get_subject_name(raw), at == 0 ? "CN" : "OU", MBSTRING_ASC,
                                       reinterpret_cast<const unsigned char*>(part.data()),
                                       static_cast<int>(part.size()), -1, 0) == 1);
    }
    X509_set_issuer_name(raw, X509_get_subject_name(issuer == nullptr ? raw : issuer));
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> basic(
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints,
                            issuer == nullptr ? "critical,CA:TRUE" : "CA:FALSE"),
        X509_EXTENSION_free);
    CHECK(X509_add_ext(raw, basic.get(), -1) == 1);
    CHECK(X509_sign(raw, issuer == nullptr ? key : key_.get(), EVP_sha256()) != 0);
    return made;
  }

  const TestFolder& folder_;
  const std::string name_;
  mutable long serial_ = 0;
  const Key key_;
  const Certificate certificate_;
};

}  // namespace cinnabar::net
