// What may stand for an address or a name of a node, in packets of others and in the nodes file: nothing that
// could end a field or a line of the file. What this node may announce is for config/ to say.
//
// Pure functions; any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace cinnabar::cluster {

inline constexpr size_t kAddressBytesMax = 45;  // an IPv6 address with an IPv4 one at its end
inline constexpr size_t kNameBytesMax = 255;

// IPv4, IPv6 also with a zone, or a host name that somebody announces as its address. Empty: not known.
bool IsAddress(std::string_view text);
// Empty: none.
bool IsHostname(std::string_view text);
// The name for people: printable ASCII. Empty: none.
bool IsHumanName(std::string_view text);

}  // namespace cinnabar::cluster
