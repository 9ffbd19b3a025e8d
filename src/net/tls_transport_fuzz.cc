// Whatever bytes come instead of a peer's: the server side reads or fails, keeps the rules of transport.h,
// and holds no more than its bound. The first byte says whether a handshake went before and in what pieces
// the rest comes; the second whether the rest is written by a true client, cut and mixed with its own
// records.
#include <openssl/ssl.h>

#include <string>

#include "base/check.h"
#include "net/certificates_for_test.h"
#include "net/memory_transport_for_test.h"
#include "net/tls_transport.h"

namespace {

using namespace cinnabar::net;
using Outcome = Transfer::Outcome;

struct Contexts {
  TestFolder folder;
  TestAuthority authority{folder, "fuzz"};
  TlsIdentity identity = authority.Issue("both");
  std::shared_ptr<const TlsContext> Make(TlsSide side, const char* protocols) const {
    return *TlsContext::Make({.side = side,
                              .identity = identity,
                              .ca_cert_file = authority.ca_file(),
                              .peer_certificate = TlsPeerCertificate::kOptional,
                              .protocols = protocols});
  }
  std::shared_ptr<const TlsContext> old_server = Make(TlsSide::kServer, "TLSv1.2");
  std::shared_ptr<const TlsContext> server = Make(TlsSide::kServer, "");
  std::shared_ptr<const TlsContext> client = Make(TlsSide::kClient, "");
};

// Reads all there is. False: it has ended or failed.
bool ReadAll(Transport& transport, size_t room_bytes) {
  std::string room(room_bytes, '\0');
  while (true) {
    const Transfer got = transport.Read(room);
    CHECK((got.outcome == Outcome::kMoved) == (got.bytes != 0));
    if (got.outcome == Outcome::kFailed) CHECK(!transport.problem().empty() && !transport.unsent());
    if (got.outcome == Outcome::kLater) CHECK(transport.pending() == 0);
    if (got.outcome == Outcome::kEnded || got.outcome == Outcome::kFailed) return false;
    if (got.outcome == Outcome::kLater) return true;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Contexts contexts;
  if (size < 2) return 0;
  const uint8_t how = data[0], mix = data[1];
  std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  auto up = std::make_shared<MemoryStream>(), down = std::make_shared<MemoryStream>();
  const MemoryPace pace{.piece_max = (how & 2) != 0 ? size_t{16} << (how >> 5) : SIZE_MAX};
  auto server = std::make_unique<TlsTransport>(std::make_unique<MemoryTransport>(up, down, pace, how),
                                               (how & 4) != 0 ? contexts.old_server : contexts.server);
  auto client = std::make_unique<TlsTransport>(std::make_unique<MemoryTransport>(down, up), contexts.client);
  if ((how & 1) != 0) {
    for (int turn = 0; turn < 10'000 && !(server->established() && client->established()); ++turn) {
      client->Write({});
      ReadAll(*client, 1000);
      ReadAll(*server, 1000);
      server->Write({});
    }
    CHECK(server->established() && client->established());
  }
  if ((mix & 1) != 0 && client->established()) {
    const size_t sealed = bytes.size() / 2;
    const iovec part{bytes.data(), sealed};
    client->Write({&part, 1});
    bytes.erase(0, sealed);
    if ((mix & 2) != 0 && !up->bytes.empty()) up->bytes[mix % up->bytes.size()] ^= 0x40;
    if ((mix & 4) != 0) up->bytes.resize(up->bytes.size() - up->bytes.size() / 3);
  }
  up->bytes += bytes;
  const size_t room = 1 + mix * 64;
  for (int turn = 0; turn < 10'000 && !up->bytes.empty(); ++turn) {
    if (!ReadAll(*server, room)) break;
    iovec reply{bytes.data(), std::min<size_t>(bytes.size(), 100)};
    const Transfer sent = server->Write({&reply, 1});
    if (sent.outcome == Outcome::kFailed) break;
    CHECK(sent.outcome == Outcome::kLater || server->established());
  }
  return 0;
}
