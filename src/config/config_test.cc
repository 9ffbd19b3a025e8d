#include "config/config.h"

#include <gtest/gtest.h>

#include <map>

#include "config/internal/fake_files.h"
#include "config/internal/foreign_directives.h"
#include "config/internal/lookup.h"

namespace cinnabar::config {
namespace {

const std::string kPath = "/work/test.conf";
constexpr SetContext kRemote = {};

class ConfigTest : public testing::Test {
 protected:
  Status Load(const std::string& text, std::vector<std::string> options = {}) {
    files_.files[kPath] = text;
    options.insert(options.begin(), kPath);
    return config_.Load(ParseCommandLine(options));
  }

  std::string Get(std::string_view name) { return config_.GetOne(name).value_or("(unknown)"); }

  // The error text, or "OK".
  std::string Set(std::vector<NameAndValue> pairs, SetContext context = kRemote) {
    auto result = config_.Set(pairs, context);
    return result ? "OK" : std::string(result.error().code) + " " + result.error().message;
  }

  std::string SetReason(const std::string& name, const std::string& value) {
    std::string text = Set({{name, value}});
    std::string prefix = "ERR CONFIG SET failed (possibly related to argument '" + name + "') - ";
    return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
  }

  FakeFiles files_;
  Config config_{files_};
};

TEST_F(ConfigTest, DefaultsLookLikeRedis) {
  const std::map<std::string, std::string> kExpected = {
      {"save", "3600 1 300 100 60 10000"},
      {"bind", "* -::*"},
      {"client-output-buffer-limit", "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"},
      {"latency-tracking-info-percentiles", "50 99 99.9"},
      {"oom-score-adj-values", "0 200 800"},
      {"shutdown-on-sigterm", "default"},
      {"replicaof", ""},
      {"maxmemory-policy", "noeviction"},
      {"appendfsync", "everysec"},
      {"unixsocketperm", "0"},
      {"maxmemory-clients", "0"},
      {"dir", "/work"},
      {"proto-max-bulk-len", "536870912"},
  };
  for (const auto& [name, value] : kExpected) EXPECT_EQ(Get(name), value) << name;
}

TEST_F(ConfigTest, FileThenOptions) {
  ASSERT_TRUE(Load("# c\nsave 900 1\nport 1\n\nmaxmemory 1k\n", {"--save", "100", "100", "--port", "2"}));
  EXPECT_EQ(Get("save"), "900 1 100 100");
  EXPECT_EQ(Get("port"), "2");
  EXPECT_EQ(Get("maxmemory"), "1000");
  EXPECT_EQ(config_.path(), kPath);
}

TEST_F(ConfigTest, SaveForms) {
  ASSERT_TRUE(Load("save 900 1\n", {"--save"}));
  EXPECT_EQ(Get("save"), "");
  EXPECT_EQ(Set({{"save", "10 1 20 2"}}), "OK");
  EXPECT_EQ(Get("save"), "10 1 20 2");
  EXPECT_EQ(Set({{"save", "30 3"}}), "OK");
  EXPECT_EQ(Get("save"), "30 3");
  for (const char* bad : {"a b", "1", "0 1", " 10 1", "1 -1"}) {
    EXPECT_EQ(SetReason("save", bad), "Invalid save parameters") << bad;
  }
  EXPECT_EQ(Get("save"), "30 3");
}

TEST_F(ConfigTest, OldNamesWork) {
  ASSERT_TRUE(
      Load("slave-priority 7\nhash-max-listpack-entries 20\nhash-max-ziplist-entries 21\nio-threads 3\n"
           "lua-time-limit 9\nlist-max-ziplist-value 3\n"));
  EXPECT_EQ(Get("replica-priority"), "7");
  EXPECT_EQ(Get("hash-max-listpack-entries"), "21");
  EXPECT_EQ(config_.settings().general.threads, 3);
  EXPECT_EQ(Get("BUSY-reply-threshold"), "9");
}

TEST_F(ConfigTest, CommentsBehindDirectives) {
  files_.files["/inc/1.conf"] = "port 7 # \"inner\n";
  ASSERT_TRUE(
      Load("save 900 1       # Snapshot if \xe2\x89\xa5"
           "1 key changed\nsave 300 10 # and\n"
           "maxmemory 4gb # hard cap\nno-appendfsync-on-rewrite yes # don't fsync\n"
           "appendfilename \"a # b.aof\" # quoted\nlist-max-ziplist-value 3 # long ago\n"
           "rename-command FLUSHDB \"\" # never\ninclude /inc/1.conf # more\n",
           {"--timeout 5 # seconds"}));
  EXPECT_EQ(Get("save"), "900 1 300 10");
  EXPECT_EQ(Get("maxmemory"), "4294967296");
  EXPECT_EQ(Get("no-appendfsync-on-rewrite"), "yes");
  EXPECT_EQ(Get("appendfilename"), "a # b.aof");
  EXPECT_EQ(Get("port"), "7");
  EXPECT_EQ(Get("timeout"), "5");
  EXPECT_EQ(config_.Directives("rename-command")[0].arguments, (std::vector<std::string>{"FLUSHDB", ""}));
}

TEST_F(ConfigTest, WhatRedisTakesStaysAValue) {
  ASSERT_TRUE(
      Load("requirepass #secret\nlogfile \"# log\"\nbind 127.0.0.1 # home\nmasteruser #\nuser a # b\n"));
  EXPECT_EQ(Get("requirepass"), "#secret");
  EXPECT_EQ(Get("logfile"), "# log");
  EXPECT_EQ(Get("bind"), "127.0.0.1 # home");
  EXPECT_EQ(Get("masteruser"), "#");
  EXPECT_EQ(config_.Directives("user")[0].arguments, (std::vector<std::string>{"a", "#", "b"}));
}

TEST_F(ConfigTest, NotActedOnListsWhatIsGivenAndNotDefault) {
  ASSERT_TRUE(
      Load("appendonly yes\nappendfsync everysec\nslaveof h 1\nmaxmemory 1gb\nmod.x 1\nuser a on\nport 1\n",
           {"--cluster-compatibility-sample-ratio", "5"}));
  EXPECT_EQ(config_.NotActedOn(), (std::vector<std::string>{"mod.x", "cluster-compatibility-sample-ratio"}));
  EXPECT_TRUE(Config(files_).NotActedOn().empty());
}

TEST_F(ConfigTest, DirectivesOfOtherVersionsAreAcceptedAndReported) {
  ASSERT_TRUE(Load(
      "gopher-enabled no\nExtended-Redis-Compatibility yes\nprefetch-batch-max-size 16\n"
      "cluster-announce-client-ipv4 10.0.0.1\navailability-zone \"zone a\"\nrdma-bind 1.1.1.1 1.1.1.2\n"
      "commandlog-reply-larger-than 1048576\nsearch-workers 4\nsearch-workers 5\nlua-replicate-commands yes\n"
      "lookahead 16 # a comment\n"));
  EXPECT_EQ(
      config_.NotActedOn(),
      (std::vector<std::string>{"gopher-enabled", "extended-redis-compatibility", "prefetch-batch-max-size",
                                "cluster-announce-client-ipv4", "availability-zone", "rdma-bind",
                                "commandlog-reply-larger-than", "search-workers", "lookahead"}));
  EXPECT_EQ(Get("lookahead"), "(unknown)");
}

TEST_F(ConfigTest, DirectivesOfOtherVersionsStillNeedAValue) {
  EXPECT_FALSE(Load("gopher-enabled\n"));
}

TEST_F(ConfigTest, DirectivesWithAnotherNameElsewhereActUnderIt) {
  ASSERT_TRUE(
      Load("commandlog-execution-slower-than 77\ncommandlog-slow-execution-max-len 5\nprimaryauth x\n"));
  EXPECT_EQ(Get("slowlog-log-slower-than"), "77");
  EXPECT_EQ(Get("commandlog-execution-slower-than"), "77");
  EXPECT_EQ(Get("slowlog-max-len"), "5");
  EXPECT_EQ(Get("masterauth"), "x");
  EXPECT_TRUE(config_.NotActedOn().empty());
  EXPECT_EQ(Set({{"slowlog-log-slower-than", "10000"}}), "OK");
  ASSERT_TRUE(config_.Rewrite());
  EXPECT_TRUE(files_.files[kPath].starts_with(
      "commandlog-execution-slower-than 10000\ncommandlog-slow-execution-max-len 5\nprimaryauth \"x\"\n"))
      << files_.files[kPath];
}

TEST_F(ConfigTest, DirectivesOfOtherVersionsAreNotOurs) {
  for (const ForeignDirective& foreign : ForeignDirectives()) {
    const Param* param = FindParam(foreign.name);
    EXPECT_EQ(param != nullptr, foreign.effect == ForeignEffect::kSame) << foreign.name;
    EXPECT_EQ(param == nullptr ? "" : param->name, foreign.ours);
    EXPECT_EQ(FindFileDirective(foreign.name), nullptr) << foreign.name;
  }
}

TEST_F(ConfigTest, IncludesWithWildcards) {
  files_.files["/inc/1.conf"] = "port 1\n";
  files_.files["/inc/2.conf"] = "port 2\n";
  ASSERT_TRUE(Load("include /inc/*.conf\ninclude /none/*.conf\n"));
  EXPECT_EQ(Get("port"), "2");
}

TEST_F(ConfigTest, MissingFilesCarryErrno) {
  Status status = Load("include /nope\n");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ENOENT);
  EXPECT_EQ(status.error().message, "Fatal error, can't open config file '/nope': No such file or directory");
}

TEST_F(ConfigTest, EndlessIncludeIsRefused) {
  Status status = Load("include " + kPath + "\n");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, 0);
}

