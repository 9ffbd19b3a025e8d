#include "base/log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "base/clock.h"

namespace cinnabar {
namespace {

constexpr char kLevelMarks[] = ".-*#";
constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr int kSyslogPriorities[] = {LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING};
constexpr int64_t kQuarterHourSeconds = 900;  // time zones change their offset on such boundaries only

// Usually one write(2); more only when the kernel takes a part. A log that cannot be written is nobody's to
// repair from here, so errors end the attempt.
void WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

int OpenForAppend(const std::string& path) {
  return open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

}  // namespace

RawWriter& RawWriter::Text(std::string_view text) {
  while (!text.empty()) {
    if (size_ == sizeof buffer_) Flush();
    const size_t part = std::min(text.size(), sizeof buffer_ - size_);
    std::memcpy(buffer_ + size_, text.data(), part);
    size_ += part;
    text.remove_prefix(part);
  }
  return *this;
}

RawWriter& RawWriter::Number(int64_t number) {
  char digits[20];
  char* first = digits + sizeof digits;
  uint64_t rest = number < 0 ? 0 - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
  do {
    *--first = static_cast<char>('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  if (number < 0) Text("-");
  return Text({first, static_cast<size_t>(digits + sizeof digits - first)});
}

RawWriter& RawWriter::Hex(uint64_t number) {
  char digits[16];
  char* first = digits + sizeof digits;
  do {
    *--first = "0123456789abcdef"[number % 16];
    number /= 16;
  } while (number != 0);
  return Text("0x").Text({first, static_cast<size_t>(digits + sizeof digits - first)});
}

RawWriter& RawWriter::EndLine() {
  Text("\n");
  Flush();
  return *this;
}

RawWriter& RawWriter::Prefix() {
  return Number(getpid()).Text(":signal-handler (").Number(time(nullptr)).Text(") ");
}

void RawWriter::Flush() {
  WriteAll(fd_, {buffer_, size_});
  size_ = 0;
}

Logger::Logger(int fd) : default_fd_(fd), fd_(fd) {
  UtcOffsetSeconds(SystemWallNanos() / kNanosPerSecond);
}

Logger::~Logger() {
  if (fd_ != default_fd_) close(fd_);
  if (syslog_enabled_) closelog();
}

Status Logger::SetFile(const std::string& path) {
  std::string absolute = path;
  if (!path.empty() && path.front() != '/') {
    char* directory = getcwd(nullptr, 0);
    if (directory != nullptr) absolute = fmt::format("{}/{}", directory, path);
    std::free(directory);
  }
  int fd = default_fd_;
  if (!path.empty()) {
    fd = OpenForAppend(absolute);
    struct stat file;
    if (fd < 0 || fstat(fd, &file) < 0) {
      const int code = errno;
      if (fd >= 0) close(fd);
      return Fail(fmt::format("Can't open the log file: {}", std::strerror(code)), code);
    }
    file_device_ = file.st_dev;
    file_inode_ = file.st_ino;
  }
  if (fd_ != default_fd_) close(fd_);
  fd_ = fd;
  path_ = std::move(absolute);
  return {};
}

void Logger::EnableSyslog(std::string ident, int facility) {
  if (syslog_enabled_) closelog();
  syslog_ident_ = std::move(ident);  // openlog keeps the pointer
  openlog(syslog_ident_.c_str(), LOG_PID | LOG_NDELAY | LOG_NOWAIT, facility);
  syslog_enabled_ = true;
}

void Logger::Format(LogLevel level, fmt::string_view format, fmt::format_args args) {
  if (!Enabled(level)) return;
  fmt::basic_memory_buffer<char, 1024> message;
  fmt::vformat_to(std::back_inserter(message), format, args);
  Write(level, {message.data(), message.size()});
}

void Logger::Write(LogLevel level, std::string_view message) {
  if (!Enabled(level) || level >= LogLevel::kNothing) return;
  const Millis now = SystemWallNanos() / kNanosPerMilli;
  const int64_t seconds = now / kMillisPerSecond;
  const std::chrono::sys_seconds local{std::chrono::seconds(seconds + UtcOffsetSeconds(seconds))};
  const auto day = std::chrono::floor<std::chrono::days>(local);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{local - day};

  fmt::basic_memory_buffer<char, 1024> line;
  fmt::format_to(std::back_inserter(line), "{}:{} {:02} {} {:04} {:02}:{:02}:{:02}.{:03} {} ", getpid(),
                 role_.load(std::memory_order_relaxed), static_cast<unsigned>(date.day()),
                 kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                 time.hours().count(), time.minutes().count(), time.seconds().count(), now % kMillisPerSecond,
                 kLevelMarks[static_cast<size_t>(level)]);
  const size_t prefix_size = line.size();
  line.append(message);
  line.push_back('\n');
  Emit(level, {line.data(), line.size()}, prefix_size);
}

void Logger::WriteRaw(LogLevel level, std::string_view text) {
  if (!Enabled(level) || level >= LogLevel::kNothing) return;
  Emit(level, text, 0);
}

void Logger::Emit(LogLevel level, std::string_view line, size_t prefix_size) {
  if (!path_.empty()) ReopenIfRotated();
  WriteAll(fd_, line);
  if (!syslog_enabled_) return;
  const std::string_view message = line.substr(prefix_size);
  syslog(kSyslogPriorities[static_cast<size_t>(level)], "%.*s", static_cast<int>(message.size()),
         message.data());
}

void Logger::ReopenIfRotated() {
  struct stat file;
  const bool present = stat(path_.c_str(), &file) == 0;
  if (present && file.st_ino == file_inode_ && file.st_dev == file_device_) return;
  if (reopening_.exchange(true)) return;  // another thread is at it; this line still goes to the old file
  const int fresh = OpenForAppend(path_);
  if (fresh >= 0) {
    if (fstat(fresh, &file) == 0 && dup3(fresh, fd_, O_CLOEXEC) >= 0) {
      file_device_ = file.st_dev;
      file_inode_ = file.st_ino;
    }
    close(fresh);
  }
  reopening_ = false;
}

int64_t Logger::UtcOffsetSeconds(int64_t unix_seconds) {
  constexpr int64_t kBias = 1 << 19;
  const int64_t quarter = unix_seconds / kQuarterHourSeconds;
  const int64_t known = utc_offset_.load(std::memory_order_relaxed);
  if (known != kNoOffset && known >> 20 == quarter) return (known & ((1 << 20) - 1)) - kBias;
  const time_t seconds = unix_seconds;
  tm local{};
  localtime_r(&seconds, &local);
  utc_offset_.store((quarter << 20) | (local.tm_gmtoff + kBias), std::memory_order_relaxed);
  return local.tm_gmtoff;
}

}  // namespace cinnabar
