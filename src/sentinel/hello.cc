#include "sentinel/hello.h"

#include <fmt/format.h>

#include <array>

#include "base/numbers.h"

namespace cinnabar::sentinel {
namespace {

constexpr size_t kFields = 8;
constexpr size_t kTextMax = 64 * 1024;

std::optional<int> ParsePort(std::string_view text) {
  const auto port = ParseInt64(text);
  if (!port || *port < 0 || *port > 65535) return std::nullopt;
  return static_cast<int>(*port);
}

std::optional<uint64_t> ParseEpoch(std::string_view text) {
  const auto epoch = ParseInt64(text);
  if (!epoch || *epoch < 0) return std::nullopt;
  return static_cast<uint64_t>(*epoch);
}

}  // namespace

std::string EncodeHello(const Hello& hello) {
  return fmt::format("{},{},{},{},{},{},{},{}", hello.host, hello.port, hello.run_id, hello.current_epoch,
                     hello.primary_name, hello.primary_host, hello.primary_port, hello.config_epoch);
}

std::optional<Hello> ParseHello(std::string_view text) {
  if (text.size() > kTextMax) return std::nullopt;
  std::array<std::string_view, kFields> fields;
  for (size_t i = 0; i < kFields; ++i) {
    const size_t end = text.find(',');
    if ((end == std::string_view::npos) != (i + 1 == kFields)) return std::nullopt;
    fields[i] = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  const auto port = ParsePort(fields[1]);
  const auto current_epoch = ParseEpoch(fields[3]);
  const auto primary_port = ParsePort(fields[6]);
  const auto config_epoch = ParseEpoch(fields[7]);
  if (!port || !current_epoch || !primary_port || !config_epoch) return std::nullopt;
  if (fields[0].empty() || fields[2].empty() || fields[4].empty() || fields[5].empty()) return std::nullopt;
  return Hello{.host = std::string(fields[0]),
               .port = *port,
               .run_id = std::string(fields[2]),
               .current_epoch = *current_epoch,
               .primary_name = std::string(fields[4]),
               .primary_host = std::string(fields[5]),
               .primary_port = *primary_port,
               .config_epoch = *config_epoch};
}

}  // namespace cinnabar::sentinel
