// NodesStore: the file in which a cluster node keeps what it must not forget (cluster-config-file).
//
// The file is locked for as long as the process lives, with flock as Redis does: no two nodes share one. A
// crash leaves the old content or the new one, never a mixture.
//
// One thread at a time.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace cinnabar::server {

class NodesStore {
 public:
  NodesStore() = default;
  NodesStore(const NodesStore&) = delete;
  NodesStore& operator=(const NodesStore&) = delete;
  ~NodesStore();

  // Locks the file, which is made if there is none, and reads it. A relative path stays in the directory that
  // is the current one now. The error is the text for the log.
  Result<std::string> Open(const std::string& path);

  // kYes: it survives a crash of the machine.
  enum class Synced : bool { kNo, kYes };
  Status Replace(std::string_view text, Synced synced);

 private:
  std::string path_;
  int locked_fd_ = -1;  // the file that is at `path_` now
};

}  // namespace cinnabar::server
