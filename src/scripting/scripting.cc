#include "scripting/scripting.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "base/numbers.h"
#include "config/settings.h"
#include "dispatch/dispatcher.h"
#include "dispatch/script_run.h"
#include "scripting/core_scripts.h"
#include "scripting/shebang.h"

namespace cinnabar::scripting {
namespace {

using dispatch::Call;
using dispatch::Command;
using dispatch::ScriptRun;
using dispatch::Scripts;
namespace Flag = dispatch::Flag;
namespace ScriptFlag = dispatch::ScriptFlag;

using Arguments = std::span<const std::string_view>;

class Scripting final : public Scripts {
 public:
  Scripting(dispatch::Services& services, int cores, uint64_t seed)
      : services_(services), shared_(services.log, seed) {
    for (int core = 0; core < cores; ++core)
      cores_.push_back(std::make_unique<CoreScripts>(services.log, texts_, seed + 1000 * (core + 1)));
  }

  Place PlaceOf(const Command& command, Arguments argv, int core) override;
  uint64_t FlagsOf(const Command& command, Arguments argv, int core) override;
  void Run(Call& call, By by, Writes writes) override;

  Result<std::string> Load(Call& call, std::string_view text) override;
  bool Knows(std::string_view digest) override;
  void FlushScripts(Freeing freeing) override;
  void FlushFunctions(Freeing freeing) override;
  Result<std::string> LoadLibrary(int core, std::string_view code, IfThere if_there) override;
  bool DeleteLibrary(std::string_view name) override;
  std::vector<LibraryFacts> Libraries() const override;
  Status RestoreLibraries(int core, std::span<const std::string> codes, Restore how) override;
  Figures figures() const override;
  LibraryCounts LibraryFigures() const override { return {libraries_.all().size(), libraries_.functions()}; }

 private:
  // What a request names: a text, or a function.
  struct Named {
    const std::shared_ptr<Text>* text = nullptr;
    const scripting::Libraries::Found* function = nullptr;
    explicit operator bool() const { return text != nullptr || function != nullptr; }
    uint32_t flags() const { return text != nullptr ? (*text)->flags : function->function->facts.flags; }
    Standing& standing() const { return text != nullptr ? (*text)->standing : function->function->standing; }
    bool keeps_state() const { return text == nullptr && function->function->keeps_state; }
  };
  static By ByOf(const Command& command);
  Named Find(By by, std::string_view name, int core);
  // Finds it, or makes it from its text; without it the reply has been written.
  Named Get(Call& call, By by);
  Result<int> Compiled(Level& level, const Named& named);
  void RunIn(Call& call, Level& level, const Named& named, Arguments words, int64_t keys, Writes writes);
  void Learn(const Call& call, const ScriptRun& run, const Named& named, bool visible);
  void Free(std::unique_ptr<Interpreter> interpreter, Freeing freeing);

