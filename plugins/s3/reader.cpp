// SPDX-License-Identifier: LGPL-2.1-or-later
#include "reader.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace clips::s3 {

namespace {

constexpr std::uint64_t kPage = Reader::kPageSize;
// One request for a read out of the blue: a round trip costs more than these bytes.
constexpr std::uint64_t kLeastFetch = 2 * kPage;
constexpr std::uint64_t kMostFetch = 2 << 20;
// Reading begins to look like reading on after so many reads in a row. Less would take the one
// large read of an index for the begin of a run.
constexpr std::uint64_t kReadsOfARun = 8;
constexpr std::uint64_t kFirstAhead = 2 * kPage;
// A clip of seconds is a short run, and what was fetched beyond it is lost: little for long. Nobody
// minds a seventh of a long run, and a window that grows with the run fills any line soon.
constexpr std::uint64_t kShortRun = 8 << 20;
constexpr std::uint64_t kShareOfShort = 24;
constexpr std::uint64_t kShareOfLong = 7;
// A read may lie so far before or behind the end of a run and still belong to it: interleaved
// tracks hop.
constexpr std::uint64_t kHop = 256 << 10;
constexpr std::size_t kMostInFlight = 16;
// What is announced comes with one request up to this size; more is faster in parallel.
constexpr std::uint64_t kMostAtOnce = 8 << 20;
// A large read is served in pieces, so that it never needs more than the cache holds.
constexpr std::size_t kSlice = 1 << 20;

Error cancelled() {
  return {.kind = ErrorKind::cancelled, .reason = "cancelled"};
}

}  // namespace

Reader::Reader(Client& client, ObjectName object, std::size_t capacity,
               std::optional<ObjectInfo> known)
    : client_(client),
      object_(std::move(object)),
      most_pages_(std::max(capacity, kLeastCapacity) / kPageSize),
      info_(std::move(known)) {}

Reader::~Reader() {
  MutexLock lock(mutex_);
  flushing_ = true;
  changed_.notify_all();
  if (opening_ && !opening_->finished) client_.cancel(opening_->call);
  for (const FetchPtr& fetch : in_flight_) client_.cancel(fetch->call);
  // The completions name this object.
  while ((opening_ && !opening_->finished) || !in_flight_.empty()) changed_.wait(mutex_);
}

void Reader::set_flushing(bool flushing) {
  MutexLock lock(mutex_);
  flushing_ = flushing;
  changed_.notify_all();
}

std::optional<ObjectInfo> Reader::info() {
  MutexLock lock(mutex_);
  return info_;
}

Result<ObjectInfo> Reader::open() {
  MutexLock lock(mutex_);
  return open_locked();
}

Result<ObjectInfo> Reader::open_locked() {
  while (!info_) {
    if (flushing_) return tl::unexpected(cancelled());
    if (opening_ && opening_->finished) {
      // Told once; whoever asks again has the store asked again.
      const FetchPtr failed = std::exchange(opening_, nullptr);
      return tl::unexpected(*failed->error);
    }
    if (!opening_) {
      opening_ = std::make_shared<Fetch>();
      head_.clear();
      GetObject request{.object = object_,
                        .range = ByteRange{0, kLeastFetch},
                        .if_match = {},
                        .sink = [this](std::uint64_t, std::span<const std::byte> data) {
                          MutexLock lock(mutex_);
                          head_.insert(head_.end(), data.begin(), data.end());
                          return true;
                        }};
      opening_->call = client_.get_object(
          std::move(request), [this](Result<ObjectInfo> result) { opened(std::move(result)); });
    }
    changed_.wait(mutex_);
  }
  return *info_;
}

void Reader::opened(Result<ObjectInfo> result) {
  MutexLock lock(mutex_);
  opening_->finished = true;
  if (result) {
    info_ = std::move(*result);
    // Only whole pages are kept, and the last one.
    for (std::uint64_t at = 0; at < head_.size(); at += kPage) {
      const std::uint64_t size = std::min<std::uint64_t>(kPage, info_->size - at);
      if (at + size > head_.size()) break;
      Page& page = pages_[at / kPage];
      page.data = std::make_unique<std::byte[]>(kPage);
      std::memcpy(page.data.get(), head_.data() + at, size);
      page.size = page.filled = size;
    }
  } else {
    opening_->error = std::move(result.error());
  }
  head_ = {};
  changed_.notify_all();
}

std::uint64_t Reader::page_count() const {
  return (info_->size + kPage - 1) / kPage;
}

Reader::Run& Reader::follow(std::uint64_t offset, std::uint64_t length) {
  ++tick_;
  Run* oldest = &runs_.front();
  for (Run& run : runs_) {
    if (run.tick < oldest->tick) oldest = &run;
    const std::uint64_t reach = std::max(kHop, ahead_of(run));
    if (!run.tick || offset + kHop < run.end || offset > run.end + reach) continue;
    run.tick = tick_;
    if (offset + length > run.end) {
      ++run.reads;  // steps back are no sign of reading on
      run.length += std::min(length, offset + length - run.end);
      run.end = offset + length;
    }
    run.asked = std::max(run.asked, run.end);
    return run;
  }
  *oldest = {.end = offset + length,
             .length = length,
             .reads = 1,
             .asked = offset + length,
             .tick = tick_};
  return *oldest;
}

