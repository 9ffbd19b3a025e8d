#include "server/sentinel_lines.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "config/line.h"
#include "server/known_names.h"
#include "server/script_processes.h"

namespace cinnabar::server {

using sentinel::Sentinel;

namespace {

// Somebody waits for the start, but where names are not looked up later an answer is worth waiting for.
constexpr Millis kNamePatience = 5000;

// What a machine may ask for while it loads its lines; it does nothing yet.
class NoWorld final : public sentinel::SentinelPort {
 public:
  explicit NoWorld(KnownNames& names) : names_(names) {}
  void Connect(sentinel::ConnectionId, const sentinel::Address&) override {}
  void Send(sentinel::ConnectionId, std::span<const std::string_view>) override {}
  void Close(sentinel::ConnectionId) override {}
  std::optional<std::string> Resolve(const std::string& name) override { return names_.Find(name, 0); }
  void Announce(LogLevel, std::string_view, std::string_view) override {}
  void Log(LogLevel, std::string_view) override {}
  Status Save() override { return {}; }
  bool MayRun(const std::string& path) override { return MayExecute(path); }
  Result<int64_t> StartScript(const sentinel::ScriptCall&) override { return 0; }
  void KillScript(uint64_t) override {}
  void Crash() override {}

 private:
  KnownNames& names_;
};

std::optional<Sentinel::DirectiveError> Try(const std::vector<Sentinel::Directive>& lines,
                                            KnownNames& names) {
  NoWorld world(names);
  SystemClock clock;
  Sentinel machine({.port = world, .clock = clock});
  return machine.Load(lines);
}

// The line without what may be a comment behind it; none if there is none.
std::optional<std::vector<std::string>> WithoutComment(const config::Directive& directive) {
  const auto text = config::TextBeforeComment(directive.line);
  auto words = text ? config::SplitLine(*text) : std::nullopt;
  if (!words || words->empty() || words->size() > directive.arguments.size()) return std::nullopt;
  words->erase(words->begin());
  return words;
}

// The lines as they can be loaded. A line that is refused may end with a comment; what is wrong without that
// is told then.
Result<std::vector<Sentinel::Directive>> Readable(const config::Config& config) {
  const std::vector<config::Directive> directives = config.Directives("sentinel");
  std::vector<Sentinel::Directive> lines;
  for (const config::Directive& directive : directives) lines.push_back({directive.arguments, lines.size()});
  KnownNames names(kNamePatience);
  std::optional<Sentinel::DirectiveError> error = Try(lines, names);
  while (error) {
    const config::Directive& refused = directives[error->number];
    std::vector<std::string>& words = lines[error->number].words;
    auto shorter = WithoutComment(refused);
    if (!shorter || *shorter == words) return Fail(config.FatalText(refused, error->reason));
    words = *std::move(shorter);
    error = Try(lines, names);
  }
  return lines;
}

}  // namespace

Status CheckSentinelLines(const config::Config& config) {
  TRY(Readable(config));
  return {};
}

Status LoadSentinelLines(const config::Config& config, Sentinel& machine) {
  const auto error = machine.Load(TRY(Readable(config)));
  if (!error) return {};
  return Fail(config.FatalText(config.Directives("sentinel")[error->number], error->reason));
}

}  // namespace cinnabar::server
