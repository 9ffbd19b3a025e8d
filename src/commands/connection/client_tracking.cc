// CLIENT TRACKING, CACHING, TRACKINGINFO and GETREDIR: client-side caching, as the connection that caches
// asks for it. How it works: dispatch/tracking.h.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/numbers.h"
#include "catalog/errors.h"
#include "dispatch/args.h"
#include "dispatch/call.h"
#include "dispatch/tracking.h"

namespace cinnabar::commands {
namespace {

using dispatch::Args;
using dispatch::Call;
using dispatch::CommandSpec;
using dispatch::SameWord;
using dispatch::TrackedReads;
using dispatch::Tracker;
using dispatch::TrackingOptions;
namespace Flag = dispatch::Flag;

// What the client asks for, word by word.
struct Wanted {
  TrackingOptions options;
  bool opt_in = false;
  bool opt_out = false;
  std::vector<std::string_view> prefixes;
};

void ReadRedirect(Call& call, Args& args, TrackingOptions& options) {
  if (options.redirect != 0) return args.Fail("ERR A client can only redirect to a single other client");
  const int64_t id = args.Int();
  if (args.failed()) return;
  const dispatch::Session* other = id > 0 ? call.services().clients.Find(static_cast<uint64_t>(id)) : nullptr;
  if (other == nullptr) return args.Fail("ERR The client ID you want redirect to does not exist");
  options.redirect = other->id;
  options.redirect_core = other->facts.core;
}

Wanted ReadOptions(Call& call, Args& args) {
  Wanted wanted;
  while (args.more() && !args.failed()) {
    if (args.TakeWith("REDIRECT")) {
      ReadRedirect(call, args, wanted.options);
    } else if (args.TakeWith("PREFIX")) {
      wanted.prefixes.push_back(args.Next());
    } else if (args.Take("BCAST")) {
      wanted.options.broadcasts = true;
    } else if (args.Take("OPTIN")) {
      wanted.opt_in = true;
    } else if (args.Take("OPTOUT")) {
      wanted.opt_out = true;
    } else if (args.Take("NOLOOP")) {
      wanted.options.spares_own = true;
    } else {
      args.FailSyntax();
    }
  }
  if (wanted.opt_in) wanted.options.reads = TrackedReads::kOnRequest;
  if (wanted.opt_out) wanted.options.reads = TrackedReads::kUnlessDeclined;
  return wanted;
}

// Of two prefixes one of which begins with the other a client would hear twice.
bool Overlap(std::string_view a, std::string_view b) {
  return a.starts_with(b) || b.starts_with(a);
}

// The first of the client's prefixes that overlaps with another one; null: none. None of them overlaps with
// another, except the empty one, so that the neighbours in their order are enough.
const std::string* FindOverlap(const Tracker& tracker, std::string_view prefix) {
  const auto& held = tracker.prefixes;
  if (held.empty()) return nullptr;
  if (held.begin()->empty()) return &*held.begin();
  const auto next = held.lower_bound(prefix);
  if (next != held.begin() && Overlap(*std::prev(next), prefix)) return &*std::prev(next);
  return next != held.end() && Overlap(*next, prefix) ? &*next : nullptr;
}

void CheckPrefixes(Args& args, const Tracker* tracker, const std::vector<std::string_view>& prefixes) {
  constexpr std::string_view kRule = "Prefixes for a single client must not overlap.";
  for (size_t i = 0; i < prefixes.size() && !args.failed(); ++i) {
    if (const std::string* held = tracker == nullptr ? nullptr : FindOverlap(*tracker, prefixes[i])) {
      return args.Fail(fmt::format("ERR Prefix '{}' overlaps with an existing prefix '{}'. {}", prefixes[i],
                                   *held, kRule));
    }
    const auto other = std::find_if(prefixes.begin() + static_cast<ptrdiff_t>(i) + 1, prefixes.end(),
                                    [&](std::string_view each) { return Overlap(each, prefixes[i]); });
    if (other != prefixes.end()) {
      args.Fail(fmt::format("ERR Prefix '{}' overlaps with another provided prefix '{}'. {}", prefixes[i],
                            *other, kRule));
    }
  }
}

// Whether the options fit each other, and what the client has chosen before.
void CheckOptions(Args& args, const Tracker* tracker, const Wanted& wanted) {
  if (!wanted.options.broadcasts && !wanted.prefixes.empty())
    return args.Fail("ERR PREFIX option requires BCAST mode to be enabled");
  if (tracker != nullptr && tracker->options.broadcasts != wanted.options.broadcasts) {
    return args.Fail(
        "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then "
        "re-enabling it with a different mode.");
  }
  if (wanted.options.broadcasts && (wanted.opt_in || wanted.opt_out))
    return args.Fail("ERR OPTIN and OPTOUT are not compatible with BCAST");
  if (wanted.opt_in && wanted.opt_out)
    return args.Fail("ERR You can't specify both OPTIN mode and OPTOUT mode");
  const TrackedReads before = tracker == nullptr ? TrackedReads::kAll : tracker->options.reads;
  if ((wanted.opt_in && before == TrackedReads::kUnlessDeclined) ||
      (wanted.opt_out && before == TrackedReads::kOnRequest)) {
    return args.Fail(
        "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then "
        "re-enabling it with a different mode.");
  }
  if (wanted.options.broadcasts) CheckPrefixes(args, tracker, wanted.prefixes);
}

void ClientTracking(Call& call) {
  Args args(call, 3);
  const Wanted wanted = ReadOptions(call, args);
  const bool on = SameWord(call.arg(2), "ON");
  if (!on && !SameWord(call.arg(2), "OFF")) args.FailSyntax();
  dispatch::Session& session = call.session();
  if (on && !args.failed()) CheckOptions(args, session.tracking, wanted);
  if (args.failed()) return args.Reply(call);
  dispatch::Tracking& tracking = *call.services().tracking;
  if (on) {
    tracking.Enable(session, wanted.options, wanted.prefixes);
  } else {
    tracking.Disable(session);
  }
  call.reply().Ok();
}

void ClientCaching(Call& call) {
  Tracker* tracker = call.session().tracking;
  if (tracker == nullptr) {
    return call.reply().Error(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode "
        "enabled");
  }
  const TrackedReads reads = tracker->options.reads;
  if (SameWord(call.arg(2), "YES")) {
    if (reads != TrackedReads::kOnRequest)
      return call.reply().Error(
          "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
  } else if (SameWord(call.arg(2), "NO")) {
    if (reads != TrackedReads::kUnlessDeclined)
      return call.reply().Error(
          "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
  } else {
    return call.reply().Error(errors::kSyntax);
  }
  tracker->caching_said = true;
  call.reply().Ok();
}

std::vector<std::string_view> FlagsOf(const Tracker* tracker) {
  if (tracker == nullptr) return {"off"};
  std::vector<std::string_view> flags = {"on"};
  const TrackingOptions& options = tracker->options;
  if (options.broadcasts) flags.push_back("bcast");
  if (options.reads == TrackedReads::kOnRequest) {
    flags.push_back("optin");
    if (tracker->caching_said) flags.push_back("caching-yes");
  }
  if (options.reads == TrackedReads::kUnlessDeclined) {
    flags.push_back("optout");
    if (tracker->caching_said) flags.push_back("caching-no");
  }
  if (options.spares_own) flags.push_back("noloop");
  if (tracker->redirect_broken) flags.push_back("broken_redirect");
  return flags;
}

int64_t RedirectOf(const Tracker* tracker) {
  return tracker == nullptr ? -1 : static_cast<int64_t>(tracker->options.redirect);
}

void ClientTrackingInfo(Call& call) {
  const Tracker* tracker = call.session().tracking;
  auto& reply = call.reply();
  reply.Map(3);
  reply.Bulk("flags");
  const std::vector<std::string_view> flags = FlagsOf(tracker);
  reply.Set(flags.size());
  for (std::string_view flag : flags) reply.Bulk(flag);
  reply.Bulk("redirect");
  reply.Integer(RedirectOf(tracker));
  reply.Bulk("prefixes");
  reply.Array(tracker == nullptr ? 0 : tracker->prefixes.size());
  if (tracker == nullptr) return;
  for (const std::string& prefix : tracker->prefixes) reply.Bulk(prefix);
}

void ClientGetRedir(Call& call) {
  call.reply().Integer(RedirectOf(call.session().tracking));
}

constexpr uint64_t kClientFlags = Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kSentinel;

constexpr CommandSpec kTable[] = {
    {
        .name = "client|tracking",
        .synopsis =
            "status:(ON|OFF) [REDIRECT:integer client-id] [PREFIX:string prefix]... [BCAST] [OPTIN] [OPTOUT] "
            "[NOLOOP]",
        .summary = "Begins or ends telling this connection, or another one, which keys it has cached change.",
        .since = "6.0.0",
        .group = "connection",
        .complexity = "O(1). Some options may introduce additional complexity.",
        .arity = -3,
        .flags = kClientFlags | Flag::kWorld,
        .run = ClientTracking,
    },
    {
        .name = "client|caching",
        .synopsis = "mode:(YES|NO)",
        .summary = "Says whether the keys that the next command reads are cached.",
        .since = "6.0.0",
        .group = "connection",
        .complexity = "O(1)",
        .arity = 3,
        .flags = kClientFlags,
        .run = ClientCaching,
    },
    {
        .name = "client|trackinginfo",
        .summary = "Describes the state of client-side caching for this connection.",
        .since = "6.2.0",
        .group = "connection",
        .complexity = "O(1)",
        .arity = 2,
        .flags = kClientFlags,
        .run = ClientTrackingInfo,
    },
    {
        .name = "client|getredir",
        .summary = "Returns the ID of the connection to which tracking notifications go.",
        .since = "6.0.0",
        .group = "connection",
        .complexity = "O(1)",
        .arity = 2,
        .flags = kClientFlags,
        .run = ClientGetRedir,
    },
};
static_assert(dispatch::Valid(kTable));

}  // namespace

extern const std::span<const CommandSpec> kConnectionClientTrackingCommands{kTable};

}  // namespace cinnabar::commands
