// Who may connect, how, and what a connection may cost.
#include "config/internal/param.h"
#include "config/internal/special_values.h"

namespace cinnabar::config {

namespace {

constexpr int64_t kMegabyte = 1024 * 1024;

constexpr ChoiceName kTlsAuthNames[] = {
    {"no", TlsAuthClients::kNo}, {"yes", TlsAuthClients::kYes}, {"optional", TlsAuthClients::kOptional}};
constexpr ChoiceName kPermissions[] = {
    {"no", Permission::kNo}, {"yes", Permission::kYes}, {"local", Permission::kLocal}};
constexpr ChoiceName kPubsubDefaults[] = {{"allchannels", PubsubDefault::kAllChannels},
                                          {"resetchannels", PubsubDefault::kResetChannels}};

constexpr Param kNetwork[] = {
    {.name = "bind",
     .value = &kBindValue,
     .flags = kMultiArg,
     .doc =
         "The addresses to listen on. * and ::* stand for all; a leading - tolerates that an address is not "
         "there. Before you open it to a network, set passwords and read about protected-mode."},
    {.name = "bind-source-addr",
     .value = Text{At<&Network::bind_source_addr>},
     .doc = "The address that outgoing connections come from; empty leaves it to the kernel."},
    {.name = "protected-mode",
     .value = YesNo{At<&Network::protected_mode>},
     .doc = "Refuse clients of other machines as long as the default user has no password. The environment "
            "variable CINNABAR_PROTECTED_MODE=no changes the default, as the container image does."},
    {.name = "port",
     .value = Integer{At<&Network::port>, 0, kMaxPort},
     .doc = "The TCP port. 0 does not listen on TCP."},
    {.name = "tcp-backlog",
     .value = Integer{At<&Network::tcp_backlog>, 0, kMaxInt},
     .flags = kImmutable,
     .doc = "How many connections may wait to be accepted; the kernel caps it at net.core.somaxconn."},
    {.name = "unixsocket",
     .value = Text{At<&Network::unixsocket>},
     .flags = kImmutable,
     .doc = "Path of a Unix socket to listen on; empty for none."},
    {.name = "unixsocketperm",
     .value = Octal{At<&Network::unixsocketperm>},
     .flags = kImmutable,
     .doc = "Permissions of that socket, such as 700; 0 leaves them to the umask."},
    {.name = "timeout",
     .value = Integer{At<&Network::timeout_seconds>, 0, kMaxInt},
     .doc = "Close a client that was idle for so many seconds; 0 never does."},
    {.name = "tcp-keepalive",
     .value = Integer{At<&Network::tcp_keepalive_seconds>, 0, kMaxInt},
     .doc = "Seconds of silence after which the kernel probes whether the peer is alive; 0 does not probe."},
    {.name = "socket-mark-id",
     .value = Integer{At<&Network::socket_mark_id>, 0, kMaxUnsigned},
     .flags = kImmutable | kNotYet,
     .doc = "A firewall mark for all sockets; 0 for none."},
    {.name = "max-new-connections-per-cycle",
     .value = Integer{At<&Network::max_new_connections_per_cycle>, 1, 1000},
     .flags = kHidden | kNewer | kNotYet,
     .doc = "How many connections to accept in one round of the event loop."},
    {.name = "max-new-tls-connections-per-cycle",
     .value = Integer{At<&Network::max_new_tls_connections_per_cycle>, 1, 1000},
     .flags = kHidden | kNewer,
     .doc = "How many TLS handshakes to go on with in one round of the event loop of a core, so that many at "
            "once do not keep other clients waiting."},
};

constexpr Param kTls[] = {
    {.name = "tls-port",
     .value = Integer{At<&Tls::port>, 0, kMaxPort},
     .doc = "The port for TLS connections; 0 for none. With port 0 the server speaks TLS only."},
    {.name = "tls-cert-file",
     .value = Text{At<&Tls::cert_file>},
     .flags = kVolatile,
     .doc = "The server's certificate, in PEM form."},
    {.name = "tls-key-file",
     .value = Text{At<&Tls::key_file>},
     .flags = kVolatile,
     .doc = "The private key of that certificate."},
    {.name = "tls-key-file-pass",
     .value = Text{At<&Tls::key_file_pass>},
     .flags = kSecret,
     .doc = "The pass phrase of that key, when it has one."},
    {.name = "tls-client-cert-file",
     .value = Text{At<&Tls::client_cert_file>},
     .flags = kVolatile,
     .doc = "Another certificate for connections that this server opens; empty uses the server's."},
    {.name = "tls-client-key-file",
     .value = Text{At<&Tls::client_key_file>},
     .flags = kVolatile,
     .doc = "The private key of the client certificate."},
    {.name = "tls-client-key-file-pass",
     .value = Text{At<&Tls::client_key_file_pass>},
     .flags = kSecret,
     .doc = "The pass phrase of that key."},
    {.name = "tls-dh-params-file",
     .value = Text{At<&Tls::dh_params_file>},
     .flags = kVolatile,
     .doc = "Diffie-Hellman parameters; only old OpenSSL versions want them."},
    {.name = "tls-ca-cert-file",
     .value = Text{At<&Tls::ca_cert_file>},
     .flags = kVolatile,
     .doc = "The certificates of the authorities that peers are checked against."},
    {.name = "tls-ca-cert-dir",
     .value = Text{At<&Tls::ca_cert_dir>},
     .flags = kVolatile,
     .doc = "A directory of such certificates."},
    {.name = "tls-auth-clients",
     .value = OneOf<&Tls::auth_clients>(kTlsAuthNames),
     .doc = "Whether clients must show a certificate; optional checks one only when it is shown."},
    {.name = "tls-replication", .value = YesNo{At<&Tls::replication>}, .doc = "Use TLS towards the master."},
    {.name = "tls-cluster",
     .value = YesNo{At<&Tls::cluster>},
     .doc = "Use TLS on the cluster bus, and towards the targets of MIGRATE."},
    {.name = "tls-protocols",
     .value = Text{At<&Tls::protocols>},
     .doc = "The protocol versions to allow, as in \"TLSv1.2 TLSv1.3\"; empty means these two."},
    {.name = "tls-ciphers",
     .value = Text{At<&Tls::ciphers>},
     .doc = "Ciphers up to TLS 1.2, in OpenSSL's notation."},
    {.name = "tls-ciphersuites", .value = Text{At<&Tls::ciphersuites>}, .doc = "Cipher suites of TLS 1.3."},
    {.name = "tls-prefer-server-ciphers",
     .value = YesNo{At<&Tls::prefer_server_ciphers>},
     .doc = "Let the server's order of ciphers win over the client's."},
    {.name = "tls-session-caching",
     .value = YesNo{At<&Tls::session_caching>},
     .doc = "Let clients resume sessions, which makes reconnecting cheaper."},
    {.name = "tls-session-cache-size",
     .value = Integer{At<&Tls::session_cache_size>, 0, kMaxInt},
     .doc = "How many sessions to keep; 0 is unlimited."},
    {.name = "tls-session-cache-timeout",
     .value = Integer{At<&Tls::session_cache_timeout_seconds>, 0, kMaxInt},
     .doc = "How many seconds a session can be resumed."},
};

constexpr Param kClients[] = {
    {.name = "maxclients",
     .value = Integer{At<&Clients::maxclients>, 1, kMaxUnsigned},
     .doc = "How many clients may be connected at once. It is lowered at start when the process may not open "
            "that many files."},
    {.name = "maxmemory-clients",
     .value = &kMaxmemoryClientsValue,
     .doc = "Memory for all clients' buffers together; beyond it the greediest are disconnected. 0 is no "
            "limit."},
    {.name = "client-query-buffer-limit",
     .value = Bytes{At<&Clients::query_buffer_limit_bytes>, kMegabyte},
     .doc = "How much unparsed input one client may pile up before it is disconnected."},
    {.name = "proto-max-bulk-len",
     .value = Bytes{At<&Clients::proto_max_bulk_len_bytes>, kMegabyte},
     .doc = "The longest string that a client may send or build."},
    {.name = "client-output-buffer-limit",
     .value = &kOutputBufferLimitValue,
     .flags = kMultiArg,
     .doc =
         "Disconnect a client whose unread replies reach the hard limit, or stay above the soft limit for "
         "the given seconds. There is one limit for normal clients, one for replicas, one for subscribers; "
         "0 is none."},
    {.name = "tracking-table-max-keys",
     .value = Integer{At<&Clients::tracking_table_max_keys>},
     .doc = "How many keys client-side caching may remember; beyond it some are invalidated early. 0 is no "
            "limit."},
};

constexpr Param kSecurity[] = {
    {.name = "requirepass",
     .value = Text{At<&Security::requirepass>},
     .flags = kSecret,
     .doc = "The password of the default user; empty for none. Passwords can be tried fast: make it long."},
    {.name = "aclfile",
     .value = Text{At<&Security::aclfile>},
     .flags = kImmutable | kNotYet,
     .doc = "A file of users, one per line. It excludes `user` lines in the config file."},
    {.name = "acllog-max-len",
     .value = Integer{At<&Security::acllog_max_len>},
     .flags = kNotYet,
     .doc = "How many refusals ACL LOG remembers."},
    {.name = "acl-pubsub-default",
     .value = OneOf<&Security::acl_pubsub_default>(kPubsubDefaults),
     .flags = kNotYet,
     .doc = "Which channels a new user may use: none or all."},
    {.name = "enable-protected-configs",
     .value = OneOf<&Security::enable_protected_configs>(kPermissions),
     .flags = kImmutable,
     .doc = "Whether CONFIG SET may change dangerous directives such as dir: no, yes, or only from this "
            "machine."},
    {.name = "enable-debug-command",
     .value = OneOf<&Security::enable_debug_command>(kPermissions),
     .flags = kImmutable,
     .doc = "Whether DEBUG may be used: no, yes, or only from this machine."},
    {.name = "enable-module-command",
     .value = OneOf<&Security::enable_module_command>(kPermissions),
     .flags = kImmutable,
     .doc = "Whether MODULE may be used: no, yes, or only from this machine."},
    {.name = "enable-debug-assert",
     .value = YesNo{At<&Security::enable_debug_assert>},
     .flags = kImmutable | kHidden | kNewer | kNotYet,
     .doc = "Whether DEBUG ASSERT may crash the server."},
};

}  // namespace

constinit const std::span<const Param> kNetworkParams = kNetwork;
constinit const std::span<const Param> kTlsParams = kTls;
constinit const std::span<const Param> kClientParams = kClients;
constinit const std::span<const Param> kSecurityParams = kSecurity;

}  // namespace cinnabar::config