std::uint64_t Reader::ahead_of(const Run& run) const {
  if (run.reads < kReadsOfARun) return 0;
  // Old runs are over, or as good as.
  std::uint64_t active = 0;
  for (const Run& other : runs_) {
    if (other.tick && other.reads >= kReadsOfARun && other.tick + 256 > tick_) ++active;
  }
  const std::uint64_t most = most_pages_ * kPage * 3 / 4 / std::max<std::uint64_t>(active, 1);
  return std::min(
      most, kFirstAhead + run.length / (run.length < kShortRun ? kShareOfShort : kShareOfLong));
}

void Reader::use(std::uint64_t index, Page& page) {
  if (page.used) {
    used_.splice(used_.end(), used_, page.place);
  } else {
    page.used = true;
    page.place = used_.insert(used_.end(), index);
  }
}

void Reader::drop(std::map<std::uint64_t, Page>::iterator page) {
  if (page->second.used) used_.erase(page->second.place);
  spare_.push_back(std::move(page->second.data));
  pages_.erase(page);
}

void Reader::expect(std::uint64_t offset, std::uint64_t end, bool anew) {
  MutexLock lock(mutex_);
  if (!info_) return;
  expected_ = {offset, std::min(end, info_->size)};
  if (expected_.first >= expected_.end) return;
  const Span pages = {expected_.first / kPage, (expected_.end + kPage - 1) / kPage};
  if (anew) {
    for (auto page = pages_.lower_bound(pages.first);
         page != pages_.end() && page->first < pages.end;) {
      const auto next = std::next(page);
      if (!page->second.fetch) drop(page);
      page = next;
    }
  }
  if ((pages.end - pages.first) * kPage > std::min(kMostAtOnce, most_pages_ * kPage / 2)) return;
  for (std::uint64_t index = pages.first; index < pages.end; ++index) {
    if (pages_.contains(index)) continue;
    std::uint64_t last = index + 1;
    while (last < pages.end && !pages_.contains(last)) ++last;
    make_room(last - index, &pages);
    fetch(index, last - index);
    index = last;
  }
}

bool Reader::make_room(std::uint64_t count, const Span* needed) {
  // What was read stays to a quarter: demuxers step back.
  const std::size_t kept = needed ? 0 : most_pages_ / 4;
  const auto is_needed = [needed](std::uint64_t index) {
    return needed && index >= needed->first && index < needed->end;
  };
  while (pages_.size() + count > most_pages_) {
    auto victim = pages_.end();
    if (used_.size() > kept && !is_needed(used_.front())) {
      victim = pages_.find(used_.front());
      used_.pop_front();
    } else if (needed) {
      // Read ahead in vain: the farthest is the least likely to be read soon.
      for (auto page = pages_.begin(); page != pages_.end(); ++page) {
        if (!page->second.fetch && !page->second.used && !is_needed(page->first)) victim = page;
      }
      // All on their way or about to be read: a moment over the limit, by a slice at most.
      if (victim == pages_.end()) return true;
    } else {
      return false;
    }
    spare_.push_back(std::move(victim->second.data));
    pages_.erase(victim);
  }
  return true;
}

void Reader::fetch(std::uint64_t first_page, std::uint64_t count) {
  auto fetch = std::make_shared<Fetch>();
  fetch->offset = first_page * kPage;
  fetch->length = std::min(count * kPage, info_->size - fetch->offset);
  for (std::uint64_t i = 0; i < count; ++i) {
    Page& page = pages_[first_page + i];
    if (spare_.empty()) {
      page.data = std::make_unique<std::byte[]>(kPage);
    } else {
      page.data = std::move(spare_.back());
      spare_.pop_back();
    }
    page.size = std::min(kPage, info_->size - (first_page + i) * kPage);
    page.fetch = fetch;
  }
  in_flight_.push_back(fetch);
  GetObject request{.object = object_,
                    .range = ByteRange{fetch->offset, fetch->length},
                    .if_match = info_->etag,
                    .sink = [this, fetch](std::uint64_t offset, std::span<const std::byte> data) {
                      store(fetch, offset, data);
                      return true;
                    }};
  fetch->call = client_.get_object(
      std::move(request), [this, fetch](Result<ObjectInfo> result) { finished(fetch, result); });
}