TEST_F(ConfigTest, DirChangesTheDirectoryAtOnce) {
  ASSERT_TRUE(Load("dir /data\n"));
  EXPECT_EQ(files_.directory, "/data");
  EXPECT_EQ(Get("dir"), "/data");
}

TEST_F(ConfigTest, OtherDirectivesAreKept) {
  ASSERT_TRUE(
      Load("user alice on >x\nUser bob off\nrename-command FLUSHDB badger\nloadmodule /m.so a\n"
           "mod.string \"a b\"\n"));
  std::vector<Directive> users = config_.Directives("user");
  ASSERT_EQ(users.size(), 2u);
  EXPECT_EQ(users[1].arguments, std::vector<std::string>({"bob", "off"}));
  EXPECT_EQ(users[1].line_number, 2);
  EXPECT_EQ(config_.Directives("rename-command")[0].arguments[1], "badger");
  EXPECT_EQ(config_.Directives("module-setting")[0].arguments,
            std::vector<std::string>({"mod.string", "a b"}));
  EXPECT_EQ(config_.FatalText(users[0], "Bad"),
            "*** FATAL CONFIG FILE ERROR (Redis 7.2.7) ***\nReading the configuration file, at line 1\n"
            ">>> 'user alice on >x'\nBad");
}

struct Fatal {
  std::string text;
  std::string line;
  std::string reason;
};

