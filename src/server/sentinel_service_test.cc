// The service of a sentinel with a real machine in a running server, and the parts of its port one by one.
#include "server/sentinel_service.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

#include "net/socket.h"
#include "os/temporary_directory_for_test.h"
#include "server/server.h"

namespace cinnabar::server {
namespace {

// An answer that never comes fails the test instead of hanging it.
void LimitPatience(int fd) {
  const timeval patience{60, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

std::string ReceiveUntil(int fd, const std::string& wanted) {
  std::string text;
  char byte = 0;
  while (!text.contains(wanted) && recv(fd, &byte, 1, 0) == 1) text += byte;
  EXPECT_TRUE(text.contains(wanted)) << text;
  return text;
}

void Await(const std::function<bool()>& happened) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!happened()) {
    ASSERT_LT(std::chrono::steady_clock::now(), limit);
    std::this_thread::yield();
  }
}

class SentinelServiceTest : public ::testing::Test {
 protected:
  void MakeServer(const std::string& config_path) {
    config::CommandLine line{.config_path = config_path, .sentinel = true};
    const Status loaded = config_.Load(line);
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    config_.Mutable().general.threads = 1;
    config_.Mutable().network.port = 0;
    config_.Mutable().network.unixsocket = directory_.Path("socket");
    config_.Mutable().persistence.dir = directory_.Path();
    config_.Mutable().persistence.save = {};
    ASSERT_TRUE(log_.SetFile(directory_.Path("log")).has_value());
    server_ = std::make_unique<Server>(config_, log_, ServerOptions{.program = "test", .sentinel = true});
  }
  void MakeServer() {
    directory_.Write("sentinel.conf", "# what people wrote\n");
    MakeServer(directory_.Path("sentinel.conf"));
  }
  // Runs it until `work`, on a thread of its own, has ended. Returns the exit code.
  int RunWhile(const std::function<void()>& work) {
    const Status listening = server_->Listen();
    EXPECT_TRUE(listening.has_value());
    std::thread client([&] {
      work();
      server_->Stop();
    });
    const int code = server_->Run();
    client.join();
    return code;
  }
  int ConnectClient() {
    sockaddr_un address{.sun_family = AF_UNIX};
    const std::string path = directory_.Path("socket");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    LimitPatience(fd);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  sentinel::Sentinel& machine() { return *server_->services().sentinel; }

  os::TemporaryDirectory directory_;
  std::unique_ptr<config::ConfigFiles> files_ = config::MakeSystemConfigFiles();
  config::Config config_{*files_};
  Logger log_;
  std::unique_ptr<Server> server_;
  const Cores no_cores_;
  const TlsContexts tls_{log_};
};

// A listening socket that waits, and what it is told until somebody has said `wanted`.
class WaitingServer {
 public:
  WaitingServer() : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(fd_, 8), 0);
    LimitPatience(fd_);
  }
  ~WaitingServer() { close(fd_); }
  int port() const {
    const std::string name = net::LocalName(fd_);
    return std::stoi(name.substr(name.rfind(':') + 1));
  }
  int Accept() {
    const int fd = accept(fd_, nullptr, nullptr);
    EXPECT_GE(fd, 0);
    LimitPatience(fd);
    return fd;
  }

