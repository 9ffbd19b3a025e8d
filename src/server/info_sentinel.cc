// The section of INFO about what a sentinel watches.
#include "sentinel/sentinel.h"
#include "server/info.h"

namespace cinnabar::server {

void InfoReport::SentinelSection() {
  const sentinel::Sentinel& machine = *sources_.services.sentinel;
  Field("sentinel_masters", machine.primaries().size());
  Field("sentinel_tilt", machine.tilt() ? 1 : 0);
  Field("sentinel_tilt_since_seconds",
        machine.tilt() ? (machine.now() - machine.tilt_since()) / kMillisPerSecond : -1);
  Field("sentinel_running_scripts", machine.scripts().running());
  Field("sentinel_scripts_queue_length", machine.scripts().jobs().size());
  Field("sentinel_simulate_failure_flags", machine.simulated_failures());
  int index = 0;
  for (const auto& [name, primary] : machine.primaries()) {
    const std::string_view status = primary->objectively_down ? "odown" : primary->down ? "sdown" : "ok";
    const sentinel::Address& address = primary->address;
    Field(fmt::format("master{}", index++),
          fmt::format("name={},status={},address={}:{},slaves={},sentinels={}", name, status,
                      machine.Shown(address), address.port, primary->replicas.size(),
                      primary->peers.size() + 1));
  }
}

}  // namespace cinnabar::server