TEST(ConfigLoad, FatalErrors) {
  const Fatal kCases[] = {
      {"port 6379 6380", "port 6379 6380", "wrong number of arguments"},
      {"port", "port", "wrong number of arguments"},
      {"  port x ", "port x", "argument couldn't be parsed into an integer"},
      {"port 65536", "port 65536", "argument must be between 0 and 65535 inclusive"},
      {"port x # y", "port x # y", "wrong number of arguments"},
      {"maxmemory 4gb #cap", "maxmemory 4gb #cap", "wrong number of arguments"},
      {"hz 10 \"# c\"", "hz 10 \"# c\"", "wrong number of arguments"},
      {"logfile \"x # don't", "logfile \"x # don't", "Unbalanced quotes in configuration line"},
      {"include /none # c", "include /none # c", "Bad directive or wrong number of arguments"},
      {"foo 1 # c", "foo 1 # c", "Bad directive or wrong number of arguments"},
      {"foo 1", "foo 1", "Bad directive or wrong number of arguments"},
      {"rename-command x", "rename-command x", "Bad directive or wrong number of arguments"},
      {"foo.bar", "foo.bar", "Module config specified without value"},
      {"include", "include", "Bad directive or wrong number of arguments"},
      {"a\"b 1", "a\"b 1", "Unbalanced quotes in configuration line"},
      {"replicaof a b", "replicaof a b", "Invalid master port"},
      {"replicaof a", "replicaof a", "wrong number of arguments"},
      {"slaveof a 70000", "slaveof a 70000", "Invalid master port"},
      {"unixsocketperm 999", "unixsocketperm 999", "argument couldn't be parsed as an octal number"},
      {"unixsocketperm 1000", "unixsocketperm 1000", "argument must be between 0 and 777 inclusive"},
      {"maxmemory 99x", "maxmemory 99x", "argument must be a memory value"},
      {"appendonly maybe", "appendonly maybe", "argument must be 'yes' or 'no'"},
      {"appendfilename a/b", "appendfilename a/b", "appendfilename can't be a path, just a filename"},
      {"appenddirname ''", "appenddirname ''", "appenddirname can't be empty"},
      {"dir nowhere", "dir nowhere", "No such file or directory"},
      {"save 900 1 300", "save 900 1 300", "Invalid save parameters"},
      {"shutdown-on-sigint", "shutdown-on-sigint",
       "argument(s) must be one of the following: default, save, nosave, now, force"},
      {"sentinel monitor a", "sentinel monitor a", "sentinel directive while not in sentinel mode"},
      {"proc-title-template {x}", "proc-title-template {x}",
       "template format is invalid or contains unknown variables"},
      {"user foo on\nuser foo off", "user foo off",
       "Error in user declaration 'foo': Duplicate user found. A user can only be defined once in config "
       "files"},
  };
  for (const Fatal& c : kCases) {
    FakeFiles files;
    files.files[kPath] = "\n# comment\n" + c.text;
    Config config(files);
    Status status = config.Load(ParseCommandLine(std::vector<std::string>{kPath}));
    ASSERT_FALSE(status) << c.text;
    int line_number = c.text.find('\n') == std::string::npos ? 3 : 4;
    EXPECT_EQ(status.error().message,
              "*** FATAL CONFIG FILE ERROR (Redis 7.2.7) ***\n"
              "Reading the configuration file, at line " +
                  std::to_string(line_number) + "\n>>> '" + c.line + "'\n" + c.reason);
    EXPECT_EQ(status.error().code, 0);
  }
}

