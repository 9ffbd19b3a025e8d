// Config: the registry of all directives; the front door of this folder.
//
// It owns the Settings, reads them from a config file, standard input and the command line, answers
// CONFIG GET, performs CONFIG SET (all or nothing) and CONFIG REWRITE. What a directive is called, may hold
// and means is stated once, in the tables of internal/params_*.cc; its default is stated in settings.h.
//
// Threads: settings() may be read by every thread. Everything that changes them (Load, Set, Mutable) needs
// all cores stopped, or not started yet. Appliers run in the thread that calls Set.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/command_line.h"
#include "config/config_files.h"
#include "config/settings.h"

namespace cinnabar::config {

struct Param;

// A line that is no parameter but work for somebody else: user, rename-command, loadmodule, sentinel, and
// settings of modules ("module.name value", under the name "module-setting").
struct Directive {
  std::string name;
  std::vector<std::string> arguments;  // without the name; for module-setting with the setting's name
  int line_number = 0;
  std::string line;  // as written
};

using NameAndValue = std::pair<std::string, std::string>;

// What CONFIG SET needs to know about its caller and the moment.
struct SetContext {
  bool client_is_local = false;  // loopback or Unix socket
  bool loading = false;          // the data set is being loaded
};

// Why CONFIG SET failed: the first word of the error reply and the rest.
struct SetError {
  std::string_view code = "ERR";
  std::string message;
};

// Puts changed settings into effect. May correct `now`. On failure CONFIG SET goes back to `old` and calls
// the appliers that had already run with the roles exchanged.
using Applier = std::function<Status(const Settings& old, Settings& now)>;

// Yields the lines to write for a directive, without its name.
using LineSource = std::function<std::vector<std::string>()>;

class Config {
 public:
  // REQUIRES: `files` outlives this.
  explicit Config(ConfigFiles& files);
  Config(const Config&) = delete;
  Config& operator=(const Config&) = delete;

  // The address is stable.
  const Settings& settings() const { return settings_; }
  // For changes that come from elsewhere, such as REPLICAOF.
  Settings& Mutable() { return settings_; }
  // A rewrite leaves the lines about these parameters as they are: what is in effect is not what was asked
  // for. REQUIRES: the names exist.
  void LeaveInFile(std::initializer_list<std::string_view> names);
  // The file operations that it was given.
  ConfigFiles& files() { return files_; }

  // Reads the file of the command line, then `standard_input`, then the options. On failure `code` is an
  // errno when a file could not be read (to be logged); otherwise the message is the complete multi-line text
  // of Redis for standard error, without leading and trailing newline. Call once.
  Status Load(const CommandLine& command_line, std::string_view standard_input = {});

  // The absolute path of the config file; empty when there is none.
  const std::string& path() const { return path_; }
  // What Load met, differing from its default, that nothing in this version acts on yet; by the preferred
  // names.
  std::vector<std::string> NotActedOn() const;
  // The lines under this name, in order.
  std::vector<Directive> Directives(std::string_view name) const;
  // The same text as Load's, for errors that others find in a directive (unknown command in rename-command,
  // bad ACL rule), or in the configuration as a whole.
  std::string FatalText(const Directive& directive, std::string_view reason) const;
  std::string FatalText(std::string_view reason) const;

  // CONFIG GET: parameters under every name that one of the patterns matches, each name once.
  std::vector<NameAndValue> Get(std::span<const std::string> patterns) const;
  // The value of one parameter, by any of its names, in any case.
  std::optional<std::string> GetOne(std::string_view name) const;
  // Whether the value must not appear in logs.
  bool IsSecret(std::string_view name) const;

  // CONFIG SET.
  std::expected<void, SetError> Set(std::span<const NameAndValue> pairs, SetContext context);
  // Calls `applier` once after a successful CONFIG SET changed any of these parameters, or named again a file
  // that one of them stands for, appliers in the order
  // in which the command names their parameters. Those that exist before Load run during it, after each line
  // that sets one of their parameters. REQUIRES: the names exist.
  void RegisterApplier(std::initializer_list<std::string_view> names, Applier applier);

  // CONFIG REWRITE. The message of a failure is what follows "ERR ".
  Status Rewrite();
  // DEBUG CONFIG-REWRITE-FORCE-ALL: also writes what is at its default.
  Status RewriteForceAll();
  // The owner of a directive that is no parameter says here what a rewrite should write for it. Without a
  // source, its lines stay as they are.
  void SetLineSource(std::string name, LineSource source);

 private:
  enum class Scope { kChanged, kEverything };
  struct RegisteredApplier {
    std::vector<const Param*> params;
    Applier apply;
  };

  Status LoadText(std::string_view text, int include_depth);
  Status LoadFile(const std::string& path, int include_depth);
  Status LoadWords(Directive line, std::string_view text, int include_depth);
  Status LoadLine(const Directive& line, int include_depth);
  Status LoadDirective(const Directive& line);
  Status LoadParam(const Param& param, const Directive& line);
  Status Include(const std::string& pattern, int include_depth);
  Status CheckWhole() const;
  std::unexpected<SetError> SetFailure(std::string_view name, std::string_view reason) const;
  std::expected<std::vector<const Param*>, SetError> FindAll(std::span<const NameAndValue> pairs,
                                                             SetContext context) const;
  std::expected<void, SetError> Apply(const Settings& old, std::span<const NameAndValue> pairs,
                                      std::span<const Param* const> params);
  Status RewriteFile(Scope scope);
  std::string RewrittenText(std::string_view old_text, Scope scope) const;
  bool ListedAs(const Param& param, std::string_view name) const;

  ConfigFiles& files_;
  const Settings defaults_;
  Settings settings_;
  std::string path_;
  bool sentinel_ = false;
  std::set<const Param*> loaded_;  // parameters that Load has met
  std::set<const Param*> left_in_file_;
  std::vector<Directive> directives_;
  std::vector<RegisteredApplier> appliers_;
  std::map<std::string, LineSource, std::less<>> line_sources_;
};

// The commented cinnabar.conf with every directive at its default.
std::string GenerateConf();
// The reference page, in Markdown.
std::string GenerateReference();

}  // namespace cinnabar::config
