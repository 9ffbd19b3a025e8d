#include "security/command_catalog.h"

#include <gtest/gtest.h>

#include "security/stock_catalog_for_test.h"

namespace cinnabar::security {
namespace {

TEST(CommandCatalogTest, LookUp) {
  const CommandCatalog catalog = StockCatalog();
  const CommandId get = catalog.Find("GeT");
  EXPECT_EQ(catalog.name(get), "get");
  EXPECT_FALSE(catalog.is_subcommand(get));
  EXPECT_TRUE(catalog.subcommands(get).empty());
  const CommandId config = catalog.Find("config"), config_get = catalog.Find("CONFIG|GET");
  EXPECT_TRUE(catalog.is_subcommand(config_get));
  EXPECT_EQ(catalog.subcommands(config).size(), 5);
  EXPECT_EQ(catalog.Find("nope"), kNoCommand);
  EXPECT_EQ(catalog.Find("config|nope"), kNoCommand);
  EXPECT_EQ(catalog.Find(""), kNoCommand);
  EXPECT_TRUE(catalog.open(catalog.Find("auth")));
  EXPECT_FALSE(catalog.open(get));
}

TEST(CommandCatalogTest, Categories) {
  const CommandCatalog catalog = StockCatalog();
  EXPECT_NE(catalog.categories(catalog.Find("get")) & catalog.FindCategory("STRING"), 0);
  EXPECT_EQ(catalog.categories(catalog.Find("zadd")) & catalog.FindCategory("set"), 0);
  EXPECT_EQ(catalog.FindCategory("nope"), 0);
  EXPECT_EQ(catalog.FindCategory(""), 0);
}

TEST(CommandCatalogTest, ByName) {
  const CommandCatalog catalog = StockCatalog();
  EXPECT_EQ(catalog.by_name().size(), catalog.size());
  EXPECT_EQ(catalog.name(catalog.by_name()[0]), "acl");
  EXPECT_EQ(catalog.name(catalog.by_name()[1]), "acl|cat");
}

}  // namespace
}  // namespace cinnabar::security
