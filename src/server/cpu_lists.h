// Which CPUs which threads may use: server-cpulist, bio-cpulist, bgsave-cpulist, aof-rewrite-cpulist.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "config/settings.h"

namespace cinnabar::server {

// Binds the calling thread to the CPUs of the list, which the directive gave. Empty: changes nothing. What
// cannot be done is logged.
void BindThisThread(const std::string& list, std::string_view directive, Logger& log);

// While one lives, threads that its thread starts are background threads: they may use the CPUs of
// bio-cpulist, or without it those that the process was started with (`unbound`), whatever the core threads
// are bound to.
class BackgroundCpus {
 public:
  BackgroundCpus(const config::General& settings, const std::vector<int>& unbound, Logger& log);
  ~BackgroundCpus();
  BackgroundCpus(const BackgroundCpus&) = delete;
  BackgroundCpus& operator=(const BackgroundCpus&) = delete;

 private:
  Logger& log_;
  std::vector<int> cpus_before_;
};

}  // namespace cinnabar::server
