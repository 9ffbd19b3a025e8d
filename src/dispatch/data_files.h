// DataFiles: the port through which commands reach the files that keep the data set.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace cinnabar::dispatch {

// The files that keep the data set. With the world stopped, unless said otherwise.
class DataFiles {
 public:
  enum class When : uint8_t { kNow, kWhenPossible };
  enum class Begun : uint8_t { kStarted, kScheduled };

  virtual ~DataFiles() = default;
  // Errors are texts for the client ("ERR ...").
  virtual Status Save() = 0;
  virtual Result<Begun> SaveInBackground(When when) = 0;
  virtual Result<Begun> RewriteInBackground() = 0;
  virtual int64_t LastSaveSeconds() const = 0;
  // The data set has been emptied: a snapshot that is being written is out of date, and the file as well.
  virtual void DataSetEmptied() = 0;
  // Why clients may not write at the moment ("MISCONF ..."); empty if they may. Any core, any time.
  virtual std::string WriteRefusal() const = 0;
  // Lets what was appended to the journal go to disk at once: at the end of a batch whose replies wait for
  // it. Any core, any time.
  virtual void Kick() = 0;
  // Loads the data set again from a file: of DEBUG RELOAD, DEBUG LOADAOF.
  struct ReloadOptions {
    bool save = true;    // first
    bool flush = true;   // before loading
    bool merge = false;  // keys that exist already are replaced
  };
  virtual Status Reload(const ReloadOptions& options) = 0;
  virtual Status ReloadAppendOnly() = 0;
  // How far the append-only file has the journal safely on disk. Any core, inside a batch.
  struct LocalCopy {
    bool kept = false;     // appendonly is on
    uint64_t durable = 0;  // a crash loses nothing before this offset of the journal
  };
  virtual LocalCopy Local() const = 0;
};

}  // namespace cinnabar::dispatch
