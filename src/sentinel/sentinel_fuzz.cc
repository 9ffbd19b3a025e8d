// Any config lines are taken or refused; what was taken is written and taken again. Then anything may arrive
// on any connection.
//
// The input: lines of a config file; behind a line "---", one event a line: a letter, then its bytes.
#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "config/line.h"
#include "sentinel/sentinel.h"

using namespace cinnabar;
using namespace cinnabar::sentinel;

namespace {

class Port final : public SentinelPort {
 public:
  void Connect(ConnectionId id, const Address&) override { open.push_back(id); }
  void Send(ConnectionId, std::span<const std::string_view>) override {}
  void Close(ConnectionId id) override { std::erase(open, id); }
  std::optional<std::string> Resolve(const std::string&) override { return std::nullopt; }
  void Announce(LogLevel, std::string_view, std::string_view) override {}
  void Log(LogLevel, std::string_view) override {}
  Status Save() override { return {}; }
  bool MayRun(const std::string&) override { return true; }
  Result<int64_t> StartScript(const ScriptCall&) override { return 1; }
  void KillScript(uint64_t) override {}
  void Crash() override {}

  std::vector<ConnectionId> open;
};

std::vector<Sentinel::Directive> Directives(const std::vector<std::string>& lines) {
  std::vector<Sentinel::Directive> directives;
  for (const std::string& line : lines) {
    if (auto words = config::SplitLine(line)) directives.push_back({std::move(*words), directives.size()});
  }
  return directives;
}

void Happen(std::string_view line, Port& port, ManualClock& clock, Sentinel& sentinel) {
  if (line.empty()) return;
  const std::string_view rest = line.substr(1);
  const ConnectionId id = port.open.empty() ? 1 : port.open[rest.size() % port.open.size()];
  using protocol::Reply;
  switch (line[0]) {
    case 't':
      clock.AdvanceMillis(static_cast<Millis>(rest.size()) * 50);
      return sentinel.OnTick();
    case 'c':
      return sentinel.Connected(id, "10.0.0.1");
    case 'x':
      std::erase(port.open, id);
      return sentinel.Closed(id);
    case 'h':
      return sentinel.TakeHello(rest);
    case 'v':
      sentinel.OpinionOf("10.0.0.1", 6379, rest.size(), rest);
      return;
    case 'e':
      return sentinel.Received(id, {.kind = Reply::Kind::kError, .text = std::string(rest)});
    default:
      return sentinel.Received(id, {.kind = Reply::Kind::kBulk, .text = std::string(rest)});
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> lines, events;
  bool behind = false;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line == "---") behind = true;
    (behind ? events : lines).push_back(line);
  }
  if (!behind) return 0;
  Port port;
  ManualClock clock;
  const Sentinel::Setup setup{.port = port, .clock = clock, .seed = 1};
  Sentinel sentinel(setup);
  if (sentinel.Load(Directives(lines))) return 0;
  CHECK(sentinel.Start().has_value());
  for (const std::string& event : events) Happen(event, port, clock, sentinel);
  Port other_port;
  Sentinel again(Sentinel::Setup{.port = other_port, .clock = clock, .seed = 1});
  const auto written = sentinel.Lines();
  CHECK(!again.Load(Directives(written)));
  CHECK(again.Lines() == written);
  return 0;
}
