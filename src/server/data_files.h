// ServerDataFiles: everything that the server keeps on disk, behind the port that commands use: snapshots,
// the append-only file, loading at start, and what INFO says about them.
//
// Owned by core 0's thread; see dispatch::DataFiles for who calls when.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "dispatch/dispatcher.h"
#include "dispatch/services.h"
#include "server/append_only.h"
#include "server/background_child.h"
#include "server/data_loader.h"
#include "server/snapshots.h"

namespace cinnabar::server {

// Size: it implements a port, and loads a data set at the start and in the place of another.
class ServerDataFiles final : public dispatch::DataFiles {
 public:
  struct Listeners {
    std::function<void(std::string_view)> set_title;
    // On any thread.
    std::function<void(uint64_t)> released;
    // Between two slices of a load with the world stopped; how long the slice was.
    std::function<void(Nanos)> while_loading;
  };
  ServerDataFiles(dispatch::Services& services, Listeners listeners, os::MemoryMeter& meter);

  // Before the cores run: finds out what there is to load. The error ends the process.
  Status BeginLoading();
  bool loading() const { return loader_ != nullptr; }
  // What is loaded has not come far enough.
  bool waits_for_bytes() const { return waits_for_bytes_ && loader_ != nullptr && !loader_->CanGoOn(); }
  bool loading_at_start() const { return loader_ != nullptr && !in_place_; }
  // A slice of loading, about two milliseconds. False once the data set is complete; an error ends the
  // process.
  Result<bool> Load();
  // The first slices of loading, up to loading-process-events-interval-bytes: nobody is told that a small
  // data set is being loaded. As Load; with the world stopped, or before the cores run.
  Result<bool> LoadFirst();
  // A replica has got a new data set in a file: it is loaded in slices (Load) and takes the place of what is
  // here.
  struct NewDataSet {
    std::string path;
    std::shared_ptr<IncomingPayload> incoming;  // instead of a file
    bool becomes_dump = true;                   // it is renamed to the file that snapshots are saved to
    bool apart = false;                         // what is here stays until the new one is complete
    bool serving = false;                       // apart: and commands may look at it meanwhile
  };
  enum class LoadEnd : uint8_t { kLoaded, kOldDataKept, kOldDataLost };
  // `ended` is called at the end, on core 0, inside the gate; after kLoaded LoadedInPlace has to follow. An
  // error says that nothing has been done. With the world stopped.
  Status LoadInPlace(const NewDataSet& incoming, std::function<void(LoadEnd)> ended);
  // The data set that was loaded in place is whole and has its place in a history: clients may see it.
  void LoadedInPlace();
  // Whether the server is a replica has changed, or what it waits for as a primary. With the world stopped.
  void RoleChanged() { UpdateAlarms(); }
  // The append-only file, which stands still while a data set is replaced, goes on. With the world stopped.
  void ResumeAppendOnly();
  // All keys and functions go, here and for whoever reads the journal. With the world stopped.
  void DropDataSet();
  // Gives up loading in place. Says what is left; never kLoaded.
  LoadEnd StopLoading();
  // Keys that the data set of the start left out (DataLoader::TakeExpired).
  std::vector<DataLoader::ExpiredKey> TakeExpired() { return std::move(expired_at_start_); }
  // About ten times a second, outside the gate's closing.
  void Cron();
  // Before the process ends: errors say why it should not. With the world stopped.
  Status PrepareShutdown(const dispatch::ShutdownRequest& request);
  // appendonly and its relatives have changed. With the world stopped.
  Status SettingsChanged(const config::Settings& old, const config::Settings& now);
  void Kick() override { append_only_.Kick(); }

  // For INFO. With the world stopped.
  Snapshots& snapshots() { return snapshots_; }
  AppendOnly& append_only() { return append_only_; }
  BackgroundChild& child() { return child_; }
  const DataLoader::Figures* load_figures() const;
  bool serves_while_loading() const { return (services_.alarms.load() & dispatch::Alarm::kLoadsApart) != 0; }
  const DataLoader::Figures& last_load() const { return last_load_; }
  // Whether the data set of the start was a snapshot, which says where it stands.
  bool loaded_snapshot() const { return !from_append_only_; }

  // dispatch::DataFiles:
  Status Save() override { return snapshots_.Save(); }
  Result<Begun> SaveInBackground(When when) override { return snapshots_.SaveInBackground(when); }
  Result<Begun> RewriteInBackground() override { return append_only_.Rewrite(); }
  int64_t LastSaveSeconds() const override { return snapshots_.figures().last_save_seconds; }
  void DataSetEmptied() override { snapshots_.DataSetEmptied(); }
  std::string WriteRefusal() const override;
  Status Reload(const ReloadOptions& options) override;
  Status ReloadAppendOnly() override;
  LocalCopy Local() const override { return {.kept = append_only_.on(), .durable = append_only_.durable()}; }

 private:
  Status FinishLoading();
  void LogLoaded();
  void EndLoadInPlace(bool loaded);
  void TakeOverApart(std::span<const std::string> libraries);
  void StopWriting();
  Status LoadAtOnce(std::vector<LoadPart> parts);
  void EmptyDataSet();
  void UpdateAlarms();
  void TellCopyWaiters();
  void SweepFolder();
  // Of all cores. With the world stopped.
  void SetClocks(dispatch::Dispatcher::Clocks clocks);

  dispatch::Services& services_;
  bool clocks_rest_ = false;
  std::function<void(Nanos)> while_loading_;
  BackgroundChild child_;
  Snapshots snapshots_;
  AppendOnly append_only_;
  std::unique_ptr<DataLoader> loader_;
  DataLoader::Figures last_load_;
  bool waits_for_bytes_ = false;
  Nanos load_began_ = 0;
  Nanos sweep_at_ = 0;  // when to look for leftovers once more: some were too young at the start; 0: done
  bool from_append_only_ = false;
  std::function<void(LoadEnd)> in_place_;      // none: what is loaded is the data set of the start
  std::unique_ptr<keyspace::Keyspace> apart_;  // that is loaded while the old data set stays
  std::vector<DataLoader::ExpiredKey> expired_at_start_;
};

}  // namespace cinnabar::server
