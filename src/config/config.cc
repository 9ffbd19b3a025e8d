#include "config/config.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ascii.h"
#include "base/check.h"
#include "base/glob.h"
#include "config/internal/lookup.h"
#include "config/internal/param.h"
#include "config/internal/values.h"

namespace cinnabar::config {

namespace {

constexpr std::string_view kLoadingMessage = "Redis is loading the dataset in memory";

bool IsPattern(std::string_view text) {
  return text.find_first_of("[*?") != std::string_view::npos;
}

bool MayChangeProtected(const Settings& settings, SetContext context) {
  Permission permission = settings.security.enable_protected_configs;
  return permission == Permission::kYes || (permission == Permission::kLocal && context.client_is_local);
}

}  // namespace

Config::Config(ConfigFiles& files) : files_(files) {
  settings_.persistence.dir = files_.CurrentDirectory();
  RegisterApplier({"dir"}, [this](const Settings&, Settings& now) -> Status {
    TRY_STATUS(files_.ChangeDirectory(now.persistence.dir));
    now.persistence.dir = files_.CurrentDirectory();
    return {};
  });
}

// Redis 7.0's own test suite sets whatever CONFIG GET * lists, so that names it cannot know stay hidden
// there.
bool Config::ListedAs(const Param& param, std::string_view name) const {
  if (name.empty() || param.Has(kHidden)) return false;
  bool newer = param.Has(kNewer) && name == param.name;
  return !newer || settings_.general.compat_version != CompatVersion::k70;
}

std::vector<NameAndValue> Config::Get(std::span<const std::string> patterns) const {
  std::vector<NameAndValue> found;
  std::set<std::string, std::less<>> names;
  auto add = [&](const Param& param, std::string_view name) {
    if (names.insert(LowerCase(name)).second) found.emplace_back(name, FormatValue(param, settings_));
  };
  for (const std::string& pattern : patterns) {
    if (!IsPattern(pattern)) {
      if (const Param* param = FindParam(pattern)) add(*param, pattern);
      continue;
    }
    auto matches = [&](const Param& param, std::string_view name) {
      return ListedAs(param, name) && GlobMatch(pattern, name, CaseMode::kInsensitive);
    };
    for (const Chapter& chapter : Chapters()) {
      for (const Param& param : chapter.params) {
        if (matches(param, param.name)) add(param, param.name);
        for (std::string_view alias : param.aliases) {
          if (matches(param, alias)) add(param, alias);
        }
      }
    }
  }
  return found;
}

std::optional<std::string> Config::GetOne(std::string_view name) const {
  const Param* param = FindParam(name);
  if (!param) return std::nullopt;
  return FormatValue(*param, settings_);
}

bool Config::IsSecret(std::string_view name) const {
  const Param* param = FindParam(name);
  return param && param->Has(kSecret);
}

void Config::RegisterApplier(std::initializer_list<std::string_view> names, Applier applier) {
  RegisteredApplier& registered = appliers_.emplace_back();
  for (std::string_view name : names) {
    const Param* param = FindParam(name);
    CHECK(param != nullptr);
    registered.params.push_back(param);
  }
  registered.apply = std::move(applier);
}

void Config::LeaveInFile(std::initializer_list<std::string_view> names) {
  for (std::string_view name : names) {
    const Param* param = FindParam(name);
    CHECK(param != nullptr);
    left_in_file_.insert(param);
  }
}

void Config::SetLineSource(std::string name, LineSource source) {
  line_sources_.insert_or_assign(std::move(name), std::move(source));
}

std::unexpected<SetError> Config::SetFailure(std::string_view name, std::string_view reason) const {
  return std::unexpected(SetError{
      .message = fmt::format("CONFIG SET failed (possibly related to argument '{}') - {}", name, reason)});
}

std::expected<std::vector<const Param*>, SetError> Config::FindAll(std::span<const NameAndValue> pairs,
                                                                   SetContext context) const {
  std::vector<const Param*> params;
  std::set<std::string> names;
  bool denied_while_loading = false;
  for (const auto& [name, value] : pairs) {
    const Param* param = FindParam(name);
    if (!param) {
      return std::unexpected(SetError{
          .message = fmt::format("Unknown option or number of arguments for CONFIG SET - '{}'", name)});
    }
    if (param->Has(kImmutable)) return SetFailure(name, "can't set immutable config");
    if (param->Has(kProtected) && !MayChangeProtected(settings_, context)) {
      return SetFailure(name, "can't set protected config");
    }
    denied_while_loading |= context.loading && param->Has(kDenyLoading);
    if (!names.insert(LowerCase(name)).second) return SetFailure(name, "duplicate parameter");
    params.push_back(param);
  }
  if (denied_while_loading) {
    return std::unexpected(SetError{.code = "LOADING", .message = std::string(kLoadingMessage)});
  }
  return params;
}

std::expected<void, SetError> Config::Set(std::span<const NameAndValue> pairs, SetContext context) {
  auto params = FindAll(pairs, context);
  if (!params) return std::unexpected(std::move(params).error());
  Settings next = settings_;
  for (size_t i = 0; i < pairs.size(); ++i) {
    Status status = ParseValue(*(*params)[i], std::span(&pairs[i].second, 1), Write::kReplace, next);
    if (!status) return SetFailure(pairs[i].first, status.error().message);
  }
  const Settings old = std::exchange(settings_, std::move(next));
  return Apply(old, pairs, *params);
}

std::expected<void, SetError> Config::Apply(const Settings& old, std::span<const NameAndValue> pairs,
                                            std::span<const Param* const> params) {
  std::vector<RegisteredApplier*> done;
  auto roll_back = [&] {
    Settings failed = std::exchange(settings_, old);
    for (RegisteredApplier* applier : done) {
      // The old settings were in effect a moment ago; there is nobody to tell if they cannot be again.
      [[maybe_unused]] Status restored = applier->apply(failed, settings_);
    }
  };
  for (size_t i = 0; i < params.size(); ++i) {
    const Param* param = params[i];
    if (!param->Has(kVolatile) && FormatValue(*param, old) == FormatValue(*param, settings_)) continue;
    for (RegisteredApplier& applier : appliers_) {
      bool concerned = std::ranges::find(applier.params, param) != applier.params.end();
      if (!concerned || std::ranges::find(done, &applier) != done.end()) continue;
      done.push_back(&applier);
      Status status = applier.apply(old, settings_);
      if (status) continue;
      roll_back();
      return SetFailure(pairs[i].first, status.error().message);
    }
  }
  return {};
}

}  // namespace cinnabar::config
