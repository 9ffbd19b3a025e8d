// A text is a nodes file or is refused. What was read says the same when it is written again; in the old form
// all but what that form does not have.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "cluster/nodes_file.h"

using namespace cinnabar::cluster;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto cluster = ParseNodes(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!cluster) return 0;
  const auto again = ParseNodes(NodesText(*cluster, NodesForm::kNew));
  CHECK(again && *again == *cluster);
  const auto old = ParseNodes(NodesText(*cluster, NodesForm::kOld));
  for (NodeRecord& node : cluster->nodes) {
    node.human_name.clear();
    node.shard = {};
  }
  CHECK(old && *old == *cluster);
  return 0;
}
