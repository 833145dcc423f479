// SPDX-License-Identifier: LGPL-2.1-or-later
//
// s3src and s3sink against a store that delays, loses and breaks replies, while an application
// stops, pauses, flushes, seeks and relinks them at random moments. Runs under the sanitizers.
// CLIPS_S3_STRESS_SECONDS: how long each test goes on (4); CLIPS_S3_STRESS_SEED: the dice (1).
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "../core/http_server.hpp"
#include "common/handles.hpp"

using namespace clips;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;
using Reply = HttpServer::Reply;
using Request = HttpServer::Request;

constexpr std::size_t kObjectSize = 6 << 20;

int number_from(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text ? std::atoi(text) : otherwise;
}

char byte_at(std::size_t position) {
  return static_cast<char>((position * 2654435761U) >> 24);
}

const std::string& object() {
  static const std::string bytes = [] {
    std::string text(kObjectSize, '\0');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = byte_at(i);
    return text;
  }();
  return bytes;
}

// Text between two others.
std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const auto from = text.find(begin);
  if (from == std::string::npos) return {};
  const auto to = text.find(end, from + begin.size());
  return text.substr(from + begin.size(), to == std::string::npos ? to : to - from - begin.size());
}

// A store that knows which uploads are open. One request in `fault_rate` goes wrong.
class Store {
 public:
  explicit Store(unsigned seed) : dice_(seed) {}

  Reply handle(const Request& request) {
    requests++;
    std::this_thread::sleep_for(std::chrono::microseconds(roll(4) ? roll(2000) : roll(30000)));
    if (roll(fault_rate)) return act(request);
    switch (roll(6)) {
      case 0:
        return {.dropped = true};
      case 1:
        act(request);
        return {.dropped = true};
      case 2: {
        Reply reply = act(request);
        reply.cut_after = reply.body.size() / 2;
        return reply;
      }
      case 3:
        return {.silent = true};
      default:
        return {.status = 503, .body = "<Error><Code>SlowDown</Code></Error>"};
    }
  }

  std::size_t open_uploads() {
    const std::lock_guard lock(mutex_);
    return open_.size();
  }

  std::atomic<unsigned> requests = 0;
  std::atomic<unsigned> completed = 0;
  std::atomic<unsigned> fault_rate = 10;

 private:
  unsigned roll(unsigned sides) {
    const std::lock_guard lock(mutex_);
    return static_cast<unsigned>(dice_()) % sides;
  }

  Reply act(const Request& request) {
    const auto question = request.target.find('?');
    const std::string path = request.target.substr(0, question);
    const std::string query =
        question == std::string::npos ? "" : request.target.substr(question) + "&";
    const std::string id = between(query, "uploadId=", "&");
    const std::lock_guard lock(mutex_);
    if (request.method == "POST" && id.empty()) return create(path);
    if (request.method == "GET" && query.find("uploads=") != std::string::npos) return list();
    if (request.method == "GET") return range(request);
    if (request.method == "HEAD") return {.status = 404};
    if (!id.empty() && !open_.contains(id))
      return {.status = 404, .body = "<Error><Code>NoSuchUpload</Code></Error>"};
    if (request.method == "DELETE") {
      open_.erase(id);
      return {.status = 204};
    }
    if (request.method == "POST") {
      open_.erase(id);
      completed++;
      return {.body =
                  "<CompleteMultipartUploadResult><ETag>\"e-1\"</ETag>"
                  "</CompleteMultipartUploadResult>"};
    }
    if (id.empty()) completed++;
    return {.headers = {{"ETag", "\"0123456789abcdef0123456789abcdef\""}}};
  }

  Reply create(const std::string& path) {
    const std::string id = "U" + std::to_string(++last_);
    char now[32];
    const std::time_t time = std::time(nullptr);
    std::tm parts{};
    std::strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%S.000Z", gmtime_r(&time, &parts));
    const std::string key = path.substr(path.find('/', 1) + 1);
    open_[id] = "<Upload><Key>" + key + "</Key><UploadId>" + id + "</UploadId><Initiated>" + now +
                "</Initiated></Upload>";
    return {.body = "<InitiateMultipartUploadResult><UploadId>" + id +
                    "</UploadId></InitiateMultipartUploadResult>"};
  }

