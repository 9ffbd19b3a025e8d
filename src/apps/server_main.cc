// One program, several names: what argv[0] says decides what it is.
#include <string>
#include <string_view>
#include <vector>

#include "apps/check_aof.h"
#include "apps/check_rdb.h"
#include "apps/start_up.h"
#include "apps/write_reference.h"

namespace {

// Whether a name such as "redis-check-rdb-7.2" says `tool`. A name that says no tool is the server's.
bool IsCalled(std::string_view name, std::string_view tool) {
  for (const std::string_view family : {"redis-", "valkey-"}) {
    if (name.find(std::string(family) + std::string(tool)) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  std::string_view name =
      arguments.empty() ? std::string_view("cinnabar-server") : std::string_view(arguments[0]);
  name = name.substr(name.rfind('/') + 1);
  if (IsCalled(name, "check-rdb")) return cinnabar::apps::RunCheckRdb(arguments);
  if (IsCalled(name, "check-aof")) return cinnabar::apps::RunCheckAof(arguments);
  if (arguments.size() == 3 && arguments[1] == "--write-reference") {
    return cinnabar::apps::WriteReference(arguments[2]);
  }
  using cinnabar::apps::CalledAs;
  const CalledAs called_as = IsCalled(name, "sentinel") ? CalledAs::kSentinel : CalledAs::kServer;
  return cinnabar::apps::RunServer(called_as, arguments, argc, argv);
}
