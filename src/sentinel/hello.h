// The hello message: what a sentinel tells the others, on the channel __sentinel__:hello of every server that
// it watches and to the sentinels that it knows:
//
//   ip,port,run id,current epoch,primary's name,primary's ip,primary's port,primary's config epoch
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cinnabar::sentinel {

struct Hello {
  std::string host;
  int port = 0;
  std::string run_id;
  uint64_t current_epoch = 0;
  std::string primary_name;
  std::string primary_host;
  int primary_port = 0;
  uint64_t config_epoch = 0;

  bool operator==(const Hello&) const = default;
};

std::string EncodeHello(const Hello& hello);
// None: it is no hello message. Bytes from outside.
std::optional<Hello> ParseHello(std::string_view text);

}  // namespace cinnabar::sentinel
