// TLS between two ends in memory.
//
// CINNABAR_TEST_SEED repeats a run.
#include "net/tls_transport.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <cstdlib>
#include <random>
#include <vector>

#include "net/certificates_for_test.h"
#include "net/memory_transport_for_test.h"

namespace cinnabar::net {
namespace {

using Outcome = Transfer::Outcome;
using ContextPointer = std::shared_ptr<const TlsContext>;

uint64_t Seed() {
  const char* text = std::getenv("CINNABAR_TEST_SEED");
  return text == nullptr ? std::random_device{}() : std::strtoull(text, nullptr, 10);
}

// One end with its owner, who keeps the three rules of transport.h.
struct End {
  std::unique_ptr<Transport> transport;
  std::string to_send;
  std::string received;
  std::string problem;
  bool ended = false;
  bool failed = false;
  size_t room = 64 * 1024;
  size_t part_bytes = SIZE_MAX;

  // False: there was nothing to do.
  bool Step() {
    if (failed || ended) return false;
    bool moved = WriteSome();
    if (!failed) moved = ReadSome() || moved;
    return moved;
  }

  bool WriteSome() {
    if (!transport->unsent() && (transport->awaits_peer() || to_send.empty())) return false;
    std::vector<iovec> parts;
    for (size_t at = 0; at < to_send.size() && parts.size() < 64; at += part_bytes) {
      parts.push_back({to_send.data() + at, std::min(part_bytes, to_send.size() - at)});
      if (part_bytes == SIZE_MAX) break;
    }
    const bool was_unsent = transport->unsent();
    const Transfer sent = transport->Write(parts);
    if (sent.outcome == Outcome::kFailed) return Fail();
    if (sent.outcome != Outcome::kMoved) return was_unsent;
    to_send.erase(0, sent.bytes);
    return true;
  }

  bool ReadSome() {
    std::string text(room, '\0');
    bool moved = false;
    do {
      const Transfer got = transport->Read(text);
      if (got.outcome == Outcome::kFailed) return Fail();
      if (got.outcome == Outcome::kEnded) {
        ended = true;
        return true;
      }
      if (got.outcome != Outcome::kMoved) {
        EXPECT_EQ(transport->pending(), 0u);
        break;
      }
      moved = true;
      received.append(text, 0, got.bytes);
    } while (transport->pending() != 0);
    return moved;
  }

