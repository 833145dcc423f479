// SPDX-License-Identifier: LGPL-2.1-or-later
// ObjectWriter and HlsPublisher with stores made of memory and of a directory: what is sent in
// which order, and what is left when it goes wrong at a chosen place.
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>

#include "hls_publisher.hpp"
#include "object_writer.hpp"

namespace {

using namespace clips::s3;
using namespace std::chrono_literals;

constexpr std::uint64_t MiB = 1 << 20;

std::string text_of(const Body& body) {
  std::string text;
  for (const auto piece : body.pieces)
    text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  return text;
}

// One thread that does what it is given, in order: as the client's I/O thread.
class Worker {
 public:
  Worker() : thread_([this] { run(); }) {}
  ~Worker() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  void post(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
    changed_.notify_all();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return stop_ || !queue_.empty(); });
      if (queue_.empty()) return;
      auto work = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      work();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stop_ = false;
  std::thread thread_;
};

Error refusal() {
  return Error{.kind = ErrorKind::not_authorized, .http_status = 403};
}

class MemoryStore final : public Store {
 public:
  CallId put(Headers, Body body, Completion<Stored> done) override {
    return call("put", [this, body, done](bool ok) {
      if (!ok) return done(tl::unexpected(refusal()));
      object = text_of(body);
      done(Stored{.etag = "\"e\"", .version_id = "", .headers = {}});
    });
  }
  CallId create(Headers, Completion<std::string> done) override {
    return call("create", [this, done](bool ok) {
      if (!ok) return done(tl::unexpected(refusal()));
      uploads.insert("id");
      if (!initiated.empty()) retried++;
      done(std::string("id"));
    });
  }
  CallId part(std::string, int number, Headers, Body body, Completion<Part> done) override {
    return call("part" + std::to_string(number), [this, number, body, done](bool ok) {
      if (!ok) return done(tl::unexpected(refusal()));
      parts[number] = text_of(body);
      done(Part{.number = number, .size = body.size(), .etag = "\"p\"", .checksums = {}});
    });
  }
  CallId complete(std::string, std::vector<Part> list, Headers, Completion<Stored> done) override {
    return call("complete", [this, list, done](bool ok) {
      if (!ok) return done(tl::unexpected(refusal()));
      std::string all;
      int before = 0;
      for (const auto& part : list) {
        EXPECT_EQ(part.number, ++before);
        all += parts[part.number];
      }
      object = all;
      uploads.erase("id");
      done(Stored{.etag = "\"e\"", .version_id = "", .headers = {}});
    });
  }
  CallId abort(std::string id, Completion<bool> done) override {
    return call("abort", [this, id, done](bool) {
      uploads.erase(id);
      done(true);
    });
  }
  void cancel(CallId id) override {
    worker_.post([this, id] {
      const auto found = stuck_.find(id);
      if (found == stuck_.end()) return;
      const auto work = std::move(found->second);
      stuck_.erase(found);
      work(false);
    });
  }

  CallId list(Completion<std::vector<Upload>> done) override {
    return call("list", [this, done](bool) {
      std::vector<Upload> all;
      for (const auto& id : uploads) all.push_back({"key", id, initiated[id]});
      done(all);
    });
  }
  std::uint64_t retries() const override { return retried; }

  // A Create whose first reply was lost, next to uploads of others.
  std::atomic<std::uint64_t> retried = 0;
  std::map<std::string, std::string> initiated;

  // Both by the names of calls, set before the first one.
  std::string refused;
  std::string hanging;

  // Looked at once nothing is on its way any more.
  std::optional<std::string> object;
  std::map<int, std::string> parts;
  std::set<std::string> uploads;
  std::vector<std::string> calls;

  // Lets go what hangs.
  void release() {
    worker_.post([this] {
      for (auto& [id, work] : std::exchange(stuck_, {})) work(true);
    });
  }
  void settle() {
    std::mutex mutex;
    std::condition_variable done;
    bool reached = false;
    worker_.post([&] {
      const std::lock_guard lock(mutex);
      reached = true;
      done.notify_all();
    });
    std::unique_lock lock(mutex);
    done.wait(lock, [&] { return reached; });
  }