  dispatch::Services& services_;
  Texts texts_;
  scripting::Libraries libraries_;
  std::vector<std::unique_ptr<CoreScripts>> cores_;
  Level shared_;  // of functions that keep state
};

// The number of keys that a request announces, or an error in the reply.
std::optional<int64_t> TakeKeyCount(Call& call, Scripts::By by) {
  const auto count = ParseInt64(call.arg(2));
  if (!count) {
    call.reply().Error(by == Scripts::By::kFunction ? "ERR Bad number of keys provided"
                                                    : "ERR value is not an integer or out of range");
  } else if (*count > static_cast<int64_t>(call.argc()) - 3) {
    call.reply().Error("ERR Number of keys can't be greater than number of args");
  } else if (*count < 0) {
    call.reply().Error("ERR Number of keys can't be negative");
  } else {
    return *count;
  }
  return std::nullopt;
}

Scripts::By Scripting::ByOf(const Command& command) {
  if (command.name.starts_with("fcall")) return By::kFunction;
  return command.name.starts_with("evalsha") ? By::kDigest : By::kText;
}

Scripting::Named Scripting::Find(By by, std::string_view name, int core) {
  if (by == By::kFunction) return {.function = libraries_.Find(name)};
  CoreScripts& scripts = *cores_[static_cast<size_t>(core)];
  return {.text = by == By::kDigest ? scripts.FindDigest(name) : scripts.FindText(name)};
}

Scripts::Place Scripting::PlaceOf(const Command& command, Arguments argv, int core) {
  const By by = ByOf(command);
  const Named named = Find(by, argv[1], core);
  // What is not there ends in an error at once; a text that comes for the first time is compiled.
  if (!named) return by == By::kText ? Place::kAlone : Place::kUnderKeys;
  return named.standing().proven() && !named.keeps_state() ? Place::kUnderKeys : Place::kAlone;
}

// A script that says what it does is treated as a command that does that.
uint64_t Scripting::FlagsOf(const Command& command, Arguments argv, int core) {
  if (argv.size() < 3) return command.flags;
  const By by = ByOf(command);
  Named named = Find(by, argv[1], core);
  uint32_t flags = ScriptFlag::kSaysNothing;
  if (named) {
    flags = named.flags();
  } else if (by == By::kText) {
    if (const auto head = ReadScriptHead(argv[1])) flags = head->flags;
  }
  if ((flags & ScriptFlag::kSaysNothing) != 0) return command.flags;
  uint64_t all = command.flags & ~(Flag::kStale | Flag::kDenyOom | Flag::kWrite | Flag::kMayReplicate);
  if ((flags & ScriptFlag::kNoWrites) == 0) all |= Flag::kWrite;
  if ((flags & (ScriptFlag::kNoWrites | ScriptFlag::kAllowOom)) == 0) all |= Flag::kDenyOom;
  if ((flags & ScriptFlag::kAllowStale) != 0) all |= Flag::kStale;
  return all;
}

Scripting::Named Scripting::Get(Call& call, By by) {
  const int core = call.dispatcher().context().index;
  Named named = Find(by, call.arg(1), core);
  if (named) return named;
  if (by == By::kFunction) {
    call.reply().Error("ERR Function not found");
    return named;
  }
  if (by == By::kDigest) {
    call.reply().Error("NOSCRIPT No matching script. Please use EVAL.");
    return named;
  }
  const auto text = texts_.Add(call.arg(1));
  if (!text) {
    call.reply().Error("ERR " + text.error().message);
    return named;
  }
  cores_[static_cast<size_t>(core)]->Remember(*text);
  return Find(by, call.arg(1), core);
}

Result<int> Scripting::Compiled(Level& level, const Named& named) {
  if (named.function != nullptr) return level.Compiled(libraries_, *named.function);
  return level.Compiled(*named.text);
}

void Scripting::Run(Call& call, By by, Writes writes) {
  call.dispatcher().telemetry().ShowScript(call);
  std::optional<int64_t> keys;
  // Redis looks for a function before it counts, and counts before it looks for a script.
  if (by != By::kFunction && !(keys = TakeKeyCount(call, by))) return;
  const Named named = Get(call, by);
  if (!named) return;
  if (!keys && !(keys = TakeKeyCount(call, by))) return;
  const Arguments words = call.argv().subspan(3);
  if (named.keeps_state()) return RunIn(call, shared_, named, words, *keys, writes);
  CoreScripts::InUse in_use(*cores_[static_cast<size_t>(call.dispatcher().context().index)]);
  RunIn(call, in_use.level(), named, words, *keys, writes);
}

void Scripting::RunIn(Call& call, Level& level, const Named& named, Arguments words, int64_t keys,
                      Writes writes) {
  const std::shared_ptr<Text> text = named.text != nullptr ? *named.text : nullptr;
  const auto library = named.function != nullptr ? named.function->library : nullptr;
  const Named held{.text = text != nullptr ? &text : nullptr, .function = named.function};
  const auto reference = Compiled(level, held);
  if (!reference) {
    if (text == nullptr) return call.reply().Error("ERR " + reference.error().message);
    texts_.Forget(*text);
    return call.reply().Error("ERR Error compiling script (new function): " + reference.error().message);
  }
  if (text != nullptr) text->used.store(texts_.NextUse(), std::memory_order_relaxed);
  Interpreter& interpreter = text != nullptr ? level.scripts() : level.functions();
  const std::string_view function =
      text != nullptr ? "" : std::string_view(held.function->function->facts.name);
  const uint32_t flags = held.flags();
  const bool may_write = writes == Writes::kMay && (flags & ScriptFlag::kNoWrites) == 0;
  ScriptRun run(call, interpreter.session(), {.flags = flags, .may_write = may_write, .function = function});
  if (const std::string refusal = run.Refusal(writes == Writes::kMay); !refusal.empty()) {
    run.End();
    return call.reply().Error(refusal);
  }
  const auto count = static_cast<size_t>(keys);
  const Interpreter::Called called =
      interpreter.Call({.run = &run,
                        .reference = *reference,
                        .name = text != nullptr ? std::string_view(text->digest) : function,
                        .keys = words.first(count),
                        .arguments = words.subspan(count)});
  const bool visible = run.End();
  Learn(call, run, held, visible);
  if (!visible) return interpreter.Discard();
  if (services_.ending.load(std::memory_order_relaxed)) {
    // Whoever called it sees the server go, and hears nothing of the half that was done.
    call.session().closing = dispatch::Closing::kNow;
    return interpreter.Discard();
  }
  bool counted = false;
  interpreter.Answer(call.reply(), counted, called);
  call.dispatcher().context().run.error_counted = counted;
}

// What the run has shown of the text, and which way it went.
void Scripting::Learn(const Call& call, const ScriptRun& run, const Named& named, bool visible) {
  CoreScripts::Counts& counts = cores_[static_cast<size_t>(call.dispatcher().context().index)]->counts;
  Standing& standing = named.standing();
  const bool inside = run.stayed_inside();
  if (!inside) ++counts.strays;
  if (!visible) {
    ++counts.restarts;
    if (run.undone()) ++counts.undone;
  } else if (!run.alone()) {
    ++counts.under_keys;
  } else if (named.keeps_state() || call.in_transaction()) {
    ++counts.alone_other;
    return;
  } else {
    ++(standing.strays() ? counts.alone_strayed : standing.proven() ? counts.alone_other : counts.alone_new);
  }
  if (!inside) {
    standing.NoteStray();
  } else if (visible) {
    standing.NoteClean();
  }
}

Result<std::string> Scripting::Load(Call& call, std::string_view body) {
  const std::shared_ptr<Text> text = TRY(texts_.Add(body));
  CoreScripts& scripts = *cores_[static_cast<size_t>(call.dispatcher().context().index)];
  CoreScripts::InUse in_use(scripts);
  if (const auto reference = in_use.level().Compiled(text); !reference) {
    texts_.Forget(*text);
    return Fail("Error compiling script (new function): " + reference.error().message);
  }
  text->named.store(true, std::memory_order_relaxed);
  scripts.Remember(text);
  return text->digest;
}

bool Scripting::Knows(std::string_view digest) {
  return texts_.Find(LowerCase(digest)) != nullptr;
}

void Scripting::Free(std::unique_ptr<Interpreter> interpreter, Freeing freeing) {
  if (interpreter == nullptr || freeing == Freeing::kAtOnce) return;
  services_.control.Defer(
      [kept = std::shared_ptr<Interpreter>(std::move(interpreter))]() mutable { kept.reset(); });
}

void Scripting::FlushScripts(Freeing freeing) {
  texts_.Clear();
  for (const auto& core : cores_) {
    core->ForgetTexts();
    for (const auto& level : core->levels()) Free(level->TakeScripts(), freeing);
  }
}

void Scripting::FlushFunctions(Freeing freeing) {
  libraries_ = {};
  for (const auto& core : cores_) {
    for (const auto& level : core->levels()) Free(level->TakeFunctions(), freeing);
  }
  Free(shared_.TakeFunctions(), freeing);
}

Result<std::string> Scripting::LoadLibrary(int core, std::string_view code, IfThere if_there) {
  const LibraryHead head = TRY(ReadLibraryHead(code));
  const bool there = libraries_.Has(head.name);
  if (there && if_there == IfThere::kFail) return Fail(fmt::format("Library '{}' already exists", head.name));
  CoreScripts::InUse in_use(*cores_[static_cast<size_t>(core)]);
  const std::shared_ptr<Library> library = TRY(in_use.level().Load(code));
  scripting::Libraries changed = libraries_;
  if (there) changed.Remove(head.name);
  TRY_STATUS(changed.Add(library));
  libraries_ = std::move(changed);
  return head.name;
}

bool Scripting::DeleteLibrary(std::string_view name) {
  if (!libraries_.Has(name)) return false;
  libraries_.Remove(name);
  return true;
}

std::vector<Scripts::LibraryFacts> Scripting::Libraries() const {
  std::vector<LibraryFacts> all;
  for (const auto& [name, library] : libraries_.all()) {
    LibraryFacts& facts =
        all.emplace_back(LibraryFacts{.name = name, .code = library->code, .functions = {}});
    for (const auto& function : library->functions) facts.functions.push_back(function->facts);
  }
  return all;
}

// All of them, or none.
Status Scripting::RestoreLibraries(int core, std::span<const std::string> codes, Restore how) {
  scripting::Libraries changed;
  if (how != Restore::kFlush) changed = libraries_;
  CoreScripts::InUse in_use(*cores_[static_cast<size_t>(core)]);
  std::vector<std::shared_ptr<Library>> made;
  for (const std::string& code : codes) {
    made.push_back(TRY(in_use.level().Load(code)));
    const std::string& name = made.back()->name;
    if (changed.Has(name)) {
      if (how != Restore::kReplace) return Fail(fmt::format("Library {} already exists", name));
      changed.Remove(name);
    }
  }
  for (std::shared_ptr<Library>& library : made) TRY_STATUS(changed.Add(std::move(library)));
  libraries_ = std::move(changed);
  return {};
}

Scripts::Figures Scripting::figures() const {
  Figures figures{.scripts = texts_.count(),
                  .libraries = libraries_.all().size(),
                  .functions = libraries_.functions(),
                  .vm_function_bytes = shared_.function_memory(),
                  .text_bytes = texts_.memory(),
                  .library_bytes = libraries_.memory(),
                  .evicted_scripts = texts_.evicted()};
  for (const auto& core : cores_) {
    for (const auto& level : core->levels()) {
      figures.vm_eval_bytes += level->script_memory();
      figures.vm_function_bytes += level->function_memory();
    }
    const CoreScripts::Counts& counts = core->counts;
    figures.runs_under_keys += counts.under_keys;
    figures.runs_alone_new += counts.alone_new;
    figures.runs_alone_strayed += counts.alone_strayed;
    figures.runs_alone_other += counts.alone_other;
    figures.strays += counts.strays;
    figures.restarts += counts.restarts;
    figures.undone += counts.undone;
  }
  return figures;
}

}  // namespace

std::unique_ptr<dispatch::Scripts> MakeScripts(dispatch::Services& services, int cores, uint64_t seed) {
  return std::make_unique<Scripting>(services, cores, seed);
}

}  // namespace cinnabar::scripting
