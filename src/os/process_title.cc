#include "os/process_title.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace cinnabar::os {
namespace {

std::unexpected<Error> BadTemplate() {
  return Fail("template format is invalid or contains unknown variables");
}

Result<std::string> ValueOf(std::string_view name, const TitleVariables& variables) {
  if (name == "title") return variables.title;
  if (name == "listen-addr") return variables.listen_addr;
  if (name == "port") return fmt::format("{}", variables.port);
  if (name == "tls-port") return fmt::format("{}", variables.tls_port);
  if (name == "unixsocket") return variables.unixsocket;
  if (name == "config-file") return variables.config_file;
  if (name == "server-mode") return variables.server_mode;
  return BadTemplate();
}

}  // namespace

ProcessTitle::ProcessTitle(int argc, char** argv) {
  if (argc <= 0 || argv[0] == nullptr) return;
  char* end = argv[0];
  const auto extend = [&end](const char* text) {
    if (text == end) end += std::strlen(text) + 1;
  };
  for (int i = 0; i < argc; ++i) extend(argv[i]);
  size_t variables = 0;
  for (; environ != nullptr && environ[variables] != nullptr; ++variables) extend(environ[variables]);

  // The copies live as long as the process, like the originals.
  char** moved = static_cast<char**>(std::calloc(variables + 1, sizeof(char*)));
  if (moved == nullptr) return;
  for (size_t i = 0; i < variables; ++i) {
    moved[i] = strdup(environ[i]);
    if (moved[i] == nullptr) return;
  }
  environ = moved;
  if (char* name = strdup(argv[0])) {
    program_invocation_name = name;
    char* slash = std::strrchr(name, '/');
    program_invocation_short_name = slash == nullptr ? name : slash + 1;
  }
  area_ = argv[0];
  capacity_ = static_cast<size_t>(end - area_) - 1;
}

void ProcessTitle::Set(std::string_view title) {
  if (area_ == nullptr) return;
  const size_t size = std::min(title.size(), capacity_);
  std::memcpy(area_, title.data(), size);
  std::memset(area_ + size, 0, capacity_ + 1 - size);
}

Result<std::string> ExpandTitleTemplate(std::string_view text, const TitleVariables& variables) {
  std::string title;
  while (!text.empty()) {
    const size_t open = text.find('{');
    title += text.substr(0, open);
    if (open == std::string_view::npos) break;
    const size_t close = text.find('}', open);
    if (close == std::string_view::npos) return BadTemplate();
    title += TRY(ValueOf(text.substr(open + 1, close - open - 1), variables));
    text.remove_prefix(close + 1);
  }
  const size_t last = title.find_last_not_of(" \t\r\n");
  title.resize(last == std::string::npos ? 0 : last + 1);
  return title;
}

Status ValidateTitleTemplate(std::string_view text) {
  const Result<std::string> title = ExpandTitleTemplate(text, {});
  if (!title) return std::unexpected(title.error());
  return {};
}

}  // namespace cinnabar::os