TEST(ConfigLoad, OptionsShowTheirLine) {
  FakeFiles files;
  Config config(files);
  std::vector<std::string> words = {"--compat-version", "7.0", "--loglevel", "--bla"};
  Status status = config.Load(ParseCommandLine(words));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            "*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at line 3\n"
            ">>> 'loglevel \"--bla\"'\n"
            "argument(s) must be one of the following: debug, verbose, notice, warning, nothing");
}

TEST_F(ConfigTest, ClusterNodesCannotStartAsReplicas) {
  Status status = Load("cluster-enabled yes\nreplicaof a 1\n");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            "*** FATAL CONFIG FILE ERROR (Redis 7.2.7) ***\n"
            "replicaof directive not allowed in cluster mode");
}

TEST_F(ConfigTest, SetRefusesWithRedisTexts) {
  const std::string kFailed = "ERR CONFIG SET failed (possibly related to argument '";
  EXPECT_EQ(Set({{"maxmemory", "1"}, {"a", "b"}}),
            "ERR Unknown option or number of arguments for CONFIG SET - 'a'");
  EXPECT_EQ(Set({{"user", "x"}}), "ERR Unknown option or number of arguments for CONFIG SET - 'user'");
  EXPECT_EQ(Set({{"daemonize", "yes"}}), kFailed + "daemonize') - can't set immutable config");
  EXPECT_EQ(Set({{"maxmemory", "1"}, {"MAXMEMORY", "2"}}), kFailed + "MAXMEMORY') - duplicate parameter");
  EXPECT_EQ(Set({{"dir", "/"}}), kFailed + "dir') - can't set protected config");
  EXPECT_EQ(Set({{"appendonly", "yes"}}, {.loading = true}),
            "LOADING Redis is loading the dataset in memory");
  EXPECT_EQ(Set({{"hz", "20"}}, {.loading = true}), "OK");
}

TEST_F(ConfigTest, ProtectedParametersFollowThePermission) {
  ASSERT_TRUE(Load("enable-protected-configs local\n"));
  EXPECT_NE(Set({{"dbfilename", "x"}}), "OK");
  EXPECT_EQ(Set({{"dbfilename", "x"}}, {.client_is_local = true}), "OK");
  EXPECT_EQ(SetReason("maxmemory", "x"), "argument must be a memory value");
}

