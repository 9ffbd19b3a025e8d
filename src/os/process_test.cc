#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "os/cpus.h"
#include "os/files.h"
#include "os/oom_score.h"
#include "os/open_files_limit.h"
#include "os/process_title.h"
#include "os/temporary_directory_for_test.h"

namespace cinnabar::os {
namespace {

TEST(TitleTemplate, Expands) {
  const TitleVariables variables{.title = "/x/redis-server",
                                 .listen_addr = "127.0.0.1:6379",
                                 .port = 6379,
                                 .tls_port = 0,
                                 .unixsocket = "/s",
                                 .config_file = "/c",
                                 .server_mode = ""};
  EXPECT_EQ(*ExpandTitleTemplate("{title} {listen-addr} {server-mode}", variables),
            "/x/redis-server 127.0.0.1:6379");
  EXPECT_EQ(*ExpandTitleTemplate("T {port}{tls-port} {unixsocket}|{config-file} }", variables),
            "T 63790 /s|/c }");
  EXPECT_EQ(*ExpandTitleTemplate("", variables), "");
  EXPECT_EQ(*ExpandTitleTemplate("  ", variables), "");
}

TEST(TitleTemplate, RefusesWhatItDoesNotKnow) {
  EXPECT_TRUE(ValidateTitleTemplate("{title} x"));
  for (const char* bad : {"{invalid-var}", "{title", "{}", "{ title}"}) {
    const Status status = ValidateTitleTemplate(bad);
    ASSERT_FALSE(status) << bad;
    EXPECT_TRUE(status.error().message.starts_with("template format is invalid"));
  }
}

// The kernel's view cannot be tested without being main(); the layout of its area can.
TEST(ProcessTitle, UsesArgumentsAndEnvironment) {
  const pid_t child = fork();
  if (child == 0) {
    static char area[] = "/bin/program\0-x\0HOME=/root\0A=b";
    char* arguments[] = {area, area + 13, nullptr};
    char* variables[] = {area + 16, area + 27, nullptr};
    environ = variables;
    ProcessTitle title(2, arguments);
    bool ok = title.capacity() == sizeof area - 1 && std::string(getenv("HOME")) == "/root";
    title.Set("short");
    ok = ok && std::string_view(area) == "short" && area[sizeof area - 2] == '\0' &&
         std::string(getenv("A")) == "b";
    title.Set(std::string(1000, 'x'));
    ok = ok && std::string_view(area) == std::string(sizeof area - 1, 'x');
    _exit(ok ? 0 : 1);
  }
  int status;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(OomScore, FollowsModesAndRestores) {
  TemporaryDirectory directory;
  directory.Write("score", "22\n");
  OomScore score(directory.Path("score"));
  const OomScore::Values values{9, 19, 2000};
  ASSERT_TRUE(score.Apply(OomScoreMode::kNo, values, OomScoreRole::kMaster));
  EXPECT_EQ(directory.Read("score"), "22\n");
  ASSERT_TRUE(score.Apply(OomScoreMode::kRelative, values, OomScoreRole::kMaster));
  EXPECT_EQ(directory.Read("score"), "31");
  ASSERT_TRUE(score.Apply(OomScoreMode::kRelative, values, OomScoreRole::kReplica));
  EXPECT_EQ(directory.Read("score"), "41");
  ASSERT_TRUE(score.Apply(OomScoreMode::kAbsolute, values, OomScoreRole::kMaster));
  EXPECT_EQ(directory.Read("score"), "9");
  ASSERT_TRUE(score.Apply(OomScoreMode::kAbsolute, values, OomScoreRole::kChild));
  EXPECT_EQ(directory.Read("score"), "1000");
  ASSERT_TRUE(score.Apply(OomScoreMode::kNo, values, OomScoreRole::kMaster));
  EXPECT_EQ(directory.Read("score"), "22");
}

TEST(OomScore, AFailureChangesNothing) {
  TemporaryDirectory directory;
  OomScore score(directory.Path("score"));
  const Status missing = score.Apply(OomScoreMode::kRelative, {1, 2, 3}, OomScoreRole::kMaster);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "Unable to read oom_score_adj: No such file or directory");
  directory.Write("score", "5");
  ASSERT_TRUE(score.Apply(OomScoreMode::kNo, {1, 2, 3}, OomScoreRole::kMaster));
  EXPECT_EQ(directory.Read("score"), "5");
}

// A kernel with limits that tests choose.
class FakeSystem final : public OpenFilesSystem {
 public:
  FakeSystem(uint64_t current, uint64_t hard, uint64_t ceiling)
      : current(current), hard(hard), ceiling(ceiling) {}
  int Get(uint64_t& current_out, uint64_t& hard_out) override {
    if (broken) return EPERM;
    current_out = current;
    hard_out = hard;
    return 0;
  }
  int Set(uint64_t new_current, uint64_t new_hard) override {
    if (new_hard > hard && new_hard > ceiling) return EPERM;
    if (new_current > new_hard) return EINVAL;
    current = new_current;
    hard = new_hard;
    return 0;
  }

