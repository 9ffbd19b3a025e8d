#include "config/command_line.h"

#include <gtest/gtest.h>

#include <vector>

namespace cinnabar::config {
namespace {

CommandLine Parse(std::vector<std::string> words) {
  return ParseCommandLine(words);
}

TEST(CommandLine, FirstWordIsTheConfigFile) {
  EXPECT_EQ(Parse({}).config_path, "");
  EXPECT_FALSE(Parse({}).has_options);
  EXPECT_EQ(Parse({"a.conf"}).config_path, "a.conf");
  EXPECT_EQ(Parse({"--port", "1"}).config_path, "");
  EXPECT_TRUE(Parse({"-"}).reads_stdin);
  CommandLine line = Parse({"a.conf", "--port", "1", "-"});
  EXPECT_TRUE(line.reads_stdin);
  EXPECT_EQ(line.options, "port \"1\"");
}

TEST(CommandLine, Actions) {
  using Action = CommandLine::Action;
  EXPECT_EQ(Parse({"-v"}).action, Action::kVersion);
  EXPECT_EQ(Parse({"--version"}).action, Action::kVersion);
  EXPECT_EQ(Parse({"--help"}).action, Action::kHelp);
  EXPECT_EQ(Parse({"--test-memory", "1"}).action, Action::kTestMemory);
  EXPECT_EQ(Parse({"--check-system"}).action, Action::kCheckSystem);
  EXPECT_EQ(Parse({"-x"}).action, Action::kRun);
}

TEST(CommandLine, OptionsBecomeLines) {
  struct Case {
    std::vector<std::string> words;
    std::string options;
  };
  const Case kCases[] = {
      {{"--port", "6379", "--hz", "9"}, "port \"6379\"\nhz \"9\""},
      {{"--port", "6379", "6380"}, "port \"6379\" \"6380\""},
      {{"--port"}, "port"},
      {{"--port", "--loglevel", "verbose"}, "port \"--loglevel\" \"verbose\""},
      {{"--port", "--bla", "--loglevel", "verbose"}, "port \"--bla\"\nloglevel \"verbose\""},
      {{"--replicaof", "--127.0.0.1", "--abc"}, "replicaof \"--127.0.0.1\"\nabc"},
      {{"--maxmemory 700mb", "--maxmemory-policy volatile-lru"},
       "maxmemory 700mb\nmaxmemory-policy volatile-lru"},
      {{"--save", "--loglevel", "verbose"}, "save \"\"\nloglevel \"verbose\""},
      {{"--loglevel", "verbose", "--save"}, "loglevel \"verbose\"\nsave \"\""},
      {{"--save", "", "--hz", "1"}, "save \"\"\nhz \"1\""},
      {{"--proc-title-template", "--save", "--save", "", "--hz", "1"},
       "proc-title-template \"--save\"\nsave \"\"\nhz \"1\""},
      {{"--shutdown-on-sigint", "now force", "--shutdown-on-sigterm"},
       "shutdown-on-sigint \"now force\"\nshutdown-on-sigterm"},
      {{"-x", "3"}, "\"-x\" \"3\""},
      {{"--port \"1", "--hz", "1"}, "port \"1\nhz \"1\""},
  };
  for (const Case& c : kCases) EXPECT_EQ(Parse(c.words).options, c.options);
}

TEST(CommandLine, WordsBeforeTheFirstOption) {
  CommandLine line = Parse({"a.conf", "loglevel", "verbose", "--maxmemory '700mb'"});
  EXPECT_EQ(line.config_path, "a.conf");
  EXPECT_EQ(line.options, "\"loglevel\" \"verbose\"\nmaxmemory '700mb'");
}

TEST(CommandLine, SentinelTakesNoValue) {
  CommandLine line = Parse({"a.conf", "--sentinel", "--port", "1"});
  EXPECT_TRUE(line.sentinel);
  EXPECT_EQ(line.options, "sentinel\nport \"1\"");
}

}  // namespace
}  // namespace cinnabar::config
