// MIGRATE: moves keys to another server. It sends each as a RESTORE, and removes those that the target says
// it has taken.
//
//   keys that are there -> connection -> [AUTH] [SELECT] RESTORE ... -> replies -> remove what was
//   acknowledged
//
// The keys stay locked from the moment at which they are serialised until they are removed or not: nobody
// finds one here that is there already, and nothing that is written is left behind. What is done for other
// clients meanwhile stands in docs/design/migrate.md.
//
// A value is serialised when it is its turn to be sent, and a large one is sent from where it was serialised:
// beside the data set there is one such value at a time.
#include <fmt/format.h>

#include <optional>
#include <string>
#include <vector>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "commands/generic/removal.h"
#include "dispatch/args.h"
#include "dispatch/keys.h"
#include "dispatch/peers.h"
#include "persistence/dump_payload.h"
#include "protocol/encode_command.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::KeyPosition;
using dispatch::PeerLink;
using dispatch::Peers;
using keyspace::EntryRef;
using keyspace::Key;
using Step = PeerLink::Step;
namespace Flag = dispatch::Flag;
namespace KeyUse = dispatch::KeyUse;

constexpr std::string_view kCannotConnect = "IOERR error or timeout connecting to the client";
constexpr std::string_view kCannotWrite = "IOERR error or timeout writing to target instance";
constexpr std::string_view kCannotRead = "IOERR error or timeout reading to target instance";
constexpr std::string_view kKeyIsNotEmpty =
    "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string";

constexpr size_t kKeyAt = 3, kDatabaseAt = 4, kTimeoutAt = 5, kOptionsAt = 6;
constexpr Millis kDefaultTimeout = 1000;
constexpr uint16_t kUse = KeyUse::kRw | KeyUse::kAccess | KeyUse::kDelete;

struct Options {
  Peers::Place place;
  int64_t database = 0;
  Millis timeout = kDefaultTimeout;
  bool copy = false;
  bool replace = false;
  bool authenticates = false;
  bool names_user = false;
  size_t first_key = kKeyAt;
  size_t key_count = 1;
};

void ParseKeys(Call& call, Args& args, Options& options) {
  if (!call.arg(kKeyAt).empty()) return args.Fail(kKeyIsNotEmpty);
  options.first_key = args.position();
  options.key_count = args.left();
  args.Skip(args.left());
}

// The next argument, which nobody else shall see.
std::string_view Secret(Call& call, Args& args) {
  call.Redact(args.position());
  return args.Next();
}

Options ParseOptions(Call& call, Args& args) {
  Options options{.place = {.host = call.arg(1), .port = call.arg(2), .user = {}, .password = {}}};
  while (args.more() && !args.failed()) {
    if (args.Take("COPY")) {
      options.copy = true;
    } else if (args.Take("REPLACE")) {
      options.replace = true;
    } else if (args.TakeWith("AUTH")) {
      options.place.user = {};
      options.place.password = Secret(call, args);
      options.authenticates = true;
      options.names_user = false;
    } else if (args.TakeWith("AUTH2", 2)) {
      options.place.user = Secret(call, args);
      options.place.password = Secret(call, args);
      options.authenticates = options.names_user = true;
    } else if (args.Take("KEYS")) {
      ParseKeys(call, args, options);
    } else {
      args.FailSyntax();
    }
  }
  const auto timeout = ParseInt64(call.arg(kTimeoutAt));
  const auto database = ParseInt64(call.arg(kDatabaseAt));
  if (!timeout || !database) args.Fail(errors::kNotInteger);
  options.timeout = timeout && *timeout > 0 ? *timeout : kDefaultTimeout;
  options.database = database.value_or(0);
  return options;
}

void AppendBulk(std::string& out, std::string_view bytes) {
  fmt::format_to(std::back_inserter(out), "${}\r\n{}\r\n", bytes.size(), bytes);
}

// One MIGRATE, whose keys are locked.
class Migration {
 public:
  Migration(Call& call, const Options& options) : call_(call), options_(options) {}

  // False when none of the keys is there.
  bool FindKeys();
  void Run();

 private:
  // Over one connection. False when it is of no use any more: error_ and timed_out_ say why.
  bool Try(PeerLink& link);
  bool SendAll(PeerLink& link);
  bool SendPreamble(PeerLink& link);
  bool SendKey(PeerLink& link, const Key& key);
  bool Send(PeerLink& link, std::string_view bytes);
  bool SendBuffered(PeerLink& link);
  bool ReceiveAll(PeerLink& link);
  // Whether the target says OK; nothing when there is no answer.
  std::optional<bool> Receive(PeerLink& link);
  bool Failed(Step step, std::string_view error);
  void RemoveAcknowledged();

