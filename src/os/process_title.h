// The name that ps(1) and /proc/PID/cmdline show.
//
// The kernel reads a command line from where it put argv at exec, followed by the environment:
//
//   | argv[0]\0 argv[1]\0 … | ENV1\0 ENV2\0 … |        environment is moved to the heap,
//   | the title\0\0\0\0\0 …                   |        then the whole area holds the title
//
// A title longer than the area is cut.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace cinnabar::os {

class ProcessTitle {
 public:
  // Moves the environment away; the strings of argv are overwritten by the first Set, so code that needs them
  // copies them before. REQUIRES: the argc and argv of main(); no other thread exists yet.
  ProcessTitle(int argc, char** argv);
  ProcessTitle(const ProcessTitle&) = delete;
  ProcessTitle& operator=(const ProcessTitle&) = delete;

  // Owner thread only.
  void Set(std::string_view title);

  size_t capacity() const { return capacity_; }

 private:
  char* area_ = nullptr;
  size_t capacity_ = 0;  // without the final NUL
};

struct TitleVariables {
  std::string title;        // how the program was called, or what a child does
  std::string listen_addr;  // "127.0.0.1:6379", or the Unix socket
  int port = 0;
  int tls_port = 0;
  std::string unixsocket;
  std::string config_file;
  std::string server_mode;  // "", "[cluster]", "[sentinel]"
};

// Replaces {title} {listen-addr} {port} {tls-port} {unixsocket} {config-file} {server-mode} and drops blanks
// at the end. An unknown variable or an open brace is an error.
Result<std::string> ExpandTitleTemplate(std::string_view text, const TitleVariables& variables);
Status ValidateTitleTemplate(std::string_view text);

}  // namespace cinnabar::os
