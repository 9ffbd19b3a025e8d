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
  // A slice of loading, about two milliseconds. False once the data set is complete; an error ends the
  // process.
  Result<bool> Load();
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
  const DataLoader::Figures& last_load() const { return last_load_; }

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
  Nanos load_began_ = 0;
  Nanos sweep_at_ = 0;  // when to look for leftovers once more: some were too young at the start; 0: done
  bool from_append_only_ = false;
};

}  // namespace cinnabar::server