  bool Fail() {
    failed = true;
    problem = transport->problem();
    return true;
  }
};

class TlsTransportTest : public testing::Test {
 protected:
  TlsTransportTest() { RecordProperty("seed", std::to_string(seed_)); }
  ~TlsTransportTest() override {
    if (HasFailure()) fprintf(stderr, "CINNABAR_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
  }

  TlsOptions ServerOptions() const {
    return {.identity = server_identity_, .ca_cert_file = authority_.ca_file()};
  }
  TlsOptions ClientOptions() const {
    return {.side = TlsSide::kClient, .identity = client_identity_, .ca_cert_file = authority_.ca_file()};
  }
  static ContextPointer Make(const TlsOptions& options) {
    auto made = TlsContext::Make(options);
    EXPECT_TRUE(made.has_value()) << made.error().message;
    return made ? *made : nullptr;
  }

  void Connect(ContextPointer server, ContextPointer client) {
    up_ = std::make_shared<MemoryStream>();
    down_ = std::make_shared<MemoryStream>();
    up_->room = down_->room = stream_room_;
    server_ = {.transport = std::make_unique<TlsTransport>(
                   std::make_unique<MemoryTransport>(up_, down_, pace_, random_()), std::move(server))};
    client_ = {.transport = std::make_unique<TlsTransport>(
                   std::make_unique<MemoryTransport>(down_, up_, pace_, random_()), std::move(client))};
  }
  void Connect() { Connect(Make(ServerOptions()), Make(ClientOptions())); }

  // What has been written into the pipes, and read from them.
  size_t Moved() const { return 2 * (up_->total + down_->total) - up_->bytes.size() - down_->bytes.size(); }

  // Lets both ends work until nothing has moved for a while: a refusal is not the end.
  void Run() {
    for (int quiet = 0; quiet < 200;) {
      const size_t before = Moved();
      bool moved = client_.Step();
      moved = server_.Step() || moved;
      quiet = moved || before != Moved() ? 0 : quiet + 1;
    }
  }

  std::string RandomText(size_t bytes) {
    std::string text(bytes, '\0');
    for (char& each : text) each = static_cast<char>(random_());
    return text;
  }
  void ExpectExchange(size_t bytes) {
    const std::string up = RandomText(bytes), down = RandomText(bytes);
    client_.to_send += up;
    server_.to_send += down;
    Run();
    EXPECT_TRUE(server_.received == up) << server_.received.size() << " " << server_.problem;
    EXPECT_TRUE(client_.received == down) << client_.received.size() << " " << client_.problem;
    server_.received.clear();
    client_.received.clear();
  }
  static TlsTransport& Tls(End& end) { return static_cast<TlsTransport&>(*end.transport); }

  const uint64_t seed_ = Seed();
  std::mt19937_64 random_{seed_};
  TestFolder folder_;
  TestAuthority authority_{folder_, "ours"};
  const TlsIdentity server_identity_ = authority_.Issue("server");
  const TlsIdentity client_identity_ = authority_.Issue("client");
  MemoryPace pace_;
  size_t stream_room_ = SIZE_MAX;
  std::shared_ptr<MemoryStream> up_;
  std::shared_ptr<MemoryStream> down_;
  End server_;
  End client_;
};

TEST_F(TlsTransportTest, BothVersionsCarryBytesBothWays) {
  for (const char* version : {"TLSv1.2", "TLSv1.3"}) {
    TlsOptions options = ServerOptions();
    options.protocols = version;
    Connect(Make(options), Make(ClientOptions()));
    EXPECT_TRUE(server_.transport->awaits_peer());
    EXPECT_FALSE(server_.transport->unsent());
    EXPECT_TRUE(client_.transport->awaits_peer());
    EXPECT_TRUE(client_.transport->unsent());
    EXPECT_EQ(up_->total, 0u);
    ExpectExchange(100);
    EXPECT_TRUE(Tls(server_).established());
    EXPECT_FALSE(server_.transport->awaits_peer());
    EXPECT_FALSE(server_.transport->unsent());
    ExpectExchange(1'000'000);
  }
}

TEST_F(TlsTransportTest, RecordsMayBeCutAnywhere) {
  for (int round = 0; round < 20; ++round) {
    pace_ = {.piece_max = size_t{1} << random_() % 16,
             .refusals_percent = static_cast<unsigned>(random_() % 60)};
    stream_room_ = 1 + random_() % 60'000;
    TlsOptions options = ServerOptions();
    if (round % 2 == 0) options.protocols = "TLSv1.2";
    Connect(Make(options), Make(ClientOptions()));
    server_.room = client_.room = 1 + random_() % 40'000;
    server_.part_bytes = 1 + random_() % 3000;
    ExpectExchange(1 + random_() % (pace_.piece_max < 64 ? 3000 : 100'000));
    if (HasFailure()) return;
  }
}

TEST_F(TlsTransportTest, TinyRoomsGetWholeRecordsInPieces) {
  Connect();
  Run();
  server_.to_send = "one record";
  server_.WriteSome();
  char room[4];
  std::string text;
  const Transfer first = client_.transport->Read(room);
  EXPECT_EQ(first.bytes, 4u);
  EXPECT_EQ(client_.transport->pending(), 6u);
  text.append(room, first.bytes);
  while (client_.transport->pending() != 0) text.append(room, client_.transport->Read(room).bytes);
  EXPECT_EQ(text, "one record");
  EXPECT_EQ(client_.transport->Read(room).outcome, Outcome::kLater);
}

TEST_F(TlsTransportTest, RecordsBehindTheFirstArePending) {
  Connect();
  Run();
  for (const char* text : {"aaaa", "bbbb"}) {
    server_.to_send = text;
    server_.WriteSome();
  }
  char room[4];
  EXPECT_EQ(client_.transport->Read(room).bytes, 4u);
  EXPECT_TRUE(down_->bytes.empty());
  EXPECT_NE(client_.transport->pending(), 0u);
  EXPECT_EQ(client_.transport->Read(room).bytes, 4u);
  EXPECT_EQ(std::string_view(room, 4), "bbbb");
  EXPECT_EQ(client_.transport->pending(), 0u);
}

TEST_F(TlsTransportTest, APartOfARecordIsNotPending) {
  Connect();
  Run();
  server_.to_send = "the first";
  server_.WriteSome();
  server_.to_send = "the second";
  server_.WriteSome();
  const std::string rest = down_->bytes.substr(down_->bytes.size() - 5);
  down_->bytes.resize(down_->bytes.size() - 5);
  client_.ReadSome();
  EXPECT_EQ(client_.received, "the first");
  EXPECT_EQ(client_.transport->pending(), 0u);
  down_->bytes = rest;
  client_.ReadSome();
  EXPECT_EQ(client_.received, "the firstthe second");
}

TEST_F(TlsTransportTest, SmallPartsLeaveInOneRecord) {
  Connect();
  Run();
  const size_t before = down_->total;
  server_.to_send.assign(1000, 'x');
  server_.part_bytes = 20;
  server_.WriteSome();
  EXPECT_TRUE(server_.to_send.empty());
  EXPECT_LT(down_->total - before, 1000u + 40u);  // the frame of one record, not of fifty
}

TEST_F(TlsTransportTest, WhatBelowDoesNotTakeIsUnsentAndNothingIsTakenBeforeItIsGone) {
  Connect();
  Run();
  down_->room = 10;
  server_.to_send.assign(5000, 'x');
  server_.WriteSome();
  EXPECT_TRUE(server_.to_send.empty());
  EXPECT_TRUE(server_.transport->unsent());
  EXPECT_EQ(server_.transport->Interest(kReadable), uint32_t{kReadable | kWritable});
  iovec more{const_cast<char*>("more"), 4};
  EXPECT_EQ(server_.transport->Write({&more, 1}).outcome, Outcome::kLater);
  down_->room = SIZE_MAX;
  EXPECT_EQ(server_.transport->Write({&more, 1}).bytes, 4u);
  EXPECT_FALSE(server_.transport->unsent());
  Run();
  EXPECT_EQ(client_.received, std::string(5000, 'x') + "more");
}

TEST_F(TlsTransportTest, AWriteThatIsTooLargeIsTakenInPart) {
  Connect();
  Run();
  std::string text(1'000'000, 'x');
  iovec part{text.data(), text.size()};
  const Transfer sent = server_.transport->Write({&part, 1});
  EXPECT_EQ(sent.bytes, 64u * 1024);
}

TEST_F(TlsTransportTest, AnEndIsSeenWithAndWithoutGoodbye) {
  Connect();
  client_.to_send = "last words";
  Run();
  client_.transport.reset();
  server_.ReadSome();
  EXPECT_TRUE(server_.ended);
  EXPECT_EQ(server_.received, "last words");

  Connect();
  client_.to_send = "last words";
  Run();
  up_->ended = true;
  server_.Step();
  EXPECT_TRUE(server_.ended);
  EXPECT_FALSE(server_.failed);
}

// The end and the bytes before it come in one piece; no event will tell of the end.
TEST_F(TlsTransportTest, TheEndBehindBytesIsTold) {
  Connect();
  Run();
  client_.to_send = "last words";
  client_.WriteSome();
  client_.transport.reset();
  server_.ReadSome();
  EXPECT_EQ(server_.received, "last words");
  server_.Step();
  EXPECT_TRUE(server_.ended);
}

TEST_F(TlsTransportTest, GarbageAndPlainTextFailWithAReason) {
  const std::string plain = "*1\r\n$4\r\nPING\r\n";
  for (int round = 0; round < 50; ++round) {
    Connect();
    client_.ended = true;
    up_->bytes = round == 0 ? plain : RandomText(1 + random_() % 5000);
    server_.Step();
    if (server_.failed) {
      EXPECT_NE(server_.problem.find("error:"), std::string::npos) << server_.problem;
      EXPECT_EQ(server_.transport->Read(server_.received = "room").outcome, Outcome::kFailed);
      EXPECT_EQ(server_.transport->Write({}).outcome, Outcome::kFailed);
      EXPECT_EQ(server_.transport->pending(), 0u);
      EXPECT_FALSE(server_.transport->unsent());
    } else {  // it may look like the beginning of a record that is yet to come
      EXPECT_GT(round, 0);
      EXPECT_TRUE(server_.transport->awaits_peer());
    }
  }
}

TEST_F(TlsTransportTest, GarbageInsideAConnectionFails) {
  Connect();
  client_.to_send = "good";
  Run();
  client_.to_send = "more";
  client_.WriteSome();
  up_->bytes += RandomText(200);
  server_.ReadSome();
  EXPECT_EQ(server_.received, "goodmore");
  EXPECT_TRUE(server_.failed);
  EXPECT_FALSE(server_.problem.empty());
}

TEST_F(TlsTransportTest, HalfAHandshakeWaitsAndItsEndIsAFailure) {
  Connect();
  client_.WriteSome();
  up_->bytes.resize(up_->bytes.size() / 2);
  server_.Step();
  EXPECT_FALSE(server_.failed);
  EXPECT_TRUE(server_.transport->awaits_peer());
  iovec part{const_cast<char*>("early"), 5};
  EXPECT_EQ(server_.transport->Write({&part, 1}).outcome, Outcome::kLater);
  EXPECT_EQ(server_.transport->Interest(kReadable | kWritable), uint32_t{kReadable});
  up_->ended = true;
  server_.Step();
  EXPECT_TRUE(server_.failed);
  EXPECT_FALSE(server_.problem.empty());
}

TEST_F(TlsTransportTest, ClientCertificates) {
  TestAuthority other(folder_, "other");
  const TlsIdentity stranger = other.Issue("stranger");
  struct Case {
    TlsPeerCertificate wanted;
    const TlsIdentity* shown;
    bool accepted;
  };
  const TlsIdentity nothing;
  for (const Case& each : {Case{TlsPeerCertificate::kRequired, &client_identity_, true},
                           Case{TlsPeerCertificate::kRequired, &stranger, false},
                           Case{TlsPeerCertificate::kRequired, &nothing, false},
                           Case{TlsPeerCertificate::kOptional, &client_identity_, true},
                           Case{TlsPeerCertificate::kOptional, &stranger, false},
                           Case{TlsPeerCertificate::kOptional, &nothing, true},
                           Case{TlsPeerCertificate::kIgnored, &stranger, true},
                           Case{TlsPeerCertificate::kIgnored, &nothing, true}}) {
    for (const char* version : {"TLSv1.2", "TLSv1.3"}) {
      TlsOptions options = ServerOptions();
      options.peer_certificate = each.wanted;
      options.protocols = version;
      TlsOptions client = ClientOptions();
      client.identity = *each.shown;
      Connect(Make(options), Make(client));
      client_.to_send = "hello";
      Run();
      EXPECT_EQ(server_.received, each.accepted ? "hello" : "");
      EXPECT_EQ(server_.failed, !each.accepted);
      EXPECT_EQ(server_.problem.find("certificate") != std::string::npos, !each.accepted) << server_.problem;
    }
  }
}

TEST_F(TlsTransportTest, AClientRefusesAServerOfAnotherAuthority) {
  TestAuthority other(folder_, "other");
  TlsOptions options = ServerOptions();
  options.identity = other.Issue("false-server");
  Connect(Make(options), Make(ClientOptions()));
  client_.to_send = "secret";
  Run();
  EXPECT_TRUE(client_.failed);
  EXPECT_NE(client_.problem.find("certificate verify failed"), std::string::npos) << client_.problem;
  EXPECT_TRUE(server_.failed);
  EXPECT_EQ(server_.received, "");
}

TEST_F(TlsTransportTest, ACertificateWithAVeryLongNameIsAsGoodAsAnother) {
  TlsOptions client = ClientOptions();
  client.identity = authority_.Issue("long", {.name = std::string(20'000, 'n')});
  Connect(Make(ServerOptions()), Make(client));
  ExpectExchange(10);
}

TEST_F(TlsTransportTest, ProtocolsThatDoNotMeetFail) {
  TlsOptions options = ServerOptions(), client = ClientOptions();
  options.protocols = "TLSv1.3";
  client.protocols = "TLSv1.2";
  Connect(Make(options), Make(client));
  Run();
  EXPECT_TRUE(server_.failed);
  EXPECT_TRUE(client_.failed);
}

// A context whose clients keep their session for the next connection.
class TlsResumptionTest : public TlsTransportTest {
 protected:
  // Connects with the session, and returns the one for the next connection.
  SSL_SESSION* Resume(const ContextPointer& server, const ContextPointer& client, SSL_SESSION* session) {
    auto up = std::make_shared<MemoryStream>(), down = std::make_shared<MemoryStream>();
    TlsTransport accepted(std::make_unique<MemoryTransport>(up, down), server);
    SSL* const raw = SSL_new(client->native());
    BIO* const in = BIO_new(BIO_s_mem());
    BIO* const out = BIO_new(BIO_s_mem());
    SSL_set_bio(raw, in, out);
    SSL_set_connect_state(raw);
    if (session != nullptr) SSL_set_session(raw, session);
    char room[1000];
    for (int turn = 0; turn < 10; ++turn) {
      SSL_do_handshake(raw);
      SSL_read(raw, room, sizeof room);
      if (turn == 4) SSL_write(raw, "x", 1);
      for (int got; (got = BIO_read(out, room, sizeof room)) > 0;)
        up->bytes.append(room, static_cast<size_t>(got));
      accepted.Read(room);
      BIO_write(in, down->bytes.data(), static_cast<int>(down->bytes.size()));
      down->bytes.clear();
    }
    resumed_ = accepted.resumed();
    EXPECT_TRUE(accepted.established());
    SSL_SESSION* const next = SSL_get1_session(raw);
    SSL_shutdown(raw);
    SSL_free(raw);
    SSL_SESSION_free(session);
    return next;
  }

  bool resumed_ = false;
};

TEST_F(TlsResumptionTest, SessionsAreResumedUnderTheSameContextOnly) {
  for (const char* version : {"TLSv1.2", "TLSv1.3"}) {
    TlsOptions options = ServerOptions();
    options.protocols = version;
    const ContextPointer server = Make(options), client = Make(ClientOptions());
    // Our own client side resumes nothing; this one is made to.
    SSL_CTX_clear_options(client->native(), SSL_OP_NO_TICKET);
    SSL_SESSION* session = Resume(server, client, nullptr);
    EXPECT_FALSE(resumed_);
    session = Resume(server, client, session);
    EXPECT_TRUE(resumed_) << version;
    session = Resume(Make(options), client, session);
    EXPECT_FALSE(resumed_);
    options.session_caching = false;
    const ContextPointer forgetful = Make(options);
    session = Resume(forgetful, client, session);
    session = Resume(forgetful, client, session);
    EXPECT_FALSE(resumed_);
    SSL_SESSION_free(session);
  }
}

TEST_F(TlsTransportTest, AConnectionKeepsItsContext) {
  TestAuthority other(folder_, "other");
  {
    ContextPointer server = Make(ServerOptions());
    Connect(server, Make(ClientOptions()));
  }
  End old_server, old_client;
  ExpectExchange(1000);
  auto old_up = up_, old_down = down_;
  std::swap(old_server, server_);
  std::swap(old_client, client_);
  TlsOptions options = ServerOptions();
  options.identity = other.Issue("renewed");
  TlsOptions client = ClientOptions();
  client.ca_cert_file = other.ca_file();
  Connect(Make(options), Make(client));
  ExpectExchange(1000);
  std::swap(old_server, server_);
  std::swap(old_client, client_);
  up_ = old_up;
  down_ = old_down;
  ExpectExchange(1000);
}

TEST_F(TlsTransportTest, RenegotiationIsRefused) {
  TlsOptions options = ServerOptions();
  options.protocols = "TLSv1.2";
  const ContextPointer client = Make(ClientOptions());
  SSL_CTX_clear_options(client->native(), SSL_OP_NO_RENEGOTIATION);
  auto up = std::make_shared<MemoryStream>(), down = std::make_shared<MemoryStream>();
  TlsTransport accepted(std::make_unique<MemoryTransport>(up, down), Make(options));
  const std::unique_ptr<SSL, decltype(&SSL_free)> raw(SSL_new(client->native()), SSL_free);
  BIO* const in = BIO_new(BIO_s_mem());
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(raw.get(), in, out);
  SSL_set_connect_state(raw.get());
  char room[1000];
  int result = 0;
  for (int turn = 0; turn < 10; ++turn) {
    if (turn == 5) {
      EXPECT_EQ(SSL_renegotiate(raw.get()), 1);
    }
    result = SSL_do_handshake(raw.get());
    for (int got; (got = BIO_read(out, room, sizeof room)) > 0;)
      up->bytes.append(room, static_cast<size_t>(got));
    EXPECT_NE(accepted.Read(room).outcome, Outcome::kMoved);
    BIO_write(in, down->bytes.data(), static_cast<int>(down->bytes.size()));
    down->bytes.clear();
    EXPECT_EQ(accepted.established(), turn >= 1) << turn;
  }
  EXPECT_NE(result, 1);
}

TEST_F(TlsTransportTest, ErrorsOfAContextNameTheirCause) {
  const TlsIdentity another = authority_.Issue("another");
  const TlsIdentity locked = authority_.Issue("locked", {.pass = "sesame"});
  const TlsIdentity expired = authority_.Issue("expired", {.ends_in_seconds = -60});
  auto error = [&](auto change) {
    TlsOptions options = ServerOptions();
    change(options);
    const auto made = TlsContext::Make(options);
    return made ? std::string() : made.error().message;
  };
  auto expect = [&](auto change, const std::string& text) {
    const std::string message = error(change);
    EXPECT_NE(message.find(text), std::string::npos) << message;
  };
  expect([&](TlsOptions& o) { o.identity.cert_file = folder_.Path("none"); },
         "Failed to load certificate: " + folder_.Path("none") + ": error:80000002:system library::No such");
  expect([&](TlsOptions& o) { o.identity.cert_file = server_identity_.key_file; }, "no start line");
  expect([&](TlsOptions& o) { o.identity.key_file = folder_.Path("none"); }, "Failed to load private key: ");
  expect([&](TlsOptions& o) { o.identity.key_file = another.key_file; }, "key values mismatch");
  expect([&](TlsOptions& o) { o.identity = expired; }, "expired.crt: it has expired");
  expect([&](TlsOptions& o) { o.ca_cert_file = folder_.Path("none"); },
         "Failed to configure CA certificate(s) file/directory: ");
  expect([&](TlsOptions& o) { o.protocols = "TLSv1.2 SSLv3"; }, "Invalid tls-protocols specified.");
  expect([&](TlsOptions& o) { o.ciphers = "nonsense"; }, "Failed to configure ciphers: nonsense");
  expect([&](TlsOptions& o) { o.ciphersuites = "nonsense"; }, "Failed to configure ciphersuites: nonsense");
  expect([&](TlsOptions& o) { o.dh_params_file = server_identity_.cert_file; }, "Failed to load DH params");
  // Nobody is asked for a pass phrase, neither here nor at the terminal.
  auto without = [&](TlsOptions& o) {
    o.identity = locked;
    o.identity.key_pass.clear();
  };
  expect(without, "Failed to load private key: ");
  expect([&](TlsOptions& o) { o.identity = locked, o.identity.key_pass = "wrong"; },
         "Failed to load private key: ");
  EXPECT_EQ(error([&](TlsOptions& o) { o.identity = locked; }), "");
  EXPECT_EQ(error([&](TlsOptions& o) { o.protocols = " tlsv1.2   TLSv1.3 "; }), "");
}

}  // namespace
}  // namespace cinnabar::net
