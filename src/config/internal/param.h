// Param: everything there is to know about one directive, as a row of a constant table. Parsing, CONFIG GET
// and SET, CONFIG REWRITE, the generated cinnabar.conf and the reference page are all driven by these rows;
// the default is not here but in Settings.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "config/settings.h"

namespace cinnabar::config {

// A member of Settings, for reading and for writing.
template <typename T>
struct Field {
  const T& (*read)(const Settings&);
  T& (*write)(Settings&);
};

constexpr auto AreaOf(const General*) {
  return &Settings::general;
}
constexpr auto AreaOf(const Logging*) {
  return &Settings::logging;
}
constexpr auto AreaOf(const Network*) {
  return &Settings::network;
}
constexpr auto AreaOf(const Tls*) {
  return &Settings::tls;
}
constexpr auto AreaOf(const Clients*) {
  return &Settings::clients;
}
constexpr auto AreaOf(const Security*) {
  return &Settings::security;
}
constexpr auto AreaOf(const Memory*) {
  return &Settings::memory;
}
constexpr auto AreaOf(const Encoding*) {
  return &Settings::encoding;
}
constexpr auto AreaOf(const Persistence*) {
  return &Settings::persistence;
}
constexpr auto AreaOf(const Replication*) {
  return &Settings::replication;
}
constexpr auto AreaOf(const Cluster*) {
  return &Settings::cluster;
}
constexpr auto AreaOf(const Scripting*) {
  return &Settings::scripting;
}
constexpr auto AreaOf(const Observation*) {
  return &Settings::observation;
}
constexpr auto AreaOf(const Testing*) {
  return &Settings::testing;
}

template <typename Area, typename T>
Area AreaType(T Area::*);
template <typename Area, typename T>
T MemberType(T Area::*);

// At<&Network::port> is the Field of Settings::network.port.
template <auto member>
struct Access {
  using Area = decltype(AreaType(member));
  using T = decltype(MemberType(member));
  static constexpr auto kArea = AreaOf(static_cast<const Area*>(nullptr));
  static const T& Read(const Settings& settings) { return (settings.*kArea).*member; }
  static T& Write(Settings& settings) { return (settings.*kArea).*member; }
  static int ReadEnum(const Settings& settings) { return static_cast<int>(Read(settings)); }
  static void WriteEnum(Settings& settings, int value) { Write(settings) = static_cast<T>(value); }
};
template <auto member>
inline constexpr Field<typename Access<member>::T> At = {Access<member>::Read, Access<member>::Write};

// --- The kinds of value
// -------------------------------------------------------------------------------------

inline constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();
inline constexpr int64_t kMinInt = std::numeric_limits<int32_t>::min();
inline constexpr int64_t kMaxUnsigned = std::numeric_limits<uint32_t>::max();
inline constexpr int64_t kMaxLong = std::numeric_limits<int64_t>::max();
inline constexpr int64_t kMaxPort = 65535;

struct YesNo {
  Field<bool> field;
};

// Outside `min` to `max` is an error; outside `floor` to `ceiling` moves to the nearest of them.
struct Integer {
  Field<int64_t> field;
  int64_t min = 0;
  int64_t max = kMaxLong;
  int64_t floor = min;
  int64_t ceiling = max;
};

// A byte count; kb, mb, gb are powers of 1024 and k, m, g powers of 1000.
struct Bytes {
  Field<int64_t> field;
  int64_t min = 0;
  int64_t max = kMaxLong;
  int64_t floor = min;
};

// File permissions in octal.
struct Octal {
  Field<int64_t> field;
};

struct ChoiceName {
  std::string_view text;
  int value;
  template <typename E>
  constexpr ChoiceName(std::string_view name, E meaning) : text(name), value(static_cast<int>(meaning)) {}
};

// One word of a list. The first name of a value is the one CONFIG GET answers.
struct Choice {
  int (*read)(const Settings&);
  void (*write)(Settings&, int);
  std::span<const ChoiceName> names;
};
template <auto member>
constexpr Choice OneOf(std::span<const ChoiceName> names) {
  return {Access<member>::ReadEnum, Access<member>::WriteEnum, names};
}

struct Text {
  Field<std::string> field;
  // Says what is wrong with the text, or nothing.
  std::string_view (*refuse)(std::string_view text) = nullptr;
};

// Whether a directive's arguments replace what was there or are added to it: the second `save` line of a
// config file adds, CONFIG SET replaces.
enum class Write { kReplace, kAppend };

// One line of CONFIG REWRITE, and when it is written: always (the value is not the default), if the file has
// any line of the directive, or if it has a line left after the more important ones.
enum class Presence { kAlways, kWithAnyLine, kIfLineIsLeft };
struct RewriteLine {
  std::string arguments;
  Presence presence;
};

// A value with a syntax of its own.
struct Special {
  Status (*parse)(Settings& settings, std::span<const std::string> arguments, Write write);
  std::string (*format)(const Settings&);  // as CONFIG GET shows it
  // The lines that describe the value in a config file; without it, one line with `format`'s words.
  std::vector<RewriteLine> (*lines)(const Settings& now, const Settings& defaults) = nullptr;
  std::string_view syntax;
};

using Value = std::variant<YesNo, Integer, Bytes, Octal, Choice, Text, const Special*>;

// --- The row
// ------------------------------------------------------------------------------------------------

enum ParamFlag : uint32_t {
  kImmutable = 1 << 0,    // only at start
  kProtected = 1 << 1,    // CONFIG SET needs enable-protected-configs
  kHidden = 1 << 2,       // answered by CONFIG GET only under its exact name
  kMultiArg = 1 << 3,     // takes several arguments, or one that holds them all
  kDenyLoading = 1 << 4,  // no CONFIG SET while the data set is loaded
  kSecret = 1 << 5,       // never shown in logs or SLOWLOG
  kNewer = 1 << 6,        // the first name is unknown to Redis 7.0
  kNotYet = 1 << 7,       // accepted, stored and reported, but nothing acts on it yet
  kVolatile = 1 << 8,     // names a file: CONFIG SET to the same value reads it again
};

struct Param {
  std::string_view name;
  std::array<std::string_view, 2> aliases = {};
  Value value;
  uint32_t flags = 0;
  std::string_view doc;

  bool Has(ParamFlag flag) const { return (flags & flag) != 0; }
};

// A chapter of the config file and of the reference page.
struct Chapter {
  std::string_view title;
  std::span<const Param> params;
};

std::span<const Chapter> Chapters();

// The chapters, one source file for each two or three.
extern const std::span<const Param> kGeneralParams, kLoggingParams, kProcessParams;
extern const std::span<const Param> kNetworkParams, kTlsParams, kClientParams, kSecurityParams;
extern const std::span<const Param> kMemoryParams, kLazyFreeParams, kDefragParams, kEncodingParams;
extern const std::span<const Param> kSnapshotParams, kAppendOnlyParams;
extern const std::span<const Param> kReplicationParams, kClusterParams;
extern const std::span<const Param> kScriptingParams, kObservationParams, kTestingParams;

}  // namespace cinnabar::config
