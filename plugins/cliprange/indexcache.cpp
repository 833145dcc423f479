// SPDX-License-Identifier: LGPL-2.1-or-later
#include "indexcache.hpp"

#include <glib.h>
#include <glib/gstdio.h>

#include <bit>

#include "mp4index.hpp"

namespace clips::cut {

namespace {

constexpr std::string_view kMagic = "clipidx2";
constexpr size_t kChecksum = 8;
// What a file may hold at most; an index of many hours is a few dozen megabytes.
constexpr size_t kLargest = 512 << 20;

struct Free {
  void operator()(gchar* text) const noexcept { g_free(text); }
};
using Text = std::unique_ptr<gchar, Free>;

size_t size_of(const Movie& movie) {
  // What the containers without tables keep of a packet.
  constexpr size_t kPacket = sizeof(Sample) + 40;
  size_t bytes = sizeof movie + (movie.storage ? movie.storage->size() : 0);
  for (const Track& track : movie.tracks)
    if (!movie.storage) bytes += track.samples.count() * kPacket;
  return bytes;
}

// Reads front to back; whatever is asked for behind the end makes it fail.
class Reader {
 public:
  explicit Reader(ByteView bytes) : left_(bytes) {}
  ByteView take(size_t length) {
    if (length > left_.size()) {
      failed_ = true;
      return {};
    }
    const ByteView taken = left_.first(length);
    left_ = left_.subspan(length);
    return taken;
  }
  uint64_t u64() {
    const ByteView b = take(8);
    return b.empty() ? 0 : be64(b.data());
  }
  std::string text() {
    const ByteView b = take(static_cast<size_t>(std::min<uint64_t>(u64(), kLargest)));
    return {b.begin(), b.end()};
  }
  bool failed() const { return failed_; }
  ByteView rest() const { return left_; }

 private:
  ByteView left_;
  bool failed_ = false;
};

}  // namespace

std::string index_key(const std::string& uri) {
  const size_t query = uri.find('?');
  if (query == std::string::npos || uri.find("Signature=", query) == std::string::npos) return uri;
  return uri.substr(0, query);
}

IndexCache& IndexCache::shared() {
  static auto* cache = new IndexCache;  // lives as long as the process: elements may outlive main()
  return *cache;
}

std::optional<KnownIndex> IndexCache::find(const std::string& uri) {
  MutexLock lock(mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->uri != uri) continue;
    entries_.splice(entries_.begin(), entries_, entry);
    return entry->index;
  }
  return std::nullopt;
}

void IndexCache::store(const std::string& uri, KnownIndex index) {
  if (index.identity.empty() || !index.movie) return;
  const size_t bytes = size_of(*index.movie);
  forget(uri);
  if (bytes > kBytes) return;
  MutexLock lock(mutex_);
  entries_.push_front({uri, std::move(index), bytes});
  bytes_ += bytes;
  while (entries_.size() > kEntries || bytes_ > kBytes) {
    bytes_ -= entries_.back().bytes;
    entries_.pop_back();
  }
}

void IndexCache::forget(const std::string& uri) {
  MutexLock lock(mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->uri != uri) continue;
    bytes_ -= entry->bytes;
    entries_.erase(entry);
    return;
  }
}

uint64_t index_checksum(ByteView bytes) {
  // Each step maps words to words one to one, so one changed word always shows. A cryptographic
  // digest of an hour's index took as long as a round trip to a near store.
  constexpr uint64_t kOdd = 0x9E3779B97F4A7C15;
  uint64_t sum = bytes.size();
  const auto add = [&](uint64_t word) { sum = std::rotl((sum ^ word) * kOdd, 29); };
  const size_t whole = bytes.size() / 8 * 8;
  for (size_t at = 0; at < whole; at += 8) add(be64(bytes.data() + at));
  uint64_t last = 0;
  for (const uint8_t byte : bytes.subspan(whole)) last = last << 8 | byte;
  add(last);
  return sum;
}

Bytes encode_index(const std::string& uri, const KnownIndex& index) {
  ByteWriter w;
  w.text(kMagic);
  const auto text = [&](std::string_view what) {
    w.u64(what.size());
    w.text(what);
  };
  // Not the URI itself: it may hold a signature.
  text(index_file_name(uri));
  text(index.identity);
  w.u64(index.size);
  w.u64(static_cast<uint64_t>(index.movie->container));
  w.u64(index.movie->storage->size());
  w.raw(*index.movie->storage);
  w.u64(index_checksum(w.out));
  return std::move(w.out);
}

std::optional<KnownIndex> decode_index(ByteView document, const std::string& uri) {
  if (document.size() < kMagic.size() + kChecksum) return std::nullopt;
  const ByteView body = document.first(document.size() - kChecksum);
  if (index_checksum(body) != be64(document.data() + body.size())) return std::nullopt;
  Reader reader(body);
  const ByteView magic = reader.take(kMagic.size());
  if (!std::equal(magic.begin(), magic.end(), kMagic.begin())) return std::nullopt;
  if (reader.text() != index_file_name(uri)) return std::nullopt;
  KnownIndex index;
  index.identity = reader.text();
  index.size = reader.u64();
  const uint64_t container = reader.u64();
  const uint64_t length = reader.u64();
  if (reader.failed() || index.identity.empty() || length != reader.rest().size() ||
      (container != static_cast<uint64_t>(Container::Mp4) &&
       container != static_cast<uint64_t>(Container::Mov)))
    return std::nullopt;
  auto movie = parse_moov(std::make_shared<const Bytes>(reader.rest().begin(), reader.rest().end()),
                          index.size);
  if (!movie || movie->fragmented) return std::nullopt;
  movie->container = static_cast<Container>(container);
  index.movie = std::make_shared<const Movie>(std::move(*movie));
  return index;
}

std::string index_file_name(const std::string& uri) {
  const Text digest(g_compute_checksum_for_string(G_CHECKSUM_SHA256, uri.c_str(), -1));
  return std::string(digest.get()) + ".clipindex";
}

std::optional<KnownIndex> read_index_file(const std::string& folder, const std::string& uri) {
  const std::string path = folder + "/" + index_file_name(uri);
  GStatBuf status{};
  if (g_stat(path.c_str(), &status) != 0 || static_cast<uint64_t>(status.st_size) > kLargest)
    return std::nullopt;
  gchar* raw = nullptr;
  gsize length = 0;
  if (!g_file_get_contents(path.c_str(), &raw, &length, nullptr)) return std::nullopt;
  const Text text(raw);
  return decode_index({reinterpret_cast<const uint8_t*>(text.get()), length}, uri);
}

void write_index_file(const std::string& folder, const std::string& uri, const KnownIndex& index) {
  if (index.identity.empty() || !index.movie || !index.movie->storage || index.movie->fragmented ||
      index.movie->packets ||
      (index.movie->container != Container::Mp4 && index.movie->container != Container::Mov))
    return;
  const Bytes document = encode_index(uri, index);
  const std::string path = folder + "/" + index_file_name(uri);
  // A cache that cannot be written is no reason to fail.
  if (g_mkdir_with_parents(folder.c_str(), 0700) != 0) return;
  g_file_set_contents_full(path.c_str(), reinterpret_cast<const gchar*>(document.data()),
                           static_cast<gssize>(document.size()), G_FILE_SET_CONTENTS_CONSISTENT,
                           0600, nullptr);
}

}  // namespace clips::cut
