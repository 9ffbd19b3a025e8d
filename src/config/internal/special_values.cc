#include "config/internal/special_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/ascii.h"
#include "base/numbers.h"
#include "base/quote.h"
#include "config/internal/values.h"
#include "config/line.h"

namespace cinnabar::config {

namespace {

using Arguments = std::span<const std::string>;

// These values were always read leniently: a plus sign and leading zeros are fine.
std::optional<int64_t> ParseLenient(std::string_view text) {
  bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  text.remove_prefix(std::min(text.find_first_not_of('0'), text.size() - 1));
  auto magnitude = ParseInt64(text);
  if (!magnitude) return std::nullopt;
  return negative ? -*magnitude : *magnitude;
}

std::optional<int64_t> ParseBytesLenient(std::string_view text) {
  if (text.empty()) return 0;
  auto bytes = ParseMemorySize(text);
  if (!bytes || *bytes > static_cast<uint64_t>(kMaxLong)) return std::nullopt;
  return static_cast<int64_t>(*bytes);
}

std::string Join(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

// --- save
// ---------------------------------------------------------------------------------------------------

Status ParseSave(Settings& settings, Arguments arguments, Write write) {
  std::vector<SavePoint>& points = settings.persistence.save;
  if (arguments.empty()) {
    points.clear();
    return {};
  }
  std::vector<SavePoint> added;
  if (arguments.size() % 2 != 0) return Fail("Invalid save parameters");
  for (size_t i = 0; i < arguments.size(); i += 2) {
    auto seconds = ParseLenient(arguments[i]);
    auto changes = ParseLenient(arguments[i + 1]);
    bool valid = seconds && changes && *seconds >= 1 && *changes >= 0 && *changes <= kMaxInt;
    if (!valid) return Fail("Invalid save parameters");
    added.push_back({*seconds, *changes});
  }
  if (write == Write::kReplace) points.clear();
  points.insert(points.end(), added.begin(), added.end());
  return {};
}

std::string FormatSave(const Settings& settings) {
  std::vector<std::string> words;
  for (const SavePoint& point : settings.persistence.save) {
    words.push_back(fmt::format("{} {}", point.seconds, point.changes));
  }
  return Join(words);
}

std::vector<RewriteLine> SaveLines(const Settings& now, const Settings& defaults) {
  const std::vector<SavePoint>& points = now.persistence.save;
  Presence presence = points != defaults.persistence.save ? Presence::kAlways : Presence::kWithAnyLine;
  if (points.empty()) return {{"\"\"", presence}};
  std::vector<RewriteLine> lines;
  for (const SavePoint& point : points) {
    lines.push_back({fmt::format("{} {}", point.seconds, point.changes), presence});
  }
  return lines;
}

// --- bind
// ---------------------------------------------------------------------------------------------------

constexpr size_t kMaxBindAddresses = 16;

Status ParseBind(Settings& settings, Arguments arguments, Write) {
  if (arguments.size() > kMaxBindAddresses) return Fail("Too many bind addresses specified.");
  bool none = arguments.size() == 1 && arguments[0].empty();
  settings.network.bind.assign(arguments.begin(), none ? arguments.begin() : arguments.end());
  return {};
}

std::string FormatBind(const Settings& settings) {
  return Join(settings.network.bind);
}

std::vector<RewriteLine> BindLines(const Settings& now, const Settings& defaults) {
  std::vector<std::string> words;
  for (const std::string& address : now.network.bind) words.push_back(QuoteArgumentIfNeeded(address));
  if (words.empty()) words.emplace_back("\"\"");
  bool changed = now.network.bind != defaults.network.bind;
  return {{Join(words), changed ? Presence::kAlways : Presence::kWithAnyLine}};
}

// --- client-output-buffer-limit
// -----------------------------------------------------------------------------

// `slave` is what CONFIG GET prints, `replica` what a config file gets.
constexpr std::array<std::string_view, kClientClasses> kClassNames = {"normal", "slave", "pubsub"};
constexpr std::array<std::string_view, kClientClasses> kClassFileNames = {"normal", "replica", "pubsub"};

size_t ClientClassNamed(std::string_view name) {
  for (size_t i = 0; i < kClientClasses; ++i) {
    if (SameWord(name, kClassNames[i]) || SameWord(name, kClassFileNames[i])) return i;
  }
  return kClientClasses;
}

Status ParseOutputBufferLimit(Settings& settings, Arguments arguments, Write) {
  if (arguments.size() % 4 != 0) return Fail("Wrong number of arguments in buffer limit configuration.");
  for (size_t i = 0; i < arguments.size(); i += 4) {
    size_t client_class = ClientClassNamed(arguments[i]);
    if (client_class == kClientClasses) {
      return Fail("Invalid client class specified in buffer limit configuration.");
    }
    auto hard = ParseBytesLenient(arguments[i + 1]);
    auto soft = ParseBytesLenient(arguments[i + 2]);
    auto seconds = ParseLenient(arguments[i + 3]);
    bool valid = hard && soft && seconds && *seconds >= 0;
    if (!valid) return Fail("Error in hard, soft or soft_seconds setting in buffer limit configuration.");
    settings.clients.output_buffer_limit[client_class] = {*hard, *soft, *seconds};
  }
  return {};
}

std::string FormatOutputBufferLimit(const Settings& settings) {
  std::vector<std::string> words;
  for (size_t i = 0; i < kClientClasses; ++i) {
    const BufferLimit& limit = settings.clients.output_buffer_limit[i];
    words.push_back(
        fmt::format("{} {} {} {}", kClassNames[i], limit.hard_bytes, limit.soft_bytes, limit.soft_seconds));
  }
  return Join(words);
}

std::vector<RewriteLine> OutputBufferLimitLines(const Settings& now, const Settings& defaults) {
  std::vector<RewriteLine> lines;
  for (size_t i = 0; i < kClientClasses; ++i) {
    const BufferLimit& limit = now.clients.output_buffer_limit[i];
    lines.push_back(
        {fmt::format("{} {} {} {}", kClassFileNames[i], FormatBytes(limit.hard_bytes),
                     FormatBytes(limit.soft_bytes), limit.soft_seconds),
         limit != defaults.clients.output_buffer_limit[i] ? Presence::kAlways : Presence::kIfLineIsLeft});
  }
  return lines;
}

// --- maxmemory-clients
// --------------------------------------------------------------------------------------

Status ParseMaxmemoryClients(Settings& settings, Arguments arguments, Write) {
  const std::string& text = arguments[0];
  MemoryShare& share = settings.clients.maxmemory_clients;
  if (text.ends_with('%')) {
    auto percent = ParseInt64(std::string_view(text).substr(0, text.size() - 1));
    if (!percent || *percent < 0) return Fail("argument must be a memory or percent value");
    if (*percent > 100) return Fail("percentage argument must be less or equal to 100");
    share = {*percent, true};
    return {};
  }
  auto bytes = ParseBytesLenient(text);
  if (!bytes) return Fail("argument must be a memory or percent value");
  share = {*bytes, false};
  return {};
}

std::string FormatMaxmemoryClients(const Settings& settings) {
  const MemoryShare& share = settings.clients.maxmemory_clients;
  return fmt::format("{}{}", share.amount, share.is_percent ? "%" : "");
}

// --- notify-keyspace-events
// ---------------------------------------------------------------------------------

struct EventLetter {
  char letter;
  uint32_t bits;
};
constexpr EventLetter kEventLetters[] = {
    {'A', kNotifyAll},      {'g', kNotifyGeneric},  {'$', kNotifyString},    {'l', kNotifyList},
    {'s', kNotifySet},      {'h', kNotifyHash},     {'z', kNotifySortedSet}, {'x', kNotifyExpired},
    {'e', kNotifyEvicted},  {'t', kNotifyStream},   {'d', kNotifyModule},    {'n', kNotifyNew},
    {'K', kNotifyKeyspace}, {'E', kNotifyKeyevent}, {'m', kNotifyMiss},
};

Status ParseNotifyEvents(Settings& settings, Arguments arguments, Write) {
  uint32_t bits = 0;
  for (char c : arguments[0]) {
    const auto* known = std::ranges::find(kEventLetters, c, &EventLetter::letter);
    if (known == std::end(kEventLetters)) {
      return Fail("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
    }
    bits |= known->bits;
  }
  settings.observation.notify_keyspace_events = bits;
  return {};
}

std::string FormatNotifyEvents(const Settings& settings) {
  std::string text;
  uint32_t left = settings.observation.notify_keyspace_events;
  for (const EventLetter& event : kEventLetters) {
    if ((left & event.bits) != event.bits) continue;
    text += event.letter;
    left &= ~event.bits;
  }
  return text;
}

std::vector<RewriteLine> NotifyEventsLines(const Settings& now, const Settings& defaults) {
  bool changed = now.observation.notify_keyspace_events != defaults.observation.notify_keyspace_events;
  return {{Quoted(FormatNotifyEvents(now)), changed ? Presence::kAlways : Presence::kWithAnyLine}};
}

// --- latency-tracking-info-percentiles
// ----------------------------------------------------------------------

Status ParsePercentiles(Settings& settings, Arguments arguments, Write) {
  std::vector<double> percentiles;
  bool none = arguments.size() == 1 && arguments[0].empty();
  for (const std::string& text : arguments.subspan(none ? 1 : 0)) {
    auto value = ParseDouble(text);
    if (!value) return Fail("Invalid latency-tracking-info-percentiles parameters");
    if (*value < 0 || *value > 100) {
      return Fail("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]");
    }
    percentiles.push_back(*value);
  }
  settings.observation.latency_tracking_info_percentiles = std::move(percentiles);
  return {};
}

std::string FormatPercentiles(const Settings& settings) {
  std::vector<std::string> words;
  for (double percentile : settings.observation.latency_tracking_info_percentiles) {
    std::string text = fmt::format("{:.6f}", percentile);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
    words.push_back(std::move(text));
  }
  return Join(words);
}

// --- oom-score-adj-values
// -----------------------------------------------------------------------------------

Status ParseOomScoreValues(Settings& settings, Arguments arguments, Write) {
  std::array<int64_t, 3>& values = settings.general.oom_score_adj_values;
  if (arguments.size() != values.size()) return Fail("wrong number of arguments");
  for (size_t i = 0; i < values.size(); ++i) {
    auto value = ParseLenient(arguments[i]);
    if (!value || *value < -2000 || *value > 2000) {
      return Fail("Invalid oom-score-adj-values, elements must be between -2000 and 2000.");
    }
    values[i] = *value;
  }
  return {};
}

std::string FormatOomScoreValues(const Settings& settings) {
  return fmt::format("{}", fmt::join(settings.general.oom_score_adj_values, " "));
}

// --- replicaof
// ----------------------------------------------------------------------------------------------

Status ParseReplicaof(Settings& settings, Arguments arguments, Write) {
  if (arguments.size() != 2) return Fail("wrong number of arguments");
  MasterAddress& master = settings.replication.replicaof;
  if (SameWord(arguments[0], "no") && SameWord(arguments[1], "one")) {
    master = {};
    return {};
  }
  auto port = ParseLenient(arguments[1]);
  if (!port || *port < 0 || *port > kMaxPort) return Fail("Invalid master port");
  master = {arguments[0], *port};
  return {};
}

std::string FormatReplicaof(const Settings& settings) {
  const MasterAddress& master = settings.replication.replicaof;
  return master.host.empty() ? "" : fmt::format("{} {}", master.host, master.port);
}

std::vector<RewriteLine> ReplicaofLines(const Settings& now, const Settings&) {
  const MasterAddress& master = now.replication.replicaof;
  // Whom a cluster node follows stands in its own file.
  if (master.host.empty() || now.cluster.enabled) return {};
  return {{fmt::format("{} {}", QuoteArgumentIfNeeded(master.host), master.port), Presence::kAlways}};
}

// --- shutdown-on-sigint, shutdown-on-sigterm
// ----------------------------------------------------------------

struct ShutdownWord {
  std::string_view text;
  bool ShutdownChoices::*member;
};
constexpr ShutdownWord kShutdownWords[] = {{"save", &ShutdownChoices::save},
                                           {"nosave", &ShutdownChoices::nosave},
                                           {"now", &ShutdownChoices::now},
                                           {"force", &ShutdownChoices::force}};

Status ParseShutdown(ShutdownChoices& choices, Arguments arguments) {
  choices = {};
  auto known = [&](const std::string& text) {
    if (SameWord(text, "default")) return true;
    for (const ShutdownWord& word : kShutdownWords) {
      if (SameWord(text, word.text)) return choices.*word.member = true;
    }
    return false;
  };
  if (arguments.empty() || !std::ranges::all_of(arguments, known)) {
    return Fail("argument(s) must be one of the following: default, save, nosave, now, force");
  }
  if (choices.save && choices.nosave) {
    return Fail("shutdown options SAVE and NOSAVE can't be used simultaneously");
  }
  return {};
}

std::string FormatShutdown(const ShutdownChoices& choices) {
  std::vector<std::string> words;
  for (const ShutdownWord& word : kShutdownWords) {
    if (choices.*word.member) words.emplace_back(word.text);
  }
  return words.empty() ? "default" : Join(words);
}

template <ShutdownChoices General::*signal>
constexpr Special kShutdownValue = {
    .parse = [](Settings& settings, Arguments arguments,
                Write) { return ParseShutdown(settings.general.*signal, arguments); },
    .format = [](const Settings& settings) { return FormatShutdown(settings.general.*signal); },
    .syntax = "default, or some of: save nosave now force",
};

bool IsFileName(std::string_view text) {
  return text.find('/') == std::string_view::npos;
}

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

constinit const Special kSaveValue = {ParseSave, FormatSave, SaveLines,
                                      "seconds changes [seconds changes …], or \"\""};
constinit const Special kBindValue = {ParseBind, FormatBind, BindLines,
                                      "address [address …], - before one: may be missing"};
constinit const Special kOutputBufferLimitValue = {
    ParseOutputBufferLimit, FormatOutputBufferLimit, OutputBufferLimitLines,
    "normal|replica|pubsub hard-bytes soft-bytes soft-seconds"};
constinit const Special kMaxmemoryClientsValue = {ParseMaxmemoryClients, FormatMaxmemoryClients, nullptr,
                                                  "bytes, or a percentage of maxmemory"};
constinit const Special kNotifyEventsValue = {ParseNotifyEvents, FormatNotifyEvents, NotifyEventsLines,
                                              "letters out of KEg$lshzxetdmnA, or \"\""};
constinit const Special kPercentilesValue = {ParsePercentiles, FormatPercentiles, nullptr,
                                             "percentile [percentile …], or \"\""};
constinit const Special kOomScoreValuesValue = {ParseOomScoreValues, FormatOomScoreValues, nullptr,
                                                "master replica background-child, each -2000 to 2000"};
constinit const Special kReplicaofValue = {ParseReplicaof, FormatReplicaof, ReplicaofLines,
                                           "host port, or: no one"};
constinit const Special kShutdownOnSigintValue = kShutdownValue<&General::shutdown_on_sigint>;
constinit const Special kShutdownOnSigtermValue = kShutdownValue<&General::shutdown_on_sigterm>;

std::string_view RefuseTitleTemplate(std::string_view text) {
  constexpr std::string_view kComplaint = "template format is invalid or contains unknown variables";
  constexpr std::string_view kVariables[] = {"title",    "listen-addr", "server-mode", "port",
                                             "tls-port", "unixsocket",  "config-file"};
  if (text.empty()) return kComplaint;
  for (size_t open = text.find('{'); open != std::string_view::npos; open = text.find('{', open)) {
    size_t close = text.find('}', open);
    if (close == std::string_view::npos) return kComplaint;
    std::string_view variable = text.substr(open + 1, close - open - 1);
    if (std::ranges::find(kVariables, variable) == std::end(kVariables)) return kComplaint;
    open = close;
  }
  return {};
}

std::string_view RefuseDatabaseFileName(std::string_view text) {
  return IsFileName(text) ? "" : "dbfilename can't be a path, just a filename";
}

std::string_view RefuseAppendFileName(std::string_view text) {
  if (text.empty()) return "appendfilename can't be empty";
  return IsFileName(text) ? "" : "appendfilename can't be a path, just a filename";
}

std::string_view RefuseAppendDirectoryName(std::string_view text) {
  if (text.empty()) return "appenddirname can't be empty";
  return IsFileName(text) ? "" : "appenddirname can't be a path, just a dirname";
}

std::string_view RefuseAddress(std::string_view text) {
  if (text.size() > 45) return "Addresses must be less than 46 characters";
  const bool valid = std::ranges::all_of(text, [](char c) {
    return IsAlphanumeric(c) || std::string_view(".:-_%").find(c) != std::string_view::npos;
  });
  return valid ? "" : "An address consists of alphanumeric characters and .:-_%";
}

std::string_view RefuseHostname(std::string_view text) {
  if (text.size() >= 256) return "Hostnames must be less than 256 characters";
  bool valid = std::ranges::all_of(text, [](char c) { return IsAlphanumeric(c) || c == '-' || c == '.'; });
  return valid ? "" : "Hostnames may only contain alphanumeric characters, hyphens or dots";
}

std::string_view RefuseNodeName(std::string_view text) {
  if (text.size() >= 128) return "Human node names must be less than 128 characters";
  constexpr std::string_view kForbidden = "!#$%&()*+:;<>?@[]^{|}~,=\"'\\/ \t\r\n";
  const bool valid = text.find_first_of(kForbidden) == std::string_view::npos &&
                     std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
  return valid ? "" : "Announced human node name contained invalid character";
}

}  // namespace cinnabar::config
