// One program, several names: what argv[0] says decides what it is.
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "apps/start_up.h"
#include "apps/write_reference.h"

namespace {

int NotBuiltYet(std::string_view tool) {
  std::fprintf(stderr, "%.*s: this part of Cinnabar is not built yet.\n", static_cast<int>(tool.size()),
               tool.data());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  std::string_view name =
      arguments.empty() ? std::string_view("cinnabar-server") : std::string_view(arguments[0]);
  name = name.substr(name.rfind('/') + 1);
  for (std::string_view tool : {"redis-check-rdb", "redis-check-aof", "redis-sentinel"}) {
    if (name.find(tool) != std::string_view::npos) return NotBuiltYet(tool);
  }
  if (arguments.size() == 3 && arguments[1] == "--write-reference") {
    return cinnabar::apps::WriteReference(arguments[2]);
  }
  return cinnabar::apps::RunServer(arguments, argc, argv);
}
