// The arguments of the server program, as Redis reads them.
//
//   cinnabar-server /etc/redis.conf --port 7000 --save 900 1 "--maxmemory 1gb"
//                   config_path      options: port "7000"
//                                             save "900" "1"
//                                             maxmemory 1gb
//
// The options become config lines that are read after the file. The word after an option is its value even
// when it begins with two dashes; later words are values until one begins with two dashes. An option that
// comes with its value in the same word is complete. `--save` without a value means no save points.
#pragma once

#include <span>
#include <string>

namespace cinnabar::config {

struct CommandLine {
  enum class Action { kRun, kVersion, kHelp, kTestMemory, kCheckSystem };

  Action action = Action::kRun;
  std::string config_path;   // empty: no config file
  bool reads_stdin = false;  // "-": config lines come from standard input
  bool has_options = false;
  bool sentinel = false;  // --sentinel was given
  std::string options;    // config lines
};

// `arguments` are without the program's name.
CommandLine ParseCommandLine(std::span<const std::string> arguments);

}  // namespace cinnabar::config