void Reader::store(const FetchPtr& fetch, std::uint64_t offset, std::span<const std::byte> data) {
  MutexLock lock(mutex_);
  std::uint64_t at = fetch->offset + offset;
  while (!data.empty() && at < fetch->offset + fetch->length) {
    const auto found = pages_.find(at / kPage);
    const std::size_t inside = at % kPage;
    const std::size_t take = std::min(data.size(), kPageSize - inside);
    if (found != pages_.end() && found->second.fetch == fetch && found->second.filled == inside) {
      Page& page = found->second;
      const std::size_t copied = std::min(take, page.size - inside);
      std::memcpy(page.data.get() + inside, data.data(), copied);
      page.filled += copied;
      if (page.filled == page.size) page.fetch.reset();
    }
    at += take;
    data = data.subspan(take);
  }
  fetch->received = at - fetch->offset;
  changed_.notify_all();
}

void Reader::finished(const FetchPtr& fetch, const Result<ObjectInfo>& result) {
  MutexLock lock(mutex_);
  fetch->finished = true;
  if (!result) {
    fetch->error = result.error();
    if (fetch->error->kind == ErrorKind::changed) lasting_error_ = fetch->error;
  } else if (fetch->received < fetch->length) {
    fetch->error = Error{.kind = ErrorKind::protocol,
                         .reason = "the store sent less of the object than it has"};
  }
  for (std::uint64_t index = fetch->offset / kPage; index * kPage < fetch->offset + fetch->length;
       ++index) {
    const auto found = pages_.find(index);
    if (found == pages_.end() || found->second.fetch != fetch) continue;
    drop(found);
  }
  std::erase(in_flight_, fetch);
  changed_.notify_all();
}

void Reader::fetch_missing(std::uint64_t offset, std::uint64_t length) {
  const Span needed = {offset / kPage, (offset + length + kPage - 1) / kPage};
  const std::uint64_t end = needed.end;
  // What is there already must not make room for what is not: the next to be read leaves last.
  for (std::uint64_t index = end; index-- > needed.first;) {
    const auto found = pages_.find(index);
    if (found != pages_.end()) use(index, found->second);
  }
  for (std::uint64_t index = needed.first; index < end; ++index) {
    if (pages_.contains(index)) continue;
    std::uint64_t last = index + 1;
    const auto wanted = [&](std::uint64_t page) {
      return page < end || (page - index) * kPage < kLeastFetch;
    };
    while (last < page_count() && (last - index) * kPage < kMostFetch && wanted(last) &&
           !pages_.contains(last)) {
      ++last;
    }
    make_room(last - index, &needed);
    fetch(index, last - index);
    index = last - 1;
  }
}

void Reader::read_ahead(Run& run) {
  const bool expected = is_expected(run.end);
  const std::uint64_t ahead = expected ? most_pages_ * kPage / 2 : ahead_of(run);
  if (!ahead) return;
  const std::uint64_t chunk =
      std::clamp(ahead / 4 / kPage, kLeastFetch / kPage, kMostFetch / kPage);
  const std::uint64_t last = expected ? expected_.end : info_->size;
  const std::uint64_t bound = std::min(run.end + ahead, last);
  while (in_flight_.size() < kMostInFlight) {
    std::uint64_t first = (run.asked + kPage - 1) / kPage;
    // Whole chunks only, so that requests stay few; the end of the object is one as well.
    if ((first + chunk) * kPage > bound && bound < last) return;
    while (first < page_count() && pages_.contains(first)) ++first;
    run.asked = std::min(first * kPage, info_->size);
    std::uint64_t count = 0;
    while (count < chunk && (first + count) * kPage < last && !pages_.contains(first + count)) {
      ++count;
    }
    const std::uint64_t end = std::min((first + count) * kPage, last);
    if (count == 0 || end > bound || !make_room(count, nullptr)) return;
    fetch(first, count);
    run.asked = end;
  }
}

Result<std::size_t> Reader::read(std::uint64_t offset, std::span<std::byte> out) {
  MutexLock lock(mutex_);
  const auto info = open_locked();
  if (!info) return tl::unexpected(info.error());
  if (offset >= info_->size) return 0;
  const std::size_t wanted =
      static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), info_->size - offset));
  Run& run = follow(offset, wanted);
  std::size_t copied = 0;
  FetchPtr waited_for;
  while (copied < wanted) {
    if (flushing_) return tl::unexpected(cancelled());
    if (lasting_error_) return tl::unexpected(*lasting_error_);
    const std::uint64_t at = offset + copied;
    const std::uint64_t index = at / kPage;
    const std::size_t inside = at % kPage;
    // A page leaves together with the request that failed to fill it.
    if (waited_for && waited_for->error && !pages_.contains(index)) {
      return tl::unexpected(*waited_for->error);
    }
    fetch_missing(at, std::min(wanted - copied, kSlice));
    read_ahead(run);
    const auto found = pages_.find(index);
    if (found == pages_.end()) continue;  // the read-ahead took its room
    Page& page = found->second;
    if (page.filled <= inside) {
      waited_for = page.fetch;
      changed_.wait(mutex_);
      continue;
    }
    const std::size_t take = std::min(page.filled - inside, wanted - copied);
    std::memcpy(out.data() + copied, page.data.get() + inside, take);
    use(index, page);
    copied += take;
  }
  return copied;
}

}  // namespace clips::s3
