// What SENTINEL MASTERS, REPLICAS and SENTINELS say about a node.
#pragma once

#include <string>
#include <string_view>

#include "protocol/reply_writer.h"
#include "sentinel/sentinel.h"

namespace cinnabar::commands {

// A map of names and texts, those that Redis's Sentinel gives, in its order.
void WriteDescription(const sentinel::Sentinel& machine, const sentinel::Instance& instance,
                      protocol::ReplyWriter& reply);

// "s_down,master,disconnected"
std::string FlagsOf(const sentinel::Instance& instance);

std::string_view StateName(sentinel::FailoverState state);

}  // namespace cinnabar::commands