 private:
  CallId call(std::string name, std::function<void(bool)> work) {
    const CallId id = ++next_;
    worker_.post([this, id, name, work] {
      calls.push_back(name);
      if (name == hanging) {
        stuck_[id] = work;
      } else {
        work(name != refused);
      }
    });
    return id;
  }

  std::map<CallId, std::function<void(bool)>> stuck_;
  std::atomic<CallId> next_ = 0;
  Worker worker_;
};

std::string media(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; i += 997) text[i] = static_cast<char>(i / 997 * 31);
  return text;
}

struct Running {
  explicit Running(const std::string& refused = "", const std::string& hanging = "") {
    store->refused = refused;
    store->hanging = hanging;
    ObjectWriter::Options options;
    options.model.part_size = 5 * MiB;
    options.max_inflight = 2;
    writer = std::make_unique<ObjectWriter>(store, std::move(options),
                                            [this](const auto&) { parts_told++; });
  }
  ~Running() { writer.reset(); }

  // False when the writer failed or was interrupted.
  bool write(const std::string& text) {
    std::span<const std::byte> rest(reinterpret_cast<const std::byte*>(text.data()), text.size());
    while (!rest.empty()) {
      const auto taken = writer->write(rest, false);
      if (!taken || !*taken) return false;
      rest = rest.subspan(**taken);
    }
    return true;
  }
  bool finish() {
    const auto done = writer->finish();
    return done && *done;
  }
  bool close(std::chrono::milliseconds patience = 2s) {
    const auto started = std::chrono::steady_clock::now();
    writer->close(ObjectWriter::Unfinished::abort, patience, nullptr);
    return std::chrono::steady_clock::now() - started < patience;
  }

  std::shared_ptr<MemoryStore> store = std::make_shared<MemoryStore>();
  std::atomic<int> parts_told = 0;
  std::unique_ptr<ObjectWriter> writer;
};

TEST(ObjectWriter, short_object_is_one_call) {
  Running upload;
  ASSERT_TRUE(upload.write("short") && upload.finish());
  EXPECT_EQ(upload.store->object, "short");
  EXPECT_EQ(upload.store->calls, std::vector<std::string>{"put"});
}

TEST(ObjectWriter, long_object_is_put_together_from_parts) {
  Running upload;
  const std::string data = media(33 * MiB);
  ASSERT_TRUE(upload.write(data) && upload.finish());
  EXPECT_TRUE(upload.store->object == data);
  EXPECT_EQ(upload.parts_told, 7);
  EXPECT_TRUE(upload.close());
  upload.store->settle();
  EXPECT_EQ(upload.store->calls.back(), "complete");
}

TEST(ObjectWriter, refusal_at_any_call_fails_and_leaves_no_upload) {
  for (const char* call : {"create", "part1", "part3", "part5", "complete"}) {
    Running upload(call);
    EXPECT_FALSE(upload.write(media(23 * MiB)) && upload.finish()) << call;
    EXPECT_TRUE(upload.close());
    upload.store->settle();
    EXPECT_TRUE(upload.store->uploads.empty()) << call;
    EXPECT_FALSE(upload.store->object) << call;
  }
}

TEST(ObjectWriter, close_in_the_middle_takes_the_upload_back) {
  for (const char* hanging : {"part1", "part2", "complete"}) {
    Running upload("", hanging);
    std::thread writer([&] { upload.write(media(23 * MiB)) && upload.finish(); });
    std::this_thread::sleep_for(100ms);
    upload.writer->interrupt();
    writer.join();
    EXPECT_TRUE(upload.close()) << hanging;
    upload.store->settle();
    EXPECT_TRUE(upload.store->uploads.empty()) << hanging;
    EXPECT_FALSE(upload.store->object) << hanging;
  }
}

TEST(ObjectWriter, create_that_hangs_is_waited_for_in_the_background_and_aborted) {
  Running upload("", "create");
  ASSERT_TRUE(upload.write(media(6 * MiB)));
  upload.store->settle();
  EXPECT_FALSE(upload.close(20ms));
  upload.store->release();
  EXPECT_EQ(wait_for_cleanup(5s), 0u);
  EXPECT_TRUE(upload.store->uploads.empty());
  EXPECT_EQ(upload.store->calls.back(), "abort");
}