  uint64_t current, hard, ceiling;
  bool broken = false;
};

TEST(OpenFilesLimit, EnoughNeedsNothing) {
  FakeSystem system(20'000, 20'000, 0);
  const OpenFilesOutcome outcome = AdjustOpenFilesLimit(10'000, 32, system);
  EXPECT_EQ(outcome.maxclients, 10'000u);
  EXPECT_TRUE(outcome.log.empty());
}

TEST(OpenFilesLimit, RaisesTheSoftLimit) {
  FakeSystem system(1024, 20'000, 0);
  const OpenFilesOutcome outcome = AdjustOpenFilesLimit(10'000, 32, system);
  EXPECT_EQ(outcome.maxclients, 10'000u);
  EXPECT_EQ(system.current, 10'032u);
  ASSERT_EQ(outcome.log.size(), 1u);
  EXPECT_EQ(outcome.log[0].level, LogLevel::kNotice);
}

TEST(OpenFilesLimit, RaisesTheHardLimitIfAllowed) {
  FakeSystem system(1024, 4096, 1'000'000);
  EXPECT_EQ(AdjustOpenFilesLimit(10'000, 32, system).maxclients, 10'000u);
  EXPECT_EQ(system.hard, 10'032u);
}

TEST(OpenFilesLimit, LowersMaxclients) {
  FakeSystem system(1024, 4096, 0);
  const OpenFilesOutcome outcome = AdjustOpenFilesLimit(10'000, 32, system);
  EXPECT_EQ(outcome.maxclients, 4064u);
  ASSERT_EQ(outcome.log.size(), 3u);
  EXPECT_NE(outcome.log[2].text.find("maxclients has been reduced to 4064"), std::string::npos);
}

TEST(OpenFilesLimit, FindsACeilingInBetween) {
  FakeSystem system(1024, 1024, 5000);
  const OpenFilesOutcome outcome = AdjustOpenFilesLimit(10'000, 32, system);
  EXPECT_LE(outcome.maxclients, 5000u - 32);
  EXPECT_GT(outcome.maxclients, 5000u - 32 - 16);
}

TEST(OpenFilesLimit, TooLittleForASingleClient) {
  FakeSystem system(30, 30, 0);
  EXPECT_EQ(AdjustOpenFilesLimit(10'000, 32, system).maxclients, 0u);
  system.broken = true;
  EXPECT_EQ(AdjustOpenFilesLimit(10'000, 32, system).maxclients, 992u);
}

TEST(Cpus, ReadsQuotasOfBothVersions) {
  TemporaryDirectory none;
  EXPECT_EQ(CpuQuota(none.Path()), 0);
  EXPECT_GE(UsableCpus(), 1);

  TemporaryDirectory v2;
  v2.Write("proc/self/mountinfo", "30 20 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n");
  v2.Write("proc/self/cgroup", "0::/outer/inner\n");
  v2.Write("sys/fs/cgroup/outer/cpu.max", "150000 100000\n");
  v2.Write("sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n");
  EXPECT_EQ(CpuQuota(v2.Path()), 2);

  TemporaryDirectory v1;  // a container: the mount shows only our own directory
  v1.Write("proc/self/mountinfo",
           "30 20 0:26 /docker/abc /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
           "31 20 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n");
  v1.Write("proc/self/cgroup", "3:cpuset:/docker/abc\n2:cpu,cpuacct:/docker/abc\n");
  v1.Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000");
  v1.Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000");
  EXPECT_EQ(CpuQuota(v1.Path()), 1);
  v1.Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1");
  EXPECT_EQ(CpuQuota(v1.Path()), 0);
}

TEST(Cpus, ParsesLists) {
  EXPECT_EQ(*ParseCpuList("0,2,5"), (std::vector<int>{0, 2, 5}));
  EXPECT_EQ(*ParseCpuList("0-3"), (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(*ParseCpuList("1-6:2,9"), (std::vector<int>{1, 3, 5, 9}));
  for (const char* bad : {"a", "3-1", "1-", "-1", "0-3:0", "99999", ",", "1:x"})
    EXPECT_FALSE(ParseCpuList(bad)) << bad;
}

TEST(BatchScheduling, IsTheCallingThreadsOwn) {
  const int before = sched_getscheduler(0);
  std::thread([] {
    ASSERT_TRUE(UseBatchScheduling().has_value());
    EXPECT_EQ(sched_getscheduler(0), SCHED_BATCH);
  }).join();
  EXPECT_EQ(sched_getscheduler(0), before);
}

}  // namespace
}  // namespace cinnabar::os
