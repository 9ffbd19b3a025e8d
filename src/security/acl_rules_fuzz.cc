// Any rules either make a user or are refused. A user that was made is made again by its own rules.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "security/acl_check.h"
#include "security/acl_describe.h"
#include "security/acl_rules.h"
#include "security/stock_catalog_for_test.h"

using namespace cinnabar::security;

// The input: one rule a line.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const CommandCatalog catalog = StockCatalog();
  const RuleContext context{catalog, ChannelDefault::kNone};
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string_view> rules;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    rules.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  const User empty("u", catalog, ChannelDefault::kNone);
  const auto user = ApplyRules(empty, rules, context);
  if (!user) return 0;
  const std::vector<std::string> own = UserRules(**user);
  const auto again = ApplyRules(empty, std::vector<std::string_view>(own.begin(), own.end()), context);
  CHECK(again && (*again)->selectors().size() == (*user)->selectors().size());
  const std::vector<std::string_view> argv{"MGET", "a", "user:1"};
  const std::vector<KeyArgument> keys{{1, Access::kRead}, {2, Access::kRead}};
  const Attempt attempt{catalog.Find("mget"), argv, keys, {}};
  CHECK(Check(**user, attempt) == Check(**again, attempt));
  return 0;
}
