// The logging front: lines that look like Redis's, because operators and tools read them.
//
//   1234:M 05 Jan 2026 13:01:02.345 * Ready to accept connections
//   PID:ROLE, local time, level mark (. debug  - verbose  * notice  # warning), message
//
// A Logger is made by the composition root and handed around. It takes no lock: every line is one write(2) to
// a descriptor in append mode, so that lines of threads and of forked children never mix. Before a line is
// written to a file, the file's identity is checked; when logrotate has moved it away, a new one is opened
// and slipped under the same descriptor number with dup3, which is atomic for a thread that writes at that
// moment.
//
// Local time is kept as an offset that is looked up once per quarter of an hour, because the C library's
// conversion takes a lock that a forked child could find held.
#pragma once

#include <fmt/core.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace cinnabar {

enum class LogLevel : uint8_t { kDebug, kVerbose, kNotice, kWarning, kNothing };

// Writes text to a descriptor without memory allocation and without locks: for signal handlers. Buffers up to
// a line; what is left is written by the destructor.
class RawWriter {
 public:
  explicit RawWriter(int fd) : fd_(fd) {}
  ~RawWriter() { Flush(); }
  RawWriter(const RawWriter&) = delete;
  RawWriter& operator=(const RawWriter&) = delete;

  RawWriter& Text(std::string_view text);
  RawWriter& Number(int64_t number);
  RawWriter& Hex(uint64_t number);  // 0x…
  RawWriter& EndLine();
  // Starts a line as Redis does inside signal handlers: "PID:signal-handler (unix time) ".
  RawWriter& Prefix();
  void Flush();

  int fd() const { return fd_; }

 private:
  int fd_;
  size_t size_ = 0;
  char buffer_[512];
};

class Logger {
 public:
  // Writes to `fd` (not owned) at level notice.
  explicit Logger(int fd = 1);
  ~Logger();
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  // Sends lines to a file, opened for appending and created if needed; an empty path means the descriptor of
  // the constructor. A relative path counts from the working directory of this moment.
  // REQUIRES: no other thread is logging (start-up).
  Status SetFile(const std::string& path);

  // Also sends lines to syslog. REQUIRES: no other thread is logging.
  void EnableSyslog(std::string ident, int facility);

  // What follows is safe on any thread.
  void SetLevel(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  LogLevel level() const { return level_.load(std::memory_order_relaxed); }
  bool Enabled(LogLevel level) const { return level >= this->level(); }

  // The letter after the PID: M master, S replica, C forked child, X sentinel.
  void SetRole(char role) { role_.store(role, std::memory_order_relaxed); }

  template <typename... Args>
  void Debug(fmt::format_string<Args...> format, Args&&... args) {
    Format(LogLevel::kDebug, format, fmt::make_format_args(args...));
  }
  template <typename... Args>
  void Verbose(fmt::format_string<Args...> format, Args&&... args) {
    Format(LogLevel::kVerbose, format, fmt::make_format_args(args...));
  }
  template <typename... Args>
  void Notice(fmt::format_string<Args...> format, Args&&... args) {
    Format(LogLevel::kNotice, format, fmt::make_format_args(args...));
  }
  template <typename... Args>
  void Warning(fmt::format_string<Args...> format, Args&&... args) {
    Format(LogLevel::kWarning, format, fmt::make_format_args(args...));
  }

  // One line with the prefix, or (Raw) exactly the text given: banners and reports bring their own newlines.
  void Write(LogLevel level, std::string_view message);
  void WriteRaw(LogLevel level, std::string_view text);

  // The descriptor lines go to; its number changes only in SetFile. For RawWriter in signal handlers.
  int fd() const { return fd_; }

 private:
  void Format(LogLevel level, fmt::string_view format, fmt::format_args args);
  void Emit(LogLevel level, std::string_view line, size_t prefix_size);
  void ReopenIfRotated();
  int64_t UtcOffsetSeconds(int64_t unix_seconds);

  int default_fd_;
  int fd_;
  std::string path_;
  std::string syslog_ident_;
  bool syslog_enabled_ = false;
  std::atomic<bool> reopening_{false};
  std::atomic<uint64_t> file_device_{0};
  std::atomic<uint64_t> file_inode_{0};
  std::atomic<LogLevel> level_{LogLevel::kNotice};
  std::atomic<char> role_{'M'};
  std::atomic<int64_t> utc_offset_{kNoOffset};  // quarter of an hour * 2^20 + offset + 2^19

  static constexpr int64_t kNoOffset = -1;
};

}  // namespace cinnabar
