// Text in double quotes for people: printable ASCII as it is, the rest as \n, \r, \t, \a, \b, \\, \" or \xHH.
#pragma once

#include <string>
#include <string_view>

namespace cinnabar {

void AppendQuoted(std::string_view bytes, std::string& out);

inline std::string Quoted(std::string_view bytes) {
  std::string out;
  AppendQuoted(bytes, out);
  return out;
}

}  // namespace cinnabar
