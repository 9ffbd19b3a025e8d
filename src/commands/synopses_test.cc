// The facts of every registered command hold together.
#include <gtest/gtest.h>

#include <algorithm>

#include "commands/command_tables.h"
#include "dispatch/documentation.h"
#include "dispatch/registry.h"
#include "dispatch/synopsis.h"

namespace cinnabar::commands {
namespace {

using dispatch::Argument;
using dispatch::Command;
using dispatch::Registry;

// How many words a call must have at least and may have at most (-1: any number).
struct WordCount {
  int least = 0;
  int most = 0;
};

void Add(int& most, int more) {
  most = most < 0 || more < 0 ? -1 : most + more;
}

WordCount Count(const std::vector<Argument>& arguments);

WordCount Count(const Argument& argument) {
  WordCount count;
  if (argument.type == dispatch::ArgumentType::kOneOf) {
    count.least = 1 << 20;
    for (Argument choice : argument.arguments) {
      choice.optional = false;  // it is the one that was chosen
      const WordCount one = Count(choice);
      count.least = std::min(count.least, one.least);
      count.most = one.most < 0 || count.most < 0 ? -1 : std::max(count.most, one.most);
    }
  } else if (argument.type == dispatch::ArgumentType::kBlock) {
    count = Count(argument.arguments);
  } else if (argument.type != dispatch::ArgumentType::kPureToken) {
    count = {1, 1};
  }
  if (argument.token) {
    ++count.least;
    Add(count.most, 1);
  }
  if (argument.optional) count.least = 0;
  if (argument.multiple) count.most = -1;
  return count;
}

WordCount Count(const std::vector<Argument>& arguments) {
  WordCount count;
  for (const Argument& argument : arguments) {
    const WordCount one = Count(argument);
    count.least += one.least;
    Add(count.most, one.most);
  }
  return count;
}

TEST(SynopsesTest, AllAreReadableAndFitTheArity) {
  const Registry registry(CommandTables(), dispatch::Personality::kAny);
  for (const Command* command : registry.all()) {
    SCOPED_TRACE(command->name);
    const auto arguments = dispatch::ParseSynopsis(command->spec->synopsis, command->key_specs);
    ASSERT_TRUE(arguments.has_value()) << arguments.error().message;
    if (command->spec->run == nullptr || command->spec->for_system_only) continue;
    if (command->name == "sentinel|simulate-failure") continue;  // Redis documents its words as optional
    const int words = command->parent == nullptr ? 1 : 2;
    const WordCount count = Count(*arguments);
    const int arity = command->spec->arity;
    EXPECT_GE(words + count.least, std::abs(arity)) << "the synopsis allows fewer arguments than the arity";
    if (arity > 0) {
      EXPECT_EQ(count.most, arity - words) << "the synopsis allows more arguments than the arity";
    }
  }
}

TEST(SynopsesTest, HistoriesNameVersions) {
  const Registry registry(CommandTables(), dispatch::Personality::kAny);
  for (const Command* command : registry.all()) {
    for (const dispatch::HistoryLine& line : dispatch::HistoryOf(*command->spec)) {
      EXPECT_EQ(std::count(line.since.begin(), line.since.end(), '.'), 2) << command->name;
      EXPECT_FALSE(line.change.empty()) << command->name;
    }
  }
}

TEST(SynopsesTest, TheReferencePageNamesAllCommands) {
  const Registry registry(CommandTables(), dispatch::Personality::kAny);
  const std::string page = dispatch::CommandReference(registry);
  EXPECT_NE(page.find("### GET\n"), std::string::npos);
  EXPECT_NE(page.find("### CONFIG SET\n"), std::string::npos);
}

}  // namespace
}  // namespace cinnabar::commands