TEST(ObjectWriter, upload_whose_identifier_was_lost_is_taken_back_and_those_of_others_stay) {
  Running upload;
  upload.store->uploads = {"lost", "older", "later"};
  upload.store->initiated = {{"id", "2026-01-01T00:00:10.5Z"},
                             {"lost", "2026-01-01T00:00:09.1Z"},
                             {"older", "2025-12-31T23:59:59.000Z"},
                             {"later", "2026-01-01T00:00:12.000Z"}};
  ASSERT_TRUE(upload.write(media(12 * MiB)) && upload.finish());
  EXPECT_TRUE(upload.close());
  upload.store->settle();
  EXPECT_EQ(upload.store->uploads, (std::set<std::string>{"older", "later"}));
}

TEST(ObjectWriter, kept_upload_stays) {
  Running upload;
  ASSERT_TRUE(upload.write(media(12 * MiB)));
  while (upload.parts_told < 2) std::this_thread::sleep_for(1ms);
  upload.writer->close(ObjectWriter::Unfinished::keep, 1s, nullptr);
  upload.store->settle();
  EXPECT_EQ(upload.store->uploads.size(), 1u);
}

TEST(ObjectWriter, interrupted_wait_goes_on_after_resume) {
  Running upload("", "part1");
  std::atomic<bool> interrupted = false;
  const std::string data = media(40 * MiB);
  std::thread writer([&] {
    std::span<const std::byte> rest(reinterpret_cast<const std::byte*>(data.data()), data.size());
    while (!rest.empty()) {
      const auto taken = upload.writer->write(rest, false);
      ASSERT_TRUE(taken);
      if (*taken) {
        rest = rest.subspan(**taken);
      } else {
        interrupted = true;
        std::this_thread::sleep_for(1ms);
      }
    }
    while (true) {
      const auto finished = upload.writer->finish();
      ASSERT_TRUE(finished);
      if (*finished) break;
      interrupted = true;
      std::this_thread::sleep_for(1ms);
    }
  });
  std::this_thread::sleep_for(50ms);
  upload.writer->interrupt();
  while (!interrupted) std::this_thread::sleep_for(1ms);
  upload.writer->resume();
  upload.store->release();
  writer.join();
  EXPECT_TRUE(upload.store->object == data);
}

TEST(ObjectWriter, one_part_that_hangs_does_not_stop_the_others) {
  Running upload("", "part2");
  std::thread writer([&] { EXPECT_TRUE(upload.write(media(33 * MiB)) && upload.finish()); });
  while (upload.parts_told < 5) std::this_thread::sleep_for(1ms);
  upload.store->release();
  writer.join();
  EXPECT_EQ(upload.store->object->size(), 33 * MiB);
}

// HLS

// The store of s3hlssink as a directory: what a player finds there.
class DirectoryStore final : public HlsStore {
 public:
  explicit DirectoryStore(std::filesystem::path folder) : folder_(std::move(folder)) {}
  CallId put(const std::string& name, Headers, Body body, Completion<Stored> done) override {
    const bool slow = name == slow_segment;
    auto work = [this, name, body, done, slow] {
      if (slow) std::this_thread::sleep_for(100ms);
      if (name == refused) return done(tl::unexpected(refusal()));
      std::ofstream(folder_ / name, std::ios::binary) << text_of(body);
      if (name == "index.m3u8") check_playlist(text_of(body));
      done(Stored{.etag = "", .version_id = "", .headers = {}});
    };
    (slow ? slow_worker_ : worker_).post(std::move(work));
    return 0;
  }
  CallId remove(const std::string& name, Completion<bool> done) override {
    worker_.post([this, name, done] {
      std::filesystem::remove(folder_ / name);
      done(true);
    });
    return 0;
  }
  void cancel_all() override {}

  std::string slow_segment;
  std::string refused;
  std::vector<std::string> playlists;

 private:
  // Every name of the playlist has to be there at the moment in which it appears.
  void check_playlist(const std::string& text) {
    playlists.push_back(text);
    std::size_t at = 0;
    while (at < text.size()) {
      const auto end = text.find('\n', at);
      EXPECT_TRUE(std::filesystem::exists(folder_ / text.substr(at, end - at)));
      at = end + 1;
    }
  }

  std::filesystem::path folder_;
  Worker worker_;
  Worker slow_worker_;
};

std::vector<std::byte> bytes(const std::string& text) {
  const auto* from = reinterpret_cast<const std::byte*>(text.data());
  return {from, from + text.size()};
}

class HlsPublisherTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "clips-hls-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder = name;
    store = std::make_shared<DirectoryStore>(folder);
    publisher = std::make_unique<HlsPublisher>(
        store,
        HlsPublisher::Options{.max_inflight = 2, .segment_headers = {}, .playlist_headers = {}},
        HlsPublisher::Callbacks{[this](const auto&) { published++; },
                                [this](const auto&) { failures++; }});
  }
  void TearDown() override {
    publisher.reset();
    store.reset();
    std::filesystem::remove_all(folder);
  }
  bool wait_until_stored(std::chrono::milliseconds patience = 5s) {
    auto promise = std::make_shared<std::promise<void>>();
    auto future = promise->get_future();
    publisher->when_stored([promise] { promise->set_value(); });
    return future.wait_for(patience) == std::future_status::ready;
  }

  std::filesystem::path folder;
  std::shared_ptr<DirectoryStore> store;
  std::unique_ptr<HlsPublisher> publisher;
  std::atomic<int> published = 0;
  std::atomic<int> failures = 0;
};

TEST_F(HlsPublisherTest, playlist_waits_for_its_segments_and_only_the_newest_is_sent) {
  store->slow_segment = "1.ts";
  std::string names;
  for (int i = 0; i < 6; i++) {
    const std::string name = std::to_string(i) + ".ts";
    publisher->wait_for_room();
    ASSERT_TRUE(publisher->segment(name, bytes("segment")));
    names += name + "\n";
    ASSERT_TRUE(publisher->playlist("index.m3u8", bytes(names)));
  }
  ASSERT_TRUE(wait_until_stored());
  EXPECT_EQ(store->playlists.back(), names);
  EXPECT_LT(store->playlists.size(), 6u);
}

TEST_F(HlsPublisherTest, old_segments_go_after_a_playlist_without_them) {
  ASSERT_TRUE(publisher->segment("0.ts", bytes("x")));
  ASSERT_TRUE(publisher->playlist("index.m3u8", bytes("0.ts\n")));
  publisher->remove("0.ts");
  ASSERT_TRUE(wait_until_stored());
  EXPECT_TRUE(std::filesystem::exists(folder / "0.ts"));
  ASSERT_TRUE(publisher->segment("1.ts", bytes("x")));
  ASSERT_TRUE(publisher->playlist("index.m3u8", bytes("1.ts\n")));
  ASSERT_TRUE(wait_until_stored());
  EXPECT_FALSE(std::filesystem::exists(folder / "0.ts"));
}

TEST_F(HlsPublisherTest, removal_of_a_playlist_that_was_overtaken_is_not_forgotten) {
  ASSERT_TRUE(publisher->segment("0.ts", bytes("x")));
  ASSERT_TRUE(wait_until_stored());
  store->slow_segment = "1.ts";
  ASSERT_TRUE(publisher->segment("1.ts", bytes("x")));
  publisher->remove("0.ts");
  ASSERT_TRUE(publisher->playlist("index.m3u8", bytes("1.ts\n")));
  ASSERT_TRUE(publisher->playlist("index.m3u8", bytes("1.ts\n")));
  ASSERT_TRUE(wait_until_stored());
  EXPECT_FALSE(std::filesystem::exists(folder / "0.ts"));
}

TEST_F(HlsPublisherTest, failure_is_told_once_and_no_playlist_follows) {
  store->refused = "1.ts";
  for (const char* name : {"0.ts", "1.ts"}) publisher->segment(name, bytes("x"));
  publisher->playlist("index.m3u8", bytes("0.ts\n1.ts\n"));
  EXPECT_FALSE(wait_until_stored(200ms));
  EXPECT_EQ(failures, 1);
  EXPECT_FALSE(publisher->segment("2.ts", bytes("x")));
  EXPECT_FALSE(std::filesystem::exists(folder / "index.m3u8"));
}

TEST_F(HlsPublisherTest, interrupt_ends_the_wait_for_room) {
  store->slow_segment = "0.ts";
  publisher->segment("0.ts", bytes("x"));
  publisher->segment("0.ts", bytes("x"));
  std::thread other([&] { publisher->interrupt(); });
  publisher->wait_for_room();
  other.join();
}

}  // namespace
