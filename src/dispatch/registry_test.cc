#include "dispatch/registry.h"

#include <gtest/gtest.h>

#include "dispatch/args.h"
#include "dispatch/services_for_test.h"

namespace cinnabar::dispatch {
namespace {

// Parses "N word [COUNT n] [FLAG]" and shows what it has understood.
void Parse(Call& call) {
  Args args(call);
  const int64_t number = args.Int();
  const std::string word(args.Next());
  int64_t count = -1;
  bool flag = false;
  while (args.more() && !args.failed()) {
    if (args.TakeWith("COUNT")) {
      count = args.Int(1, 10, "ERR COUNT must be 1 to 10");
    } else if (args.Take("FLAG")) {
      flag = true;
    } else {
      args.FailSyntax();
    }
  }
  if (args.failed()) return args.Reply(call);
  call.reply().Simple(std::to_string(number) + " " + word + " " + std::to_string(count) +
                      (flag ? " flag" : ""));
}

constexpr CommandSpec kCommands[] = {
    {.name = "parse", .summary = "s", .since = "1", .group = "generic", .arity = -2, .run = Parse},
    {.name = "box", .summary = "s", .since = "1", .group = "server", .arity = -2},
    {.name = "box|open", .summary = "s", .since = "1", .group = "server", .arity = 2, .run = Parse},
};

class RegistryTest : public DispatchTest {
 protected:
  RegistryTest() : DispatchTest(kCommands) {}
};

TEST_F(RegistryTest, FindsInAnyCase) {
  const Command* parse = registry_.Find("PaRsE");
  ASSERT_NE(parse, nullptr);
  EXPECT_EQ(parse->name, "parse");
  EXPECT_EQ(registry_.Find("pars"), nullptr);
  EXPECT_EQ(registry_.Find(""), nullptr);
  EXPECT_EQ(registry_.Find(std::string(1000, 'x')), nullptr);
  EXPECT_EQ(registry_.Find("box|open"), nullptr) << "a subcommand is not called by its full name";
  EXPECT_NE(registry_.FindByFullName("box|open"), nullptr);
}

TEST_F(RegistryTest, EachPersonalityHasItsCommands) {
  constexpr CommandSpec kMixed[] = {
      {.name = "get", .summary = "s", .since = "1", .group = "string", .arity = 2, .run = Parse},
      {.name = "ping",
       .summary = "s",
       .since = "1",
       .group = "connection",
       .arity = -1,
       .flags = Flag::kSentinel,
       .run = Parse},
      {.name = "watch",
       .summary = "s",
       .since = "1",
       .group = "sentinel",
       .arity = -2,
       .flags = Flag::kOnlySentinel},
      {.name = "watch|all",
       .summary = "s",
       .since = "1",
       .group = "sentinel",
       .arity = 2,
       .flags = Flag::kOnlySentinel,
       .run = Parse},
  };
  const std::span<const CommandSpec> tables[] = {kMixed};
  const auto names = [&](Personality personality) {
    std::string text;
    const Registry registry(tables, personality);
    for (const Command* command : registry.all()) text += command->name + ' ';
    return text;
  };
  EXPECT_EQ(names(Personality::kServer), "get ping ");
  EXPECT_EQ(names(Personality::kSentinel), "ping watch watch|all ");
  EXPECT_EQ(names(Personality::kAny), "get ping watch watch|all ");
}

TEST_F(RegistryTest, ResolvesSubcommands) {
  using Words = std::vector<std::string_view>;
  EXPECT_EQ(registry_.Resolve(Words{"BOX", "Open"})->name, "box|open");
  EXPECT_EQ(registry_.Resolve(Words{"box"})->name, "box");
  EXPECT_EQ(registry_.Resolve(Words{"box", "none"}), nullptr);
  EXPECT_EQ(registry_.Resolve(Words{"none"}), nullptr);
  EXPECT_EQ(registry_.all().size(), 3u);
  EXPECT_EQ(registry_.commands().size(), 2u);
}

TEST_F(RegistryTest, Renames) {
  ASSERT_TRUE(registry_.Rename("parse", "read").has_value());
  EXPECT_EQ(registry_.Find("parse"), nullptr);
  ASSERT_NE(registry_.Find("READ"), nullptr);
  EXPECT_FALSE(registry_.Rename("box", "read").has_value()) << "the name is taken";
  EXPECT_FALSE(registry_.Rename("nosuch", "other").has_value());
  ASSERT_TRUE(registry_.Rename("box", "").has_value());
  EXPECT_EQ(registry_.Find("box"), nullptr);
}

TEST_F(RegistryTest, ArgsKeepTheFirstError) {
  EXPECT_EQ(Run({"parse", "7", "w", "flag", "count", "3"}), "+7 w 3 flag\r\n");
  EXPECT_EQ(Run({"parse", "7", "w"}), "+7 w -1\r\n");
  EXPECT_EQ(Run({"parse", "x", "w", "bad"}), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(Run({"parse", "7"}), "-ERR syntax error\r\n");
  EXPECT_EQ(Run({"parse", "7", "w", "count"}), "-ERR syntax error\r\n");
  EXPECT_EQ(Run({"parse", "7", "w", "count", "11"}), "-ERR COUNT must be 1 to 10\r\n");
  EXPECT_EQ(Run({"parse", "7", "w", "count", "x", "bad"}),
            "-ERR value is not an integer or out of range\r\n");
}

TEST(SameWord, IgnoresCaseOfLettersOnly) {
  EXPECT_TRUE(SameWord("gEt", "GET"));
  EXPECT_FALSE(SameWord("GET ", "GET"));
  EXPECT_FALSE(SameWord("[", "{"));
}

}  // namespace
}  // namespace cinnabar::dispatch
