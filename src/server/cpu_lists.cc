#include "server/cpu_lists.h"

#include <unistd.h>

#include "os/cpus.h"

namespace cinnabar::server {
namespace {

Status Bind(const std::string& list) {
  return os::PinThisThread(TRY(os::ParseCpuList(list)));
}

}  // namespace

void BindThisThread(const std::string& list, std::string_view directive, Logger& log) {
  if (list.empty()) return;
  if (const Status bound = Bind(list); !bound)
    log.Warning("{} '{}': {}", directive, list, bound.error().message);
}

BackgroundCpus::BackgroundCpus(const config::General& settings, const std::vector<int>& unbound, Logger& log)
    : log_(log) {
  if (settings.bio_cpulist.empty() && settings.server_cpulist.empty()) return;
  cpus_before_ = os::CpusOfThisThread();
  if (!settings.bio_cpulist.empty()) {
    BindThisThread(settings.bio_cpulist, "bio-cpulist", log);
  } else if (const Status bound = os::PinThisThread(unbound); !bound) {
    log.Warning("{}", bound.error().message);
  }
}

BackgroundCpus::~BackgroundCpus() {
  if (cpus_before_.empty()) return;
  if (const Status bound = os::PinThisThread(cpus_before_); !bound) log_.Warning("{}", bound.error().message);
}

}  // namespace cinnabar::server