 private:
  int fd_;
};

TEST_F(SentinelServiceTest, AServerThatIsASentinelWatches) {
  MakeServer();
  WaitingServer watched;
  ASSERT_TRUE(machine().Monitor("mymaster", "127.0.0.1", watched.port(), 2).has_value());
  machine().Find("mymaster")->down_after = 200;
  directory_.Write("script", "#!/bin/sh\necho \"$@\" >> " + directory_.Path("told") + "\n");
  ASSERT_EQ(chmod(directory_.Path("script").c_str(), 0700), 0);
  machine().Find("mymaster")->notification_script = directory_.Path("script");
  const std::string described = "mymaster 127.0.0.1 " + std::to_string(watched.port());

  const int code = RunWhile([&] {
    const int client = ConnectClient();
    ASSERT_GT(send(client, "SUBSCRIBE -sdown\r\n", 18, 0), 0);
    ReceiveUntil(client, ":1\r\n");
    const int one = watched.Accept(), other = watched.Accept();
    // Commands on one of them, in order; the other one listens.
    char byte = 0;
    std::string said;
    while (!said.contains("\r\nping\r\n") && !said.contains(":hello") && recv(one, &byte, 1, 0) == 1)
      said += static_cast<char>(std::tolower(byte));
    const int commands = said.contains(":hello") ? other : one;
    // Until PING is answered, behind CLIENT SETNAME, the server counts as down.
    Await([&] { return directory_.Read("told").starts_with("+monitor master " + described); });
    Await([&] { return directory_.Read("log").contains("+sdown master " + described); });
    ASSERT_GT(send(commands, "+OK\r\n+PONG\r\n", 12, MSG_NOSIGNAL), 0);
    ReceiveUntil(client, "-sdown\r\n");
    ReceiveUntil(client, "master " + described + "\r\n");
    close(client);
    close(one);
    close(other);
  });
  EXPECT_EQ(code, 0);
  const std::string text = directory_.Read("sentinel.conf");
  EXPECT_TRUE(text.starts_with("# what people wrote\n")) << text;
  EXPECT_TRUE(text.contains("\nsentinel myid " + machine().options().id + "\n")) << text;
  EXPECT_TRUE(text.contains("\nsentinel monitor " + described + " 2\n")) << text;
}

TEST_F(SentinelServiceTest, DoesNotServeWithoutAConfigFile) {
  MakeServer("");
  EXPECT_EQ(RunWhile([] {}), 1);
  EXPECT_TRUE(
      directory_.Read("log").contains("Sentinel needs config file on disk to save state. Exiting..."));
}

TEST_F(SentinelServiceTest, DoesNotServeWhenTheConfigFileCannotBeWritten) {
  directory_.Write("folder/sentinel.conf", "");
  MakeServer(directory_.Path("folder/sentinel.conf"));
  std::filesystem::remove_all(directory_.Path("folder"));
  EXPECT_EQ(RunWhile([] {}), 1);
  EXPECT_TRUE(directory_.Read("log").contains("sentinel.conf is not writable: No such file or directory"))
      << directory_.Read("log");
}

TEST_F(SentinelServiceTest, SavesLinesBesideWhatIsThere) {
  MakeServer();
  SentinelService service(server_->services(), no_cores_, tls_, 1);
  ASSERT_TRUE(service.machine().Monitor("mymaster", "127.0.0.1", 6379, 2).has_value());
  ASSERT_TRUE(service.Save().has_value());
  EXPECT_TRUE(directory_.Read("sentinel.conf").contains("sentinel monitor mymaster 127.0.0.1 6379 2"));
  service.machine().Remove("mymaster");
  ASSERT_TRUE(service.Save().has_value());
  EXPECT_FALSE(directory_.Read("sentinel.conf").contains("mymaster"));
  EXPECT_TRUE(directory_.Read("sentinel.conf").starts_with("# what people wrote\n"));
  std::filesystem::remove_all(directory_.Path());
  const Status failed = service.Save();
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().message, "No such file or directory");
}

TEST_F(SentinelServiceTest, EventsAreLoggedAndPublished) {
  MakeServer();
  SentinelService service(server_->services(), no_cores_, tls_, 1);
  RunWhile([&] {
    const int client = ConnectClient();
    ASSERT_GT(send(client, "PSUBSCRIBE *\r\n", 14, 0), 0);
    ReceiveUntil(client, ":1\r\n");
    service.Announce(LogLevel::kDebug, "+cmd-link", "nobody hears of it");
    service.Announce(LogLevel::kVerbose, "+odown", "not in the log");
    service.Announce(LogLevel::kWarning, "+sdown", "master mymaster 127.0.0.1 6379");
    EXPECT_EQ(ReceiveUntil(client, "6379\r\n"),
              "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$6\r\n+odown\r\n$14\r\nnot in the log\r\n"
              "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$6\r\n+sdown\r\n$30\r\nmaster mymaster 127.0.0.1 6379\r\n");
    close(client);
  });
  const std::string log = directory_.Read("log");
  EXPECT_TRUE(log.contains("# +sdown master mymaster 127.0.0.1 6379\n")) << log;
  EXPECT_FALSE(log.contains("+cmd-link"));
  EXPECT_FALSE(log.contains("+odown"));
}

TEST_F(SentinelServiceTest, RunsAndKillsScripts) {
  MakeServer();
  SentinelService service(server_->services(), no_cores_, tls_, 1);
  const std::vector<std::string> arguments = {"-c", "exec sleep 1000"};
  const Result<int64_t> process = service.StartScript({1, "/bin/sh", arguments});
  ASSERT_TRUE(process.has_value());
  ASSERT_GT(*process, 0);
  service.KillScript(1);
  int status = 0;
  ASSERT_EQ(waitpid(static_cast<pid_t>(*process), &status, 0), *process);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

  directory_.Write("script", "#!/bin/sh\n");
  EXPECT_FALSE(service.MayRun(directory_.Path("script")));
  ASSERT_EQ(chmod(directory_.Path("script").c_str(), 0700), 0);
  EXPECT_TRUE(service.MayRun(directory_.Path("script")));
  EXPECT_FALSE(service.MayRun(directory_.Path()));
  EXPECT_FALSE(service.MayRun(directory_.Path("missing")));
}

TEST_F(SentinelServiceTest, ResolvesNames) {
  MakeServer();
  SentinelService service(server_->services(), no_cores_, tls_, 1);
  EXPECT_EQ(service.Resolve("10.0.0.1"), "10.0.0.1");
  const auto local = service.Resolve("localhost");
  ASSERT_TRUE(local.has_value());
  EXPECT_TRUE(IsNumericAddress(*local)) << *local;
  EXPECT_EQ(service.Resolve("localhost"), local);
}

using SentinelServiceDeathTest = SentinelServiceTest;

TEST_F(SentinelServiceDeathTest, CrashesAtOnce) {
  MakeServer();
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  SentinelService service(server_->services(), no_cores_, tls_, 1);
  EXPECT_EXIT(service.Crash(), ::testing::ExitedWithCode(99), "");
}

}  // namespace
}  // namespace cinnabar::server
