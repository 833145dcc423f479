// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <list>
#include <optional>
#include <string>

#include "common/thread_annotations.hpp"
#include "movie.hpp"
#include "result.hpp"

namespace clips::cut {

// The index of a source, and what tells this state of the source from any other: size, time and
// inode of a file, the ETag of a resource.
struct KnownIndex {
  std::string identity;
  uint64_t size = 0;  // of the source
  std::shared_ptr<const Movie> movie;
};

// The indexes that this process has read last.
class IndexCache {
 public:
  static constexpr size_t kEntries = 32;
  static constexpr size_t kBytes = 64 << 20;

  // The one of the process.
  static IndexCache& shared();

  std::optional<KnownIndex> find(const std::string& uri);
  // Nothing happens without an identity.
  void store(const std::string& uri, KnownIndex index);
  void forget(const std::string& uri);

 private:
  struct Entry {
    std::string uri;
    KnownIndex index;
    size_t bytes;
  };
  Mutex mutex_;
  std::list<Entry> entries_ CLIPS_GUARDED_BY(mutex_);  // the latest used first
  size_t bytes_ CLIPS_GUARDED_BY(mutex_) = 0;
};

// What an index is kept under: the URI, without a signature that is another one every time.
std::string index_key(const std::string& uri);

// The same in a folder, for other processes and later ones: a file a source, which is there whole
// or not at all. Only indexes that stand in one piece (a moov) are kept. Reading gives nothing for
// whatever is not a whole file of this version about this source.
std::string index_file_name(const std::string& uri);
std::optional<KnownIndex> read_index_file(const std::string& folder, const std::string& uri);
void write_index_file(const std::string& folder, const std::string& uri, const KnownIndex& index);

// The document in such a file; for the two above and the fuzzers.
Bytes encode_index(const std::string& uri, const KnownIndex& index);
// Its last 8 bytes, against accidents.
uint64_t index_checksum(ByteView bytes);
std::optional<KnownIndex> decode_index(ByteView document, const std::string& uri);

}  // namespace clips::cut
