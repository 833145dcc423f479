// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "client.hpp"
#include "common/thread_annotations.hpp"

namespace clips::s3 {

// Reads an object here and there as if it were a file. A demuxer makes thousands of reads of a few
// hundred bytes, many of them backwards, so all goes through a cache of aligned pages, the least
// recently used of which leave first.
//
// Read-ahead follows each run of reads that move forward and stays within an eighth of what the run
// has read (and kFirstAhead): whoever takes a small piece out of a large object pays for little
// more than the piece, and whoever reads on soon has many requests in parallel.
//
// The first reply pins the object by its ETag; another object under the name is an error from then
// on, never mixed bytes.
class Reader {
 public:
  static constexpr std::size_t kPageSize = 64 << 10;
  static constexpr std::size_t kLeastCapacity = 2 << 20;

  // `capacity`: most bytes held, those on their way included. `known`: size and ETag, where they
  // are known already; nothing is asked then before bytes are read, and another object is
  // `changed`.
  Reader(Client& client, ObjectName object, std::size_t capacity,
         std::optional<ObjectInfo> known = {});
  // Cancels what is on its way.
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // What the object is; asks the store the first time.
  Result<ObjectInfo> open() CLIPS_EXCLUDES(mutex_);
  // Nothing when open() has not succeeded yet.
  std::optional<ObjectInfo> info() CLIPS_EXCLUDES(mutex_);
  // Fills `out` from `offset` on; fewer bytes only where the object ends.
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out) CLIPS_EXCLUDES(mutex_);
  // [offset, end) is read next, and nothing behind it soon: what is not too much comes with one
  // request, and read-ahead ends there. `anew`: what is in the cache of it is asked for again.
  void expect(std::uint64_t offset, std::uint64_t end, bool anew) CLIPS_EXCLUDES(mutex_);
  // While true, open() and read() return `cancelled`, also those that wait already.
  void set_flushing(bool flushing) CLIPS_EXCLUDES(mutex_);

 private:
  struct Fetch {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    std::uint64_t received = 0;
    CallId call = 0;
    bool finished = false;
    std::optional<Error> error;
  };
  using FetchPtr = std::shared_ptr<Fetch>;

  struct Page {
    std::unique_ptr<std::byte[]> data;
    std::size_t size = 0;
    std::size_t filled = 0;
    FetchPtr fetch;  // null once it is full
    bool used = false;
    std::list<std::uint64_t>::iterator place;  // in used_, when used
  };

  // Pages [first, end).
  struct Span {
    std::uint64_t first, end;
  };

  // A reader that moves forward; a file with sound apart from its pictures has two.
  struct Run {
    std::uint64_t end = 0;     // of its last read
    std::uint64_t length = 0;  // read so far
    std::uint64_t reads = 0;
    std::uint64_t asked = 0;  // everything up to here was asked for
    std::uint64_t tick = 0;   // 0: not in use
  };

  Result<ObjectInfo> open_locked() CLIPS_REQUIRES(mutex_);
  void opened(Result<ObjectInfo> result);
  Run& follow(std::uint64_t offset, std::uint64_t length) CLIPS_REQUIRES(mutex_);
  std::uint64_t ahead_of(const Run& run) const CLIPS_REQUIRES(mutex_);
  void fetch_missing(std::uint64_t offset, std::uint64_t length) CLIPS_REQUIRES(mutex_);
  void read_ahead(Run& run) CLIPS_REQUIRES(mutex_);
  void fetch(std::uint64_t first_page, std::uint64_t count) CLIPS_REQUIRES(mutex_);
  // Makes room for pages: for those that a read needs (it never costs a page of `needed`), or, with
  // null, for read-ahead; false when that would cost pages that are still to be read.
  bool make_room(std::uint64_t count, const Span* needed) CLIPS_REQUIRES(mutex_);
  void store(const FetchPtr& fetch, std::uint64_t offset, std::span<const std::byte> data)
      CLIPS_EXCLUDES(mutex_);
  void finished(const FetchPtr& fetch, const Result<ObjectInfo>& result) CLIPS_EXCLUDES(mutex_);
  void use(std::uint64_t index, Page& page) CLIPS_REQUIRES(mutex_);
  void drop(std::map<std::uint64_t, Page>::iterator page) CLIPS_REQUIRES(mutex_);
  // Whether a read that ended there was within what was announced.
  bool is_expected(std::uint64_t end) const CLIPS_REQUIRES(mutex_) {
    return end > expected_.first && end <= expected_.end;
  }
  std::uint64_t page_count() const CLIPS_REQUIRES(mutex_);

  Client& client_;
  const ObjectName object_;
  const std::size_t most_pages_;

  // Guards all below. The client may be called under it (it only posts); the client's completions
  // take it on the I/O thread.
  Mutex mutex_;
  ConditionVariable changed_;
  bool flushing_ CLIPS_GUARDED_BY(mutex_) = false;
  std::optional<ObjectInfo> info_ CLIPS_GUARDED_BY(mutex_);
  FetchPtr opening_ CLIPS_GUARDED_BY(mutex_);
  std::vector<std::byte> head_ CLIPS_GUARDED_BY(mutex_);  // what came with the first reply
  std::optional<Error> lasting_error_ CLIPS_GUARDED_BY(mutex_);
  std::map<std::uint64_t, Page> pages_ CLIPS_GUARDED_BY(mutex_);
  std::list<std::uint64_t> used_ CLIPS_GUARDED_BY(mutex_);  // oldest first
  std::vector<std::unique_ptr<std::byte[]>> spare_ CLIPS_GUARDED_BY(mutex_);
  Span expected_ CLIPS_GUARDED_BY(mutex_) = {0, 0};  // bytes, not pages
  std::array<Run, 4> runs_ CLIPS_GUARDED_BY(mutex_);
  std::uint64_t tick_ CLIPS_GUARDED_BY(mutex_) = 0;
  std::vector<FetchPtr> in_flight_ CLIPS_GUARDED_BY(mutex_);
};

}  // namespace clips::s3