  Call& call_;
  const Options& options_;
  std::vector<Key> keys_;
  std::string buffer_;   // to be sent
  size_t preamble_ = 0;  // requests in front of those for the keys
  std::vector<Key> acknowledged_;
  std::string refusal_;  // the first error of the target
  std::string_view error_;
  bool timed_out_ = false;
};

bool Migration::FindKeys() {
  for (size_t i = 0; i < options_.key_count; ++i) {
    const Key key = call_.key(options_.first_key + i);
    if (call_.db().FindRead(key)) keys_.push_back(key);
  }
  return !keys_.empty();
}

// A connection that was kept may turn out to be dead: then a new one is tried.
void Migration::Run() {
  Peers& peers = *call_.services().peers;
  for (Peers::Which which = Peers::Which::kAny;; which = Peers::Which::kNew) {
    Peers::Opened opened = peers.Open(call_, options_.place, options_.timeout, which);
    if (opened.link == nullptr) {
      const bool refused = opened.refusal == Peers::Refusal::kRefused;
      return call_.reply().Error(refused ? kCannotWrite : kCannotConnect);
    }
    const bool may_be_dead = opened.link->kept;
    if (Try(*opened.link)) {
      opened.link->database = refusal_.empty() ? options_.database : -1;
      peers.Keep(call_, std::move(opened.link));
      break;
    }
    if (!may_be_dead || timed_out_ || !acknowledged_.empty() || !refusal_.empty()) break;
    error_ = {};
  }
  if (!options_.copy) RemoveAcknowledged();
  if (!error_.empty()) return call_.reply().Error(error_);
  if (refusal_.empty()) return call_.reply().Ok();
  call_.reply().Error(fmt::format("ERR Target instance replied with error: {}", refusal_));
}

bool Migration::Try(PeerLink& link) {
  return SendAll(link) && ReceiveAll(link);
}

bool Migration::Failed(Step step, std::string_view error) {
  timed_out_ = step == Step::kTimedOut;
  error_ = error;
  return false;
}

// ---- what is sent ----

bool Migration::SendAll(PeerLink& link) {
  buffer_.clear();
  if (!SendPreamble(link)) return false;
  for (const Key& key : keys_) {
    if (!SendKey(link, key)) return false;
    call_.Yield();
  }
  return SendBuffered(link);
}

bool Migration::SendPreamble(PeerLink& link) {
  preamble_ = 0;
  const Peers::Place& place = options_.place;
  if (options_.authenticates) {
    std::vector<std::string_view> words = {"AUTH"};
    if (options_.names_user) words.push_back(place.user);
    words.push_back(place.password);
    protocol::EncodeCommand(words, buffer_);
    ++preamble_;
  }
  if (link.database != options_.database) {
    const std::string database = Int64ToString(options_.database);
    protocol::EncodeCommand(std::vector<std::string_view>{"SELECT", database}, buffer_);
    ++preamble_;
  }
  return true;
}

bool Migration::SendKey(PeerLink& link, const Key& key) {
  const EntryRef entry = call_.db().Peek(key);
  CHECK(entry);  // it is locked, and the time of a command stands still
  const Millis expiry = entry->expiry();
  const Millis ttl = expiry == keyspace::kNever ? 0 : std::max<Millis>(expiry - call_.now(), 1);
  using persistence::Compression;
  const bool compress = call_.settings().persistence.rdbcompression;
  const std::string payload =
      persistence::DumpPayload(*entry, compress ? Compression::kLzf : Compression::kNone);
  // In a cluster the slot is still ours, and the target takes the key although it is.
  const std::string_view command = call_.settings().cluster.enabled ? "RESTORE-ASKING" : "RESTORE";
  fmt::format_to(std::back_inserter(buffer_), "*{}\r\n", options_.replace ? 5 : 4);
  AppendBulk(buffer_, command);
  AppendBulk(buffer_, key.bytes);
  AppendBulk(buffer_, Int64ToString(ttl));
  fmt::format_to(std::back_inserter(buffer_), "${}\r\n", payload.size());
  if (payload.size() < PeerLink::kPieceBytes) {
    buffer_ += payload;
  } else if (!SendBuffered(link) || !Send(link, payload)) {
    return false;
  }
  buffer_ += "\r\n";
  if (options_.replace) AppendBulk(buffer_, "REPLACE");
  return buffer_.size() < PeerLink::kPieceBytes || SendBuffered(link);
}

bool Migration::Send(PeerLink& link, std::string_view bytes) {
  const Step step = link.Send(call_, bytes, options_.timeout);
  return step == Step::kDone || Failed(step, kCannotWrite);
}