TEST_F(ConfigTest, ValuesThatAreRefused) {
  const Fatal kCases[] = {
      {"notify-keyspace-events", "Q", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."},
      {"maxmemory-clients", "200%", "percentage argument must be less or equal to 100"},
      {"maxmemory-clients", "-1", "argument must be a memory or percent value"},
      {"client-output-buffer-limit", "wrong number",
       "Wrong number of arguments in buffer limit configuration."},
      {"client-output-buffer-limit", "master 1 1 1",
       "Invalid client class specified in buffer limit configuration."},
      {"client-output-buffer-limit", "normal 10mbs 1 1",
       "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
      {"oom-score-adj-values", "1 2", "wrong number of arguments"},
      {"oom-score-adj-values", "1 2 2001",
       "Invalid oom-score-adj-values, elements must be between -2000 and 2000."},
      {"latency-tracking-info-percentiles", "10.0 a", "Invalid latency-tracking-info-percentiles parameters"},
      {"latency-tracking-info-percentiles", "101",
       "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"},
      {"cluster-announce-hostname", "?.com",
       "Hostnames may only contain alphanumeric characters, hyphens or dots"},
      {"cluster-announce-hostname", std::string(256, 'x'), "Hostnames must be less than 256 characters"},
      {"shutdown-on-sigterm", "nosave save", "shutdown options SAVE and NOSAVE can't be used simultaneously"},
      {"slowlog-log-slower-than", "-2", "argument must be between -1 and 9223372036854775807 inclusive"},
      {"key-load-delay", "9000000000", "argument must be between -2147483648 and 2147483647 inclusive"},
      {"bind", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "Too many bind addresses specified."},
  };
  for (const Fatal& c : kCases) EXPECT_EQ(SetReason(c.text, c.line), c.reason) << c.text << " " << c.line;
}

TEST_F(ConfigTest, ValuesAreShownAsRedisShowsThem) {
  struct Shown {
    std::string name, value, shown;
  };
  const Shown kCases[] = {
      {"client-output-buffer-limit", "normal 1mb 2mb 60 replica 3mb 4mb 70 pubsub 5mb 6mb 80",
       "normal 1048576 2097152 60 slave 3145728 4194304 70 pubsub 5242880 6291456 80"},
      {"notify-keyspace-events", "KEA", "AKE"},
      {"notify-keyspace-events", "Kg$lshzxetdmE", "AKEm"},
      {"notify-keyspace-events", "gKE", "gKE"},
      {"latency-tracking-info-percentiles", "0.0 50.0 100.0", "0 50 100"},
      {"latency-tracking-info-percentiles", "99.99 50.12345678 1", "99.99 50.123457 1"},
      {"latency-tracking-info-percentiles", "", ""},
      {"shutdown-on-sigint", "nosave force now", "nosave now force"},
      {"shutdown-on-sigint", "default", "default"},
      {"maxmemory-clients", "5%", "5%"},
      {"maxmemory", "1GB", "1073741824"},
      {"maxmemory", "", "0"},
      {"oom-score-adj-values", "01 +2 -3", "1 2 -3"},
      {"hz", "501", "500"},
      {"hz", "0", "1"},
      {"repl-backlog-size", "1", "16384"},
      {"oom-score-adj", "relative", "yes"},
      {"bind", "", ""},
      {"bind", "::1 127.0.0.1", "::1 127.0.0.1"},
      {"appendfsync", "ALWAYS", "always"},
  };
  for (const Shown& c : kCases) {
    EXPECT_EQ(Set({{c.name, c.value}}), "OK") << c.name;
    EXPECT_EQ(Get(c.name), c.shown) << c.name;
  }
}

TEST_F(ConfigTest, ARefusedValueRollsEverythingBack) {
  EXPECT_EQ(Set({{"maxmemory", "10000001"}, {"maxmemory-clients", "200%"}, {"hz", "bad"}}),
            "ERR CONFIG SET failed (possibly related to argument 'maxmemory-clients') - "
            "percentage argument must be less or equal to 100");
  EXPECT_EQ(Get("maxmemory"), "0");
}

TEST_F(ConfigTest, AppliersRunOnceAndRollBack) {
  std::vector<std::string> calls;
  config_.RegisterApplier({"maxmemory", "maxmemory-policy"}, [&](const Settings&, Settings& now) -> Status {
    calls.push_back("memory " + std::to_string(now.memory.maxmemory_bytes));
    return {};
  });
  config_.RegisterApplier({"port"}, [&](const Settings&, Settings& now) -> Status {
    calls.push_back("port " + std::to_string(now.network.port));
    if (now.network.port == 7) return Fail("Unable to listen on this port");
    return {};
  });
  EXPECT_EQ(Set({{"maxmemory", "1"}, {"maxmemory-policy", "allkeys-lru"}}), "OK");
  EXPECT_EQ(calls, std::vector<std::string>({"memory 1"}));
  calls.clear();
  EXPECT_EQ(Set({{"maxmemory", "1"}}), "OK");
  EXPECT_TRUE(calls.empty());  // unchanged
  EXPECT_EQ(Set({{"maxmemory", "2"}, {"port", "7"}, {"hz", "30"}}),
            "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port");
  EXPECT_EQ(calls, std::vector<std::string>({"memory 2", "port 7", "memory 1", "port 6379"}));
  EXPECT_EQ(Get("maxmemory"), "1");
  EXPECT_EQ(Get("port"), "6379");
  EXPECT_EQ(Get("hz"), "10");
}

TEST_F(ConfigTest, GetMatchesPatternsAndNames) {
  std::vector<std::string> patterns = {"maxmemory", "maxmemory*", "bind", "*OF", "MaxMemory"};
  std::map<std::string, std::string> found;
  for (const auto& [name, value] : config_.Get(patterns))
    EXPECT_TRUE(found.emplace(name, value).second) << name;
  for (const char* name :
       {"maxmemory", "maxmemory-samples", "maxmemory-clients", "bind", "slaveof", "replicaof"}) {
    EXPECT_TRUE(found.contains(name)) << name;
  }
  EXPECT_FALSE(found.contains("MaxMemory"));
  EXPECT_EQ(config_.Get(std::vector<std::string>{"HZ"})[0].first, "HZ");
  EXPECT_TRUE(config_.Get(std::vector<std::string>{"nosuch"}).empty());
}

TEST_F(ConfigTest, HiddenAndNewerNames) {
  auto lists = [&](const std::string& pattern, std::string_view name) {
    for (const auto& [found, value] : config_.Get(std::vector<std::string>{pattern})) {
      if (found == name) return true;
    }
    return false;
  };
  EXPECT_FALSE(lists("*", "key-load-delay"));
  EXPECT_TRUE(lists("key-load-delay", "key-load-delay"));
  EXPECT_TRUE(lists("*", "set-max-listpack-entries"));
  EXPECT_TRUE(lists("*", "threads"));
  ASSERT_TRUE(Load("compat-version 7.0\n"));
  EXPECT_FALSE(lists("*", "set-max-listpack-entries"));
  EXPECT_FALSE(lists("*", "threads"));
  EXPECT_TRUE(lists("*", "io-threads"));
  EXPECT_TRUE(lists("*", "server_cpulist"));
  EXPECT_TRUE(lists("threads", "threads"));
}

TEST_F(ConfigTest, WhatGetAnswersSetAccepts) {
  ASSERT_TRUE(Load("enable-protected-configs yes\n"));
  const std::vector<std::string> kAll = {"*"};
  std::vector<NameAndValue> before = config_.Get(kAll);
  EXPECT_GT(before.size(), 200u);
  for (const NameAndValue& pair : before) {
    std::string answer = SetReason(pair.first, pair.second);
    EXPECT_TRUE(answer == "OK" || answer == "can't set immutable config") << pair.first << ": " << answer;
  }
  EXPECT_EQ(config_.Get(kAll), before);
}

TEST_F(ConfigTest, Secrets) {
  EXPECT_TRUE(config_.IsSecret("RequirePass"));
  EXPECT_TRUE(config_.IsSecret("masterauth"));
  EXPECT_FALSE(config_.IsSecret("port"));
}

}  // namespace
}  // namespace cinnabar::config
