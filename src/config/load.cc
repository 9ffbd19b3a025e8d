// Reading config text: which line is which, in which order sources are read, and what a fatal error looks
// like.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/ascii.h"
#include "config/config.h"
#include "config/internal/foreign_directives.h"
#include "config/internal/lookup.h"
#include "config/internal/param.h"
#include "config/internal/values.h"
#include "config/line.h"

namespace cinnabar::config {

namespace {

constexpr int kMaxIncludeDepth = 32;
constexpr std::string_view kModuleSetting = "module-setting";
constexpr std::string_view kBadDirective = "Bad directive or wrong number of arguments";

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

bool IsPattern(std::string_view path) {
  return path.find_first_of("*?[") != std::string_view::npos;
}

}  // namespace

std::string Config::FatalText(std::string_view reason) const {
  return fmt::format("*** FATAL CONFIG FILE ERROR (Redis {}) ***\n{}",
                     RedisVersion(settings_.general.compat_version), reason);
}

std::string Config::FatalText(const Directive& directive, std::string_view reason) const {
  return FatalText(fmt::format("Reading the configuration file, at line {}\n>>> '{}'\n{}",
                               directive.line_number, directive.line, reason));
}

Status Config::Load(const CommandLine& command_line, std::string_view standard_input) {
  sentinel_ = command_line.sentinel;
  std::string text;
  if (!command_line.config_path.empty()) {
    std::filesystem::path path = command_line.config_path;
    if (path.is_relative()) path = files_.CurrentDirectory() / path;
    path_ = path.lexically_normal().string();
    auto content = files_.Read(path_);
    if (!content) {
      return Fail(fmt::format("Fatal error, can't open config file '{}': {}", path_, content.error().message),
                  content.error().code);
    }
    text = std::move(*content);
  }
  text += standard_input;
  if (command_line.has_options) text += '\n' + command_line.options;
  TRY_STATUS(LoadText(text, 0));
  return CheckWhole();
}

std::vector<std::string> Config::NotActedOn() const {
  std::vector<std::string> names;
  for (const FileDirective& directive : FileDirectives()) {
    if (directive.not_yet && !Directives(directive.name).empty()) names.emplace_back(directive.name);
  }
  for (const Directive& line : directives_) {
    const bool new_name = std::ranges::find(names, line.name) == names.end();
    if (new_name && FindForeignDirective(line.name) != nullptr) names.push_back(line.name);
  }
  for (const Directive& setting : Directives(kModuleSetting)) names.push_back(setting.arguments.front());
  for (const Chapter& chapter : Chapters()) {
    for (const Param& param : chapter.params) {
      if (!param.Has(kNotYet) || !loaded_.contains(&param)) continue;
      if (FormatValue(param, settings_) != FormatValue(param, defaults_)) names.emplace_back(param.name);
    }
  }
  return names;
}

std::vector<Directive> Config::Directives(std::string_view name) const {
  std::vector<Directive> found;
  std::ranges::copy_if(directives_, std::back_inserter(found),
                       [name](const Directive& directive) { return directive.name == name; });
  return found;
}

Status Config::LoadText(std::string_view text, int include_depth) {
  for (int line_number = 1; !text.empty(); ++line_number) {
    size_t end = std::min(text.find('\n'), text.size());
    Directive line = {.line_number = line_number, .line = std::string(Trim(text.substr(0, end)))};
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.line.empty() || line.line.starts_with('#')) continue;
    Status status = LoadWords(line, line.line, include_depth);
    if (status) continue;
    // Not as Redis reads it; then perhaps with a comment at its end. If that does not help, Redis's error
    // stands.
    auto before_comment = TextBeforeComment(line.line);
    if (!before_comment || !LoadWords(line, *before_comment, include_depth)) return status;
  }
  return {};
}

Status Config::LoadWords(Directive line, std::string_view text, int include_depth) {
  auto words = SplitLine(text);
  if (!words) return Fail(FatalText(line, "Unbalanced quotes in configuration line"));
  if (words->empty()) return {};
  line.name = LowerCase(words->front());
  line.arguments.assign(words->begin() + 1, words->end());
  return LoadLine(line, include_depth);
}

Status Config::LoadLine(const Directive& line, int include_depth) {
  if (const Param* param = FindParam(line.name)) return LoadParam(*param, line);
  if (const ForeignDirective* foreign = FindForeignDirective(line.name)) {
    const bool silent = foreign->effect == ForeignEffect::kForgotten;
    if (line.arguments.empty() || (silent && line.arguments.size() > 1))
      return Fail(FatalText(line, kBadDirective));
    if (!silent) directives_.push_back(line);
    return {};
  }
  if (line.name.find('.') != std::string::npos) {
    if (line.arguments.empty()) return Fail(FatalText(line, "Module config specified without value"));
    Directive setting = line;
    setting.arguments.insert(setting.arguments.begin(), line.name);
    setting.name = kModuleSetting;
    directives_.push_back(std::move(setting));
    return {};
  }
  const FileDirective* known = FindFileDirective(line.name);
  bool valid =
      known && line.arguments.size() >= known->min_arguments && line.arguments.size() <= known->max_arguments;
  if (!valid) return Fail(FatalText(line, kBadDirective));
  if (line.name == "include") return Include(line.arguments[0], include_depth);
  return LoadDirective(line);
}

Status Config::LoadParam(const Param& param, const Directive& line) {
  Write write = loaded_.contains(&param) ? Write::kAppend : Write::kReplace;
  Settings next = settings_;
  Status status = ParseValue(param, line.arguments, write, next);
  if (!status) return Fail(FatalText(line, status.error().message));
  const Settings old = std::exchange(settings_, std::move(next));
  for (RegisteredApplier& applier : appliers_) {
    if (std::ranges::find(applier.params, &param) == applier.params.end()) continue;
    status = applier.apply(old, settings_);
    if (status) continue;
    settings_ = old;
    return Fail(FatalText(line, status.error().message));
  }
  loaded_.insert(&param);
  return {};
}

Status Config::LoadDirective(const Directive& line) {
  if (line.name == "sentinel" && !sentinel_) {
    return Fail(FatalText(line, "sentinel directive while not in sentinel mode"));
  }
  if (line.name == "user") {
    for (const Directive& other : directives_) {
      if (other.name != "user" || other.arguments[0] != line.arguments[0]) continue;
      return Fail(
          FatalText(line, fmt::format("Error in user declaration '{}': Duplicate user found. A user can "
                                      "only be defined once in config files",
                                      line.arguments[0])));
    }
  }
  if (!line.arguments.empty()) directives_.push_back(line);
  return {};
}

Status Config::Include(const std::string& pattern, int include_depth) {
  if (include_depth >= kMaxIncludeDepth) {
    return Fail(FatalText(fmt::format("Too many nested includes, at '{}'", pattern)));
  }
  std::vector<std::string> paths = {pattern};
  if (IsPattern(pattern)) paths = files_.Glob(pattern);
  for (const std::string& path : paths) TRY_STATUS(LoadFile(path, include_depth + 1));
  return {};
}

Status Config::LoadFile(const std::string& path, int include_depth) {
  auto text = files_.Read(path);
  if (!text) {
    return Fail(fmt::format("Fatal error, can't open config file '{}': {}", path, text.error().message),
                text.error().code);
  }
  return LoadText(*text, include_depth);
}

Status Config::CheckWhole() const {
  if (settings_.cluster.enabled && !settings_.replication.replicaof.host.empty()) {
    return Fail(FatalText("replicaof directive not allowed in cluster mode"));
  }
  return {};
}

}  // namespace cinnabar::config