bool Migration::SendBuffered(PeerLink& link) {
  const bool sent = Send(link, buffer_);
  buffer_.clear();
  return sent;
}

// ---- what comes back ----

bool Migration::ReceiveAll(PeerLink& link) {
  bool ready = true;  // the target is in the state in which it shall take the keys
  for (size_t i = 0; i < preamble_; ++i) {
    const std::optional<bool> accepted = Receive(link);
    if (!accepted) return false;
    ready = ready && *accepted;
  }
  for (const Key& key : keys_) {
    const std::optional<bool> accepted = Receive(link);
    if (!accepted) return false;
    if (ready && *accepted) acknowledged_.push_back(key);
  }
  return true;
}

std::optional<bool> Migration::Receive(PeerLink& link) {
  protocol::Reply reply;
  const Step step = link.Receive(call_, reply, options_.timeout);
  if (step != Step::kDone) {
    Failed(step, kCannotRead);
    return std::nullopt;
  }
  if (reply.kind == protocol::Reply::Kind::kSimple) return true;
  if (!reply.is_error()) {
    // Nothing that we have asked for is answered with it: whoever speaks there may not have taken the key.
    Failed(Step::kFailed, kCannotRead);
    return std::nullopt;
  }
  if (refusal_.empty()) refusal_ = reply.text;
  return false;
}

void Migration::RemoveAcknowledged() {
  const bool lazy = call_.settings().memory.lazyfree_lazy_server_del;
  std::vector<std::string_view> words = {"DEL"};
  for (const Key& key : acknowledged_) {
    const EntryRef entry = call_.db().FindToChange(key, keyspace::Use::kSilent);
    if (!entry) continue;  // it was named twice
    Remove(call_, call_.db(), key, entry, lazy ? Freeing::kInBackground : Freeing::kAtOnce);
    call_.Changed(config::kNotifyGeneric, "del", key);
    words.push_back(key.bytes);
  }
  if (words.size() > 1) call_.Propagate(words);
}

void Migrate(Call& call) {
  Args args(call, kOptionsAt);
  const Options options = ParseOptions(call, args);
  if (args.failed()) return args.Reply(call);
  Migration migration(call, options);
  if (!migration.FindKeys()) return call.reply().Simple("NOKEY");
  migration.Run();
}

// As ParseOptions, but whoever calls cannot be told of an error: then there are no keys.
bool KeysOfMigrate(std::span<const std::string_view> argv, std::vector<KeyPosition>& keys) {
  for (size_t i = kOptionsAt; i < argv.size(); ++i) {
    if (dispatch::SameWord(argv[i], "AUTH")) {
      i += 1;
    } else if (dispatch::SameWord(argv[i], "AUTH2")) {
      i += 2;
    } else if (dispatch::SameWord(argv[i], "KEYS")) {
      if (!argv[kKeyAt].empty()) return false;
      if (i + 1 == argv.size()) break;
      for (++i; i < argv.size(); ++i) keys.push_back({static_cast<uint32_t>(i), kUse});
      return true;
    }
  }
  if (argv.size() > kKeyAt) keys.push_back({kKeyAt, kUse});
  return true;
}

constexpr CommandSpec kTable[] = {{
    .name = "migrate",
    .synopsis = "host:string port:integer key_or_empty_string:(key|\"\":pure-token empty_string) "
                "destination-db:integer timeout:integer [COPY]@3.0.0 [REPLACE]@3.0.0 "
                "authentication:[[AUTH password:string]@4.0.7|"
                "[AUTH2 username:string password:string]@6.0.0] [KEYS:key key...]@3.0.6",
    .summary = "Moves keys to another server.",
    .since = "2.6.0",
    .group = "generic",
    .complexity =
        "That of DUMP and DEL here and of RESTORE there, for each key, and O(N) for the N bytes sent.",
    .arity = -6,
    .flags = Flag::kWrite | Flag::kAwaitsPeer,
    .categories = "dangerous",
    .keys = {{.use = kUse, .first = kKeyAt},
             {.use = kUse | KeyUse::kIncomplete, .first = -2, .keyword = "KEYS", .last = -1}},
    .tips = "nondeterministic_output",
    .history = "3.0.0: Added the `COPY` and `REPLACE` options.|3.0.6: Added the `KEYS` option.|4.0.7: Added "
               "the `AUTH` option.|6.0.0: Added the `AUTH2` option.",
    .find_keys = KeysOfMigrate,
    .run = Migrate,
}};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kGenericMigrateCommands{kTable};

}  // namespace cinnabar::commands
