// Telling a service supervisor (systemd, upstart) how the server is doing, as `supervised` asks.
#pragma once

#include "base/log.h"
#include "config/settings.h"

namespace cinnabar::server {

// By whom this process is supervised, for what the configuration wants: kSystemd, kUpstart or kNo.
config::Supervised DetectSupervision(config::Supervised wanted);

void ReportReady(config::Supervised by, Logger& log);
void ReportStopping(config::Supervised by);

}  // namespace cinnabar::server
