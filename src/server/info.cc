#include "server/server.h"

namespace cinnabar::server {

std::string Server::Info(const std::vector<std::string>&) { return "# Server\r\n"; }

}  // namespace cinnabar::server
