// The values that have a syntax of their own. Each is a Special for the parameter tables.
#pragma once

#include "config/internal/param.h"

namespace cinnabar::config {

extern const Special kSaveValue;
extern const Special kBindValue;
extern const Special kOutputBufferLimitValue;
extern const Special kMaxmemoryClientsValue;
extern const Special kNotifyEventsValue;
extern const Special kPercentilesValue;
extern const Special kOomScoreValuesValue;
extern const Special kReplicaofValue;
extern const Special kShutdownOnSigintValue;
extern const Special kShutdownOnSigtermValue;

// Complaints about texts; empty when there is nothing to complain about.
std::string_view RefuseTitleTemplate(std::string_view text);
std::string_view RefuseDatabaseFileName(std::string_view text);
std::string_view RefuseAppendFileName(std::string_view text);
std::string_view RefuseAppendDirectoryName(std::string_view text);
// What others can be told as an address: one, or a name in its place.
std::string_view RefuseAddress(std::string_view text);
std::string_view RefuseHostname(std::string_view text);
std::string_view RefuseNodeName(std::string_view text);

}  // namespace cinnabar::config