  Reply list() const {
    std::string text = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>";
    for (const auto& [id, upload] : open_) text += upload;
    return {.body = text + "</ListMultipartUploadsResult>"};
  }

  static Reply range(const Request& request) {
    std::size_t first = 0, last = kObjectSize - 1;
    if (const auto found = request.headers.find("range"); found != request.headers.end())
      std::sscanf(found->second.c_str(), "bytes=%zu-%zu", &first, &last);
    last = std::min(last, kObjectSize - 1);
    return {.status = 206,
            .headers = {{"ETag", "\"object\""},
                        {"Content-Range", "bytes " + std::to_string(first) + "-" +
                                              std::to_string(last) + "/" +
                                              std::to_string(kObjectSize)}},
            .body = object().substr(first, last + 1 - first)};
  }

  std::mutex mutex_;  // guards what follows
  std::mt19937 dice_;
  std::map<std::string, std::string> open_;
  unsigned last_ = 0;
};

class S3Stress : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    for (const char* name : {"AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
                             "AWS_SESSION_TOKEN", "http_proxy", "HTTP_PROXY", "AWS_CA_BUNDLE"})
      unsetenv(name);
    setenv("AWS_CONFIG_FILE", "/dev/null", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
    setenv("AWS_ACCESS_KEY_ID", "AK", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "SK", 1);
    if (!gst_is_initialized()) gst_init(nullptr, nullptr);
  }

  // What was begun is taken back, whatever happened: also behind elements that are gone.
  void TearDown() override {
    store.fault_rate = 1u << 30;
    const auto latest = Clock::now() + 40s;
    while (store.open_uploads() && Clock::now() < latest) std::this_thread::sleep_for(20ms);
    EXPECT_EQ(store.open_uploads(), 0u);
    std::printf("%u rounds, %u requests, %u objects stored, slowest stop %.0f ms\n", rounds,
                store.requests.load(), store.completed.load(),
                std::chrono::duration<double, std::milli>(slowest).count());
    EXPECT_GT(rounds, 5u);
    EXPECT_GT(store.requests, rounds) << "the store was hardly asked";
  }

  unsigned roll(unsigned sides) { return static_cast<unsigned>(dice()) % sides; }
  void pause(unsigned most_ms) {
    std::this_thread::sleep_for(std::chrono::microseconds(roll(most_ms * 1000)));
  }
  bool time_left() {
    ++rounds;
    return Clock::now() < end;
  }

  GstElement* make(const char* factory, const char* name = nullptr) {
    GstElement* element = gst_element_factory_make(factory, name);
    if (!element) throw std::runtime_error(std::string("no element ") + factory);
    return element;
  }
  GstElement* make_sink() {
    GstElement* sink = make("s3sink");
    g_object_set(sink, "endpoint-uri", server.endpoint().c_str(), "uri",
                 ("s3://bucket/" + std::to_string(++objects)).c_str(), "part-size",
                 guint64{5} << 20, "max-inflight", 1 + roll(4), "stall-timeout",
                 guint64{GST_SECOND}, nullptr);
    return sink;
  }
  GstElement* make_source() {
    GstElement* source = make("s3src");
    g_object_set(source, "endpoint-uri", server.endpoint().c_str(), "uri", "s3://bucket/object",
                 "stall-timeout", guint64{GST_SECOND}, "cache-size", guint64{2} << 20, "blocksize",
                 1 + roll(300000), nullptr);
    return source;
  }
  // Endless, or a few megabytes.
  GstElement* make_data() {
    GstElement* source = make("fakesrc");
    gst_util_set_object_arg(G_OBJECT(source), "sizetype", "fixed");
    g_object_set(source, "sizemax", 4096 << roll(8), "num-buffers",
                 roll(2) ? -1 : static_cast<int>(roll(60)), nullptr);
    return source;
  }

  // EOS and seeks without a flush wait for the stream, in GStreamer's hands, and would for ever if
  // that waited to preroll.
  static bool settled(GstElement* pipeline) {
    return gst_element_get_state(pipeline, nullptr, nullptr, GST_SECOND) ==
           GST_STATE_CHANGE_SUCCESS;
  }

  void stop(GstElement* element) {
    const auto begin = Clock::now();
    EXPECT_EQ(gst_element_set_state(element, GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
    slowest = std::max<Clock::duration>(slowest, Clock::now() - begin);
    // Its own goal is 0.1 s; a machine under a sanitizer and six tests is another matter.
    EXPECT_LT(Clock::now() - begin, 5s);
  }

  std::mt19937 dice{static_cast<unsigned>(number_from("CLIPS_S3_STRESS_SEED", 1))};
  const Clock::time_point end =
      Clock::now() + std::chrono::seconds(number_from("CLIPS_S3_STRESS_SECONDS", 4));
  unsigned rounds = 0;
  unsigned objects = 0;
  Clock::duration slowest{};
  Store store{static_cast<unsigned>(dice())};
  HttpServer server{[this](const Request& request) { return store.handle(request); },
                    HttpServer::Keep::nothing};
};

TEST_F(S3Stress, uploads_that_are_stopped_paused_flushed_and_sent_back) {
  while (time_left()) {
    const auto pipeline = ElementRef::sink(gst_pipeline_new(nullptr));
    GstElement* source = roll(2) ? make_data() : make_source();
    GstElement* sink = make_sink();
    gst_bin_add_many(GST_BIN(pipeline.get()), source, sink, nullptr);
    ASSERT_TRUE(gst_element_link(source, sink));
    const auto pad = PadRef::adopt(gst_element_get_static_pad(sink, "sink"));
    gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
    bool playing = true;
    for (unsigned i = roll(5); i-- > 0;) {
      pause(12);
      switch (roll(6)) {
        case 0:
          playing = false;
          gst_element_set_state(pipeline.get(), GST_STATE_PAUSED);
          break;
        case 1:
          playing = true;
          gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
          break;
        case 2:
          // Where the source can seek the sink begins its object anew.
          gst_element_seek_simple(pipeline.get(), GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH,
                                  roll(kObjectSize));
          break;
        case 3: {
          // What a muxer does at its end; most places are gone.
          GstSegment segment;
          gst_segment_init(&segment, GST_FORMAT_BYTES);
          segment.start = roll(2) ? roll(100) : roll(12 << 20);
          // Between two buffers; a stream that waits inside of one has none now.
          const auto peer = PadRef::adopt(gst_pad_get_peer(pad.get()));
          if (GST_PAD_STREAM_TRYLOCK(peer.get())) {
            gst_pad_push_event(peer.get(), gst_event_new_segment(&segment));
            GST_PAD_STREAM_UNLOCK(peer.get());
          }
          break;
        }
        case 4: {
          GstStructure* stats = nullptr;
          g_object_get(sink, "stats", &stats, nullptr);
          gst_structure_free(stats);
          break;
        }
        default:
          if (playing && settled(pipeline.get()))
            gst_element_send_event(pipeline.get(), gst_event_new_eos());
      }
    }
    pause(15);
    stop(pipeline.get());
  }
}

// Bytes are compared where they arrive.
void compare(GstElement*, GstBuffer* buffer, GstPad*, gpointer wrong) {
  const BufferMap map(buffer, GST_MAP_READ);
  const auto offset = GST_BUFFER_OFFSET(buffer);
  if (!map || offset + map.size() > kObjectSize ||
      std::memcmp(map.data(), object().data() + offset, map.size()) != 0)
    ++*static_cast<std::atomic<int>*>(wrong);
}

TEST_F(S3Stress, reads_that_are_stopped_paused_and_sought) {
  std::atomic<int> wrong = 0;
  std::atomic<int> buffers = 0;
  while (time_left()) {
    const auto pipeline = ElementRef::sink(gst_pipeline_new(nullptr));
    GstElement* source = make_source();
    GstElement* sink = make("fakesink");
    g_object_set(sink, "signal-handoffs", TRUE, nullptr);
    g_signal_connect(sink, "handoff", G_CALLBACK(compare), &wrong);
    g_signal_connect(sink, "handoff",
                     G_CALLBACK(+[](GstElement*, GstBuffer*, GstPad*, gpointer count) {
                       ++*static_cast<std::atomic<int>*>(count);
                     }),
                     &buffers);
    gst_bin_add_many(GST_BIN(pipeline.get()), source, sink, nullptr);
    ASSERT_TRUE(gst_element_link(source, sink));
    gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
    bool playing = true;
    for (unsigned i = roll(6); i-- > 0;) {
      pause(12);
      gint64 duration = 0;
      switch (roll(5)) {
        case 0:
          playing = false;
          gst_element_set_state(pipeline.get(), GST_STATE_PAUSED);
          break;
        case 1:
          playing = true;
          gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
          break;
        case 2:
          gst_element_query_duration(source, GST_FORMAT_BYTES, &duration);
          break;
        default: {
          const bool plays = playing && settled(pipeline.get());
          gst_element_seek_simple(pipeline.get(), GST_FORMAT_BYTES,
                                  plays && roll(3) == 0 ? GST_SEEK_FLAG_NONE : GST_SEEK_FLAG_FLUSH,
                                  roll(kObjectSize));
        }
      }
    }
    pause(15);
    stop(pipeline.get());
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(buffers, 0);
}

TEST_F(S3Stress, sinks_that_are_exchanged_while_the_stream_runs) {
  while (time_left()) {
    const auto pipeline = ElementRef::sink(gst_pipeline_new(nullptr));
    GstElement* source = roll(3) ? make_data() : make_source();
    GstElement* sink = make_sink();
    gst_bin_add_many(GST_BIN(pipeline.get()), source, sink, nullptr);
    ASSERT_TRUE(gst_element_link(source, sink));
    const auto pad = PadRef::adopt(gst_element_get_static_pad(source, "src"));
    gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
    for (unsigned i = roll(4); i-- > 0;) {
      pause(12);
      gulong probe = 0;
      // Half of the applications block the stream first, as they should.
      if (roll(2))
        probe = gst_pad_add_probe(
            pad.get(), GST_PAD_PROBE_TYPE_BLOCK_DOWNSTREAM,
            [](GstPad*, GstPadProbeInfo*, gpointer) { return GST_PAD_PROBE_OK; }, nullptr, nullptr);
      if (roll(2)) pause(3);
      const auto old = ElementRef::retain(sink);
      // Else the pipeline, if it is still on its way up, takes it along again.
      gst_element_set_locked_state(sink, TRUE);
      if (roll(2)) {
        gst_element_unlink(source, sink);
        stop(sink);
      } else {
        stop(sink);
        gst_element_unlink(source, sink);
      }
      gst_bin_remove(GST_BIN(pipeline.get()), sink);
      sink = make_sink();
      gst_bin_add(GST_BIN(pipeline.get()), sink);
      gst_element_link(source, sink);
      gst_element_sync_state_with_parent(sink);
      if (probe) gst_pad_remove_probe(pad.get(), probe);
    }
    pause(15);
    stop(pipeline.get());
  }
}

TEST_F(S3Stress, many_objects_at_a_time) {
  while (time_left()) {
    const auto pipeline = ElementRef::sink(gst_pipeline_new(nullptr));
    GstElement* source = make_data();
    g_object_set(source, "sizemax", 1 + roll(20000), nullptr);
    GstElement* sink = make_sink();
    gst_util_set_object_arg(G_OBJECT(sink), "next-file", "buffer");
    g_object_set(sink, "uri", "s3://bucket/many-{index}", nullptr);
    gst_bin_add_many(GST_BIN(pipeline.get()), source, sink, nullptr);
    ASSERT_TRUE(gst_element_link(source, sink));
    gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
    pause(25);
    if (roll(2)) gst_element_set_state(pipeline.get(), GST_STATE_PAUSED);
    pause(5);
    stop(pipeline.get());
  }
}

}  // namespace
