// What must hold in every run with sentinels, however the network, the machines and the disks behave. A host
// is a machine with a disk: what is said about one holds over restarts of its sentinel.
//
//   1. Votes. A host never votes for two candidates in one epoch.
//   2. Leaders. In one epoch at most one is elected, and one who is elected has the votes, given by the hosts
//      themselves, of the quorum and of the majority of all sentinels of the deployment.
//   3. Configurations. One config epoch has one address, whoever tells of it; so there are never two
//   primaries
//      that a majority follows in the same config epoch.
//   4. Epochs. Neither the current epoch nor the config epoch that a host tells of goes backwards.
//   5. What was told while the config file could be written is in the file.
//
// What these promises need, and do not hold without:
//   - The file that is read at a restart is the one that was written last. With an older one a host may vote
//     again (old_files): then only 4 holds, as long as the process lives.
//   - A failover that people force (SENTINEL FAILOVER) need not ask for votes; it takes an epoch that another
//     one may be elected in. Such epochs are left out of 2 and 3 (NoteForced); and when two addresses have
//     met in one of them, 3 is left out from then on: the collision is resolved by a new epoch that nobody
//     has voted for, and may be repeated.
//   - SENTINEL RESET forgets the other sentinels, and a majority is one of those that are known. With a
//   quorum
//     below the majority 2 and 3 do not hold then (few_votes_suffice).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sentinel/sentinel.h"

namespace cinnabar::simulator {

using sentinel::Epoch;

class SentinelChecks {
 public:
  struct Setup {
    size_t sentinels = 0;
    size_t quorum = 0;
    bool old_files = false;
    bool few_votes_suffice = false;
    std::function<void(std::string)> broken;
  };
  explicit SentinelChecks(Setup setup);

  // A host votes, or says how it has voted.
  void OnVote(int host, Epoch epoch, const std::string& candidate);
  // It says that it is elected, and is called `id`.
  void OnElected(int host, const std::string& id, Epoch epoch);
  void NoteForced(Epoch epoch) { forced_.insert(epoch); }
  // It tells others of a configuration, and of its current epoch. `saved`: its file could be written.
  enum class File : uint8_t { kWritten, kNotWritten };
  void OnTold(int host, const sentinel::Hello& hello, File file);
  // A call of it has ended, or it has started.
  void OnState(int host, const sentinel::Sentinel& machine, std::string_view address);
  void OnStarted(int host, const sentinel::Sentinel& machine);

  uint64_t elected() const { return leaders_.size(); }
  uint64_t votes() const { return votes_given_; }
  uint64_t forced() const { return forced_.size(); }

 private:
  struct Epochs {
    Epoch current = 0;
    Epoch config = 0;
  };
  struct Host {
    std::map<Epoch, std::string> votes;
    Epochs told;  // the greatest, while the file could be written
    Epochs seen;  // in this life
    std::string address;
  };

  bool OneAddressPerEpoch() const { return !setup_.old_files && !setup_.few_votes_suffice && !collided_; }
  void CheckMajority(Epoch config_epoch, const std::string& address);
  Host& HostOf(int host) { return hosts_[static_cast<size_t>(host)]; }
  void Break(int host, const std::string& what);

  const Setup setup_;
  std::vector<Host> hosts_;
  std::map<Epoch, int> leaders_;
  std::set<Epoch> forced_;
  bool collided_ = false;
  std::map<Epoch, std::string> configurations_;
  std::map<Epoch, std::string> followed_by_majority_;
  uint64_t votes_given_ = 0;
};

}  // namespace cinnabar::simulator
