// Any text either is an ACL file or is refused. What is written of the users can be read, and is written the
// same again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "security/acl_file.h"
#include "security/stock_catalog_for_test.h"

using namespace cinnabar::security;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const CommandCatalog catalog = StockCatalog();
  const RuleContext context{catalog, ChannelDefault::kNone};
  const auto parsed =
      ParseAclFile({reinterpret_cast<const char*>(data), size}, "/etc/cinnabar/users.acl", context);
  if (!parsed) return 0;
  Users users(catalog);
  users.Replace(*parsed);
  const std::string text = WriteAclFile(users);
  const auto again = ParseAclFile(text, "/etc/cinnabar/users.acl", context);
  CHECK(again);
  users.Replace(*again);
  // A pattern of all keys takes the place of the others when it is read.
  const std::string second = WriteAclFile(users);
  const auto third = ParseAclFile(second, "/etc/cinnabar/users.acl", context);
  CHECK(third);
  users.Replace(*third);
  CHECK(WriteAclFile(users) == second);
  return 0;
}
