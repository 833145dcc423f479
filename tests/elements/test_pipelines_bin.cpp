// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The bin that a pipeline definition becomes, and the library that makes it.
#define GST_USE_UNSTABLE_API  // for tracers
#include <gst/gst.h>
#include <gst/gsttracer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/handles.hpp"
#include "gst-clips.h"

using namespace clips;
namespace fs = std::filesystem;

namespace {

// A tracer of no kind: hooks need one.
struct PauseTracer {
  GstTracer parent;
};
struct PauseTracerClass {
  GstTracerClass parent;
};
G_DEFINE_TYPE(PauseTracer, pause_tracer, GST_TYPE_TRACER)
void pause_tracer_class_init(PauseTracerClass*) {}
void pause_tracer_init(PauseTracer*) {}

// A folder for the program's life, with the media that the tests share.
class Workplace {
 public:
  Workplace() {
    const GString_ path(g_dir_make_tmp("clips-bin-XXXXXX", nullptr));
    folder_ = path.get();
  }
  ~Workplace() { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ / name; }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }

  // Made once by ffmpeg from its arguments but the output.
  std::string media(const std::string& name, const std::string& arguments) const {
    const auto file = path(name);
    if (fs::exists(file)) return file;
    const auto command = "ffmpeg -v error -y " + arguments + " " + file;
    gint status = 1;
    GError* error = nullptr;
    if (!g_spawn_command_line_sync(command.c_str(), nullptr, nullptr, &status, &error) ||
        status != 0)
      ADD_FAILURE() << command << ": " << (error ? error->message : "failed");
    g_clear_error(&error);
    return file;
  }

 private:
  fs::path folder_;
};

Workplace& workplace() {
  static Workplace place;
  return place;
}

constexpr const char* kPicture = "-f lavfi -i testsrc=size=64x48:rate=25:duration=0.4 ";
constexpr const char* kSound = "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=0.4 ";
constexpr const char* kLowSound = "-f lavfi -i sine=frequency=440:sample_rate=8000:duration=0.4 ";

std::string video_only() {
  return workplace().media("video.mkv", std::string(kPicture) + "-c:v mjpeg");
}
std::string audio_only() {
  return workplace().media("audio.mkv", std::string(kSound) + "-c:a pcm_s16le");
}
std::string both() {
  return workplace().media("both.mkv",
                           std::string(kPicture) + kSound + "-c:v mjpeg -c:a pcm_s16le");
}
// The second of three sounds is the default one.
std::string three_sounds() {
  return workplace().media(
      "sounds.mkv", std::string(kPicture) + kLowSound + kSound + kLowSound +
                        "-map 0 -map 1 -map 2 -map 3 -c:v mjpeg -c:a pcm_s16le -disposition:a:0 0 "
                        "-disposition:a:1 default -disposition:a:2 0");
}
std::string h264() {
  return workplace().media(
      "h264.mkv", std::string(kPicture) + kSound + "-c:v libx264 -pix_fmt yuv420p -c:a pcm_s16le");
}

constexpr const char* kHead = R"([Pipeline]
format=1
name=probe
long-name=Probe
klass=Bin/Test
description=What a test looks at
)";

constexpr const char* kInput = R"(
[Parameter input]
type=uri
required=true
description=The input
bind=decode::uri
)";

// Decodes both streams, each into its own sink.
constexpr const char* kDecode = R"(
[Graph]
source=uridecodebin name=decode
[Branch video]
from=decode
caps=video/x-raw
launch=queue ! fakesink name=video sync=false
VIDEO
[Branch audio]
from=decode
caps=audio/x-raw
launch=queue ! fakesink name=audio sync=false
AUDIO
)";

std::string decode(const std::string& video_keys, const std::string& audio_keys) {
  std::string text = kDecode;
  text.replace(text.find("VIDEO"), 5, video_keys);
  text.replace(text.find("AUDIO"), 5, audio_keys);
  return kHead + text + kInput;
}

std::string load_error(const std::string& text) {
  GError* error = nullptr;
  const auto element = ElementRef::sink(
      gst_clips_load(workplace().write("x.pipeline", text).c_str(), nullptr, &error));
  if (!error) return "loaded";
  const ErrorPtr owner(error);
  return error->message;
}

ElementRef load(const std::string& text) {
  GError* error = nullptr;
  auto element = ElementRef::sink(
      gst_clips_load(workplace().write("x.pipeline", text).c_str(), nullptr, &error));
  EXPECT_EQ(nullptr, error) << error->message;
  g_clear_error(&error);
  return element;
}

// What set_parameter() says; nothing when it took the text.
std::string set(GstElement* element, const char* name, const std::string& text) {
  GError* error = nullptr;
  if (gst_clips_set_parameter(element, name, text.c_str(), &error)) return "";
  const ErrorPtr owner(error);
  return error->message;
}

struct Message {
  GQuark domain;
  gint code;
  std::string text;
};

struct Result {
  bool eos = false;
  std::vector<Message> errors;
  std::vector<std::string> missing;  // of missing-plugin messages

  const Message& error() const {
    static const Message none{0, 0, "no error at all"};
    EXPECT_EQ(1u, errors.size());
    EXPECT_FALSE(eos);
    return errors.empty() ? none : errors.front();
  }
};

// The element alone in a pipeline, which keeps it: it goes to NULL and away with this object.
class Player {
 public:
  explicit Player(const ElementRef& element)
      : pipeline_(ElementRef::sink(gst_pipeline_new(nullptr))), element_(element) {
    gst_bin_add(GST_BIN(pipeline_.get()), element_.get());
  }
  ~Player() { gst_element_set_state(pipeline_.get(), GST_STATE_NULL); }

  // Plays to the end of stream or an error, and a little on for what comes after the error.
  Result play() {
    Result result;
    const auto bus = BusRef::adopt(gst_element_get_bus(pipeline_.get()));
    gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
    GstClockTime patience = 20 * GST_SECOND;
    while (const auto message = MessageRef::adopt(gst_bus_timed_pop(bus.get(), patience))) {
      take(message.get(), result);
      if (result.eos) break;
      if (!result.errors.empty()) patience = GST_SECOND / 5;
    }
    return result;
  }

  void stop() { gst_element_set_state(pipeline_.get(), GST_STATE_NULL); }
  GstElement* pipeline() const { return pipeline_.get(); }

  ElementRef child(const char* name) const {
    return ElementRef::adopt(gst_bin_get_by_name(GST_BIN(element_.get()), name));
  }

  // The caps of the last buffer of a fakesink; empty when there was none.
  std::string last_caps(const char* name) const {
    const auto sink = child(name);
    if (!sink) return "not built";
    GstSample* sample = nullptr;
    g_object_get(sink.get(), "last-sample", &sample, nullptr);
    if (!sample) return "";
    const auto owner = SampleRef::adopt(sample);
    const GString_ caps(gst_caps_to_string(gst_sample_get_caps(sample)));
    return caps.get();
  }

 private:
  static void take(GstMessage* message, Result& result) {
    switch (GST_MESSAGE_TYPE(message)) {
      case GST_MESSAGE_EOS:
        result.eos = true;
        break;
      case GST_MESSAGE_ERROR: {
        GError* error = nullptr;
        gst_message_parse_error(message, &error, nullptr);
        const ErrorPtr owner(error);
        result.errors.push_back({error->domain, error->code, error->message});
        break;
      }
      case GST_MESSAGE_ELEMENT:
        if (gst_message_has_name(message, "missing-plugin"))
          result.missing.emplace_back(
              gst_structure_get_string(gst_message_get_structure(message), "detail"));
        break;
      default:
        break;
    }
  }

  ElementRef pipeline_;
  ElementRef element_;
};

Player player(const std::string& text, const std::string& input) {
  const auto element = load(text);
  EXPECT_EQ("", set(element.get(), "input", input));
  return Player(element);
}

template <typename T>
T property(GObject* object, const char* name) {
  T value{};
  g_object_get(object, name, &value, nullptr);
  return value;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A graph that needs no input and ends by itself, for tests of parameters.
std::string with_source(const std::string& rest) {
  return std::string(kHead) +
         "[Graph]\n"
         "chain=fakesrc name=source num-buffers=3 ! capsfilter name=filter ! queue name=queue ! "
         "fakesink name=sink\n" +
         rest;
}

std::string parameter(const std::string& name, const std::string& keys) {
  return "[Parameter " + name + "]\ndescription=A parameter\n" + keys + "\n";
}

ElementRef started(const std::string& text) {
  auto element = load(text);
  EXPECT_EQ(GST_STATE_CHANGE_SUCCESS, gst_element_set_state(element.get(), GST_STATE_READY));
  return element;
}

ElementRef child_of(const ElementRef& element, const char* name) {
  return ElementRef::adopt(gst_bin_get_by_name(GST_BIN(element.get()), name));
}

void stop(const ElementRef& element) {
  gst_element_set_state(element.get(), GST_STATE_NULL);
}

}  // namespace

namespace {

std::string check_error(const std::string& text) {
  GError* error = nullptr;
  GstClipsDefinition* definition =
      gst_clips_load_definition(workplace().write("checked.pipeline", text).c_str(), &error);
  if (!definition) {
    const ErrorPtr owner(error);
    return std::string("not loaded: ") + error->message;
  }
  const bool right = gst_clips_definition_check(definition, &error);
  gst_clips_definition_unref(definition);
  if (right) return "right";
  const ErrorPtr owner(error);
  return error->message;
}
}  // namespace

// --- Branches ---

TEST(Branches, a_file_with_both_streams_fills_both_branches) {
  auto run = player(decode("", ""), both());
  EXPECT_TRUE(run.play().eos);
  EXPECT_TRUE(contains(run.last_caps("video"), "width=(int)64"));
  EXPECT_TRUE(contains(run.last_caps("audio"), "rate=(int)48000"));
}

TEST(Branches, without_sound_the_optional_branch_is_not_built) {
  auto run = player(decode("", "optional=true"), video_only());
  EXPECT_TRUE(run.play().eos);
  EXPECT_TRUE(contains(run.last_caps("video"), "width=(int)64"));
  EXPECT_EQ("not built", run.last_caps("audio"));
}

TEST(Branches, without_picture_the_optional_branch_is_not_built) {
  auto run = player(decode("optional=true", ""), audio_only());
  EXPECT_TRUE(run.play().eos);
  EXPECT_EQ("not built", run.last_caps("video"));
  EXPECT_TRUE(contains(run.last_caps("audio"), "rate=(int)48000"));
}

TEST(Branches, a_required_stream_that_is_missing_is_one_error_that_says_so) {
  auto run = player(decode("", ""), video_only());
  const auto result = run.play();
  const auto& error = result.error();
  EXPECT_EQ(GST_STREAM_ERROR, error.domain);
  EXPECT_EQ(GST_STREAM_ERROR_WRONG_TYPE, error.code);
  EXPECT_EQ("There is no audio stream in “" + video_only() + "”, which probebin needs.",
            error.text);
}

TEST(Branches, a_file_with_nothing_usable_is_one_error) {
  const auto text =
      std::string(kHead) +
      "[Graph]\nsource=uridecodebin name=decode\n"
      "[Branch text]\nfrom=decode\ncaps=text/x-raw\nlaunch=fakesink\noptional=true\n" +
      kInput;
  auto run = player(text, both());
  const auto result = run.play();
  EXPECT_EQ("There is no stream in “" + both() + "” that probebin can use.", result.error().text);
}

TEST(Branches, of_several_sounds_the_default_one_is_taken) {
  auto run = player(decode("", ""), three_sounds());
  EXPECT_TRUE(run.play().eos);
  EXPECT_TRUE(contains(run.last_caps("audio"), "rate=(int)48000")) << run.last_caps("audio");
}

TEST(Branches, without_a_mark_the_first_sound_is_taken) {
  const auto file = workplace().media(
      "unmarked.mkv", std::string(kPicture) + kLowSound + kSound +
                          "-map 0 -map 1 -map 2 -c:v mjpeg -c:a pcm_s16le -disposition:a 0");
  auto run = player(decode("", ""), file);
  EXPECT_TRUE(run.play().eos);
  EXPECT_TRUE(contains(run.last_caps("audio"), "rate=(int)8000")) << run.last_caps("audio");
}

TEST(Branches, a_multiple_branch_is_built_for_each_stream) {
  auto run = player(decode("", "multiple=true"), three_sounds());
  EXPECT_TRUE(run.play().eos);
  std::multiset<std::string> built;
  GstIterator* children = gst_bin_iterate_recurse(GST_BIN(run.pipeline()));
  GValue item = G_VALUE_INIT;
  while (gst_iterator_next(children, &item) == GST_ITERATOR_OK) {
    auto* element = GST_ELEMENT(g_value_get_object(&item));
    if (g_str_has_prefix(GST_ELEMENT_NAME(element), "branch-"))
      built.insert(std::string(GST_ELEMENT_NAME(element)).substr(0, 12));
    g_value_unset(&item);
  }
  gst_iterator_free(children);
  EXPECT_EQ(3u, built.count("branch-audio"));
  EXPECT_EQ(1u, built.count("branch-video"));
}

// A stream that nobody takes must not be decoded: it is thrown away before the decoder.
TEST(Branches, a_stream_that_no_branch_takes_is_not_decoded) {
  const auto text =
      std::string(kHead) +
      "[Graph]\nsource=uridecodebin name=decode\n"
      "[Branch audio]\nfrom=decode\ncaps=audio/x-raw\nlaunch=fakesink name=audio sync=false\n" +
      kInput;
  const auto element = load(text);
  EXPECT_EQ("", set(element.get(), "input", both()));
  Player run(element);
  static std::atomic<int> decoded;
  decoded = 0;
  g_signal_connect(
      element.get(), "deep-element-added",
      G_CALLBACK(+[](GstBin*, GstBin*, GstElement* child, gpointer) {
        if (!gst_element_get_factory(child) ||
            !g_str_has_prefix(GST_OBJECT_NAME(gst_element_get_factory(child)), "jpegdec"))
          return;
        const auto src = PadRef::adopt(gst_element_get_static_pad(child, "src"));
        gst_pad_add_probe(
            src.get(), GST_PAD_PROBE_TYPE_BUFFER,
            [](GstPad*, GstPadProbeInfo*, gpointer) {
              ++decoded;
              return GST_PAD_PROBE_OK;
            },
            nullptr, nullptr);
      }),
      nullptr);
  EXPECT_TRUE(run.play().eos);
  // decodebin itself decodes until it knows the stream's caps: one picture.
  EXPECT_LE(decoded.load(), 1);
}

TEST(Branches, what_competes_for_a_stream_is_decided_by_its_caps) {
  const auto text = std::string(kHead) +
                    "[Graph]\nsource=urisourcebin name=decode ! parsebin name=parse\n"
                    "[Branch copy]\nstream=video\nfrom=parse\ncaps=video/x-h264\n"
                    "launch=queue ! fakesink name=copied sync=false\n"
                    "[Branch encode]\nstream=video\nfrom=parse\ncaps=video/*;image/*\n"
                    "launch=decodebin ! queue ! fakesink name=encoded sync=false\n" +
                    kInput;
  {
    auto run = player(text, h264());
    EXPECT_TRUE(run.play().eos);
    EXPECT_TRUE(contains(run.last_caps("copied"), "video/x-h264"));
    EXPECT_EQ("not built", run.last_caps("encoded"));
  }
  auto run = player(text, video_only());
  EXPECT_TRUE(run.play().eos);
  EXPECT_EQ("not built", run.last_caps("copied"));
  EXPECT_TRUE(contains(run.last_caps("encoded"), "video/x-raw"));
}

TEST(Branches, a_branch_can_begin_in_another_branch) {
  const auto text =
      std::string(kHead) +
      "[Graph]\nsource=uridecodebin name=decode\n"
      "[Branch video]\nfrom=decode\ncaps=video/x-raw\noptional=true\nlaunch=tee name=split\n"
      "[Branch first]\nfrom=split\nlaunch=queue ! fakesink name=one sync=false\n"
      "[Branch second]\nfrom=split\nif=second\nlaunch=queue ! fakesink name=two sync=false\n"
      "[Branch audio]\nfrom=decode\ncaps=audio/x-raw\noptional=true\nlaunch=fakesink name=audio\n" +
      std::string(kInput) + parameter("second", "type=boolean\ndefault=true");
  {
    auto run = player(text, video_only());
    EXPECT_TRUE(run.play().eos);
    EXPECT_TRUE(contains(run.last_caps("one"), "width=(int)64"));
    EXPECT_TRUE(contains(run.last_caps("two"), "width=(int)64"));
  }
  {
    const auto element = load(text);
    set(element.get(), "input", video_only());
    set(element.get(), "second", "no");
    Player run(element);
    EXPECT_TRUE(run.play().eos);
    EXPECT_TRUE(contains(run.last_caps("one"), "width=(int)64"));
    EXPECT_EQ("not built", run.last_caps("two"));
  }
  auto run = player(text, audio_only());
  EXPECT_TRUE(run.play().eos);
  EXPECT_EQ("not built", run.last_caps("one"));
}

TEST(Branches, several_meet_in_a_muxer_whose_pads_have_properties) {
  const auto text = std::string(kHead) +
                    "[Graph]\nsource=uridecodebin name=decode\n"
                    "output=mp4mux name=mux ! fakesink name=file sync=false\n"
                    "[Branch video]\nfrom=decode\ncaps=video/x-raw\nlaunch=queue ! avenc_mpeg4\n"
                    "to=mux\nto-properties=trak-timescale=120000\noptional=true\n"
                    "[Branch audio]\nfrom=decode\ncaps=audio/x-raw\n"
                    "launch=queue ! audioconvert ! avenc_aac\nto=mux\noptional=true\n" +
                    kInput;
  auto run = player(text, both());
  EXPECT_TRUE(run.play().eos);
  const auto mux = run.child("mux");
  const auto pad = PadRef::adopt(gst_element_get_static_pad(mux.get(), "video_0"));
  ASSERT_TRUE(pad);
  EXPECT_EQ(120000u, property<guint>(G_OBJECT(pad.get()), "trak-timescale"));
  EXPECT_TRUE(PadRef::adopt(gst_element_get_static_pad(mux.get(), "audio_0")));
}

TEST(Branches, a_conditional_muxer_is_only_there_when_it_is_wanted) {
  const auto text = std::string(kHead) +
                    "[Graph]\nsource=uridecodebin name=decode\n"
                    "[Branch extra]\nif=extra\nlaunch=matroskamux name=mux ! fakesink name=file\n"
                    "[Branch video]\nfrom=decode\ncaps=video/x-raw\nlaunch=tee name=split\n"
                    "[Branch plain]\nfrom=split\nlaunch=queue ! fakesink name=plain sync=false\n"
                    "[Branch muxed]\nif=extra\nfrom=split\nlaunch=queue ! jpegenc\nto=mux\n" +
                    std::string(kInput) + parameter("extra", "type=boolean\ndefault=false");
  for (const bool extra : {false, true}) {
    const auto element = load(text);
    set(element.get(), "input", video_only());
    set(element.get(), "extra", extra ? "true" : "false");
    Player run(element);
    EXPECT_TRUE(run.play().eos);
    EXPECT_TRUE(contains(run.last_caps("plain"), "width=(int)64"));
    EXPECT_EQ(extra ? "video/x-matroska" : "not built", run.last_caps("file").substr(0, 16));
  }
}

TEST(Branches, a_stream_without_data_is_an_error_and_no_empty_output) {
  // A source that announces a stream and ends it at once.
  const auto text = std::string(kHead) +
                    "[Graph]\nsource=videotestsrc num-buffers=0 ! decodebin name=decode\n"
                    "[Branch video]\nfrom=decode\nlaunch=queue ! fakesink name=video\n";
  Player run(load(text));
  const auto result = run.play();
  EXPECT_EQ(GST_STREAM_ERROR, result.error().domain);
}

TEST(Branches, what_is_no_media_is_one_error) {
  for (const auto& [name, text] : {std::pair<std::string, std::string>{"text.mp4", "hello\n"},
                                   {"empty.mp4", ""},
                                   {"noise.mp4", std::string(5000, '\x93')}}) {
    auto run = player(decode("", ""), workplace().write(name, text));
    const auto result = run.play();
    EXPECT_EQ(GST_STREAM_ERROR, result.error().domain) << name << ": " << result.error().text;
  }
  auto run = player(decode("", ""), "/nowhere/x.mp4");
  const auto result = run.play();
  EXPECT_EQ(GST_RESOURCE_ERROR, result.error().domain);
  EXPECT_EQ(GST_RESOURCE_ERROR_NOT_FOUND, result.error().code);
}

TEST(Branches, position_and_duration_are_those_of_the_streams) {
  auto run = player(decode("", ""), both());
  EXPECT_TRUE(run.play().eos);
  gint64 duration = 0;
  EXPECT_TRUE(gst_element_query_duration(run.pipeline(), GST_FORMAT_TIME, &duration));
  EXPECT_NEAR(0.4 * GST_SECOND, static_cast<double>(duration), 0.05 * GST_SECOND);
}

// --- States ---

TEST(States, a_bin_can_be_played_again_and_again) {
  auto run = player(decode("", "optional=true"), both());
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(run.play().eos) << i;
    EXPECT_TRUE(contains(run.last_caps("audio"), "rate=(int)48000")) << i;
    if (i == 1)
      gst_element_set_state(run.pipeline(), GST_STATE_READY);
    else
      run.stop();
    EXPECT_EQ("not built", run.last_caps("audio"));
  }
}

TEST(States, another_input_brings_other_branches) {
  const auto element = load(decode("optional=true", "optional=true"));
  Player run(element);
  for (const auto& input : {both(), video_only(), audio_only(), both()}) {
    set(element.get(), "input", input);
    EXPECT_TRUE(run.play().eos);
    EXPECT_EQ(input != audio_only(), run.last_caps("video") != "not built");
    EXPECT_EQ(input != video_only(), run.last_caps("audio") != "not built");
    run.stop();
  }
}

TEST(States, a_run_after_an_error_is_as_good_as_any) {
  const auto element = load(decode("", ""));
  Player run(element);
  set(element.get(), "input", video_only());
  EXPECT_EQ(1u, run.play().errors.size());
  run.stop();
  set(element.get(), "input", both());
  const auto result = run.play();
  EXPECT_TRUE(result.eos);
  EXPECT_TRUE(result.errors.empty());
}

TEST(States, every_order_of_states_twice_with_a_real_input) {
  auto run = player(decode("", ""), both());
  std::array<GstState, 4> order{GST_STATE_NULL, GST_STATE_READY, GST_STATE_PAUSED,
                                GST_STATE_PLAYING};
  for (int round = 0; round < 2; ++round) {
    do {
      for (const auto state : order) {
        ASSERT_NE(GST_STATE_CHANGE_FAILURE, gst_element_set_state(run.pipeline(), state));
        GstState reached = GST_STATE_NULL;
        ASSERT_NE(GST_STATE_CHANGE_FAILURE,
                  gst_element_get_state(run.pipeline(), &reached, nullptr, 10 * GST_SECOND));
        ASSERT_EQ(state, reached);
      }
    } while (std::next_permutation(order.begin(), order.end()));
  }
}

TEST(States, stopping_while_branches_are_being_built_never_hangs) {
  auto run = player(decode("", ""), both());
  for (int i = 0; i < 40; ++i) {
    gst_element_set_state(run.pipeline(), GST_STATE_PLAYING);
    g_usleep(static_cast<gulong>(i) * 500);
    EXPECT_EQ(GST_STATE_CHANGE_SUCCESS, gst_element_set_state(run.pipeline(), GST_STATE_NULL));
  }
  EXPECT_TRUE(run.play().eos);
}

// decodebin exposes its streams while the thread that starts it is still inside of its typefind.
TEST(States, streams_that_are_known_before_the_start_is_over_do_not_stall_it) {
  auto run = player(decode("", ""), video_only());
  const auto bus = BusRef::adopt(gst_element_get_bus(run.pipeline()));
  gst_bus_set_sync_handler(
      bus.get(),
      [](GstBus*, GstMessage* message, gpointer) {
        GstState now = GST_STATE_NULL;
        if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_STATE_CHANGED ||
            !g_str_has_prefix(GST_MESSAGE_SRC_NAME(message), "typefind"))
          return GST_BUS_PASS;
        gst_message_parse_state_changed(message, nullptr, &now, nullptr);
        if (now == GST_STATE_PAUSED) g_usleep(200'000);
        return GST_BUS_PASS;
      },
      nullptr, nullptr);
  EXPECT_EQ(1u, run.play().errors.size());
  // What never got out of READY would not free its pads on the way back to NULL.
  EXPECT_LE(GST_STATE_PAUSED, GST_STATE(run.child("decode").get()));
}

// What a busy machine does to the thread that starts the bin, at its worst moment.
TEST(States, streams_that_are_known_before_the_start_is_noted_play) {
  static std::atomic<bool> slow;
  GstTracer* tracer =
      GST_TRACER(gst_object_ref_sink(g_object_new(pause_tracer_get_type(), nullptr)));
  gst_tracing_register_hook(tracer, "element-change-state-post",
                            G_CALLBACK(+[](GObject*, GstClockTime, GstElement* element,
                                           GstStateChange change, GstStateChangeReturn) {
                              if (change == GST_STATE_CHANGE_READY_TO_PAUSED && slow &&
                                  g_str_has_prefix(GST_OBJECT_NAME(element), "clipsprobebin"))
                                g_usleep(300'000);
                            }));
  auto run = player(std::string(kHead) +
                        "[Graph]\nsource=urisourcebin name=decode ! parsebin name=parse\n"
                        "[Branch video]\nfrom=parse\ncaps=video/*;image/*\n"
                        "launch=queue ! identity sleep-time=600000 eos-after=3 ! fakesink "
                        "name=shown sync=false\n" +
                        kInput,
                    video_only());
  slow = true;
  EXPECT_TRUE(run.play().eos);
  slow = false;
}

// gst-launch-1.0 ends its loop from the thread that posts the error, and hangs when that was
// before.
TEST(States, an_error_waits_until_the_main_loop_of_the_application_turns) {
  for (const auto& run :
       {load(std::string(kHead) + "[Graph]\nchain=fakesrc ! identity error-after=1 ! fakesink\n"),
        load(decode("", ""))}) {
    if (g_object_class_find_property(G_OBJECT_GET_CLASS(run.get()), "input"))
      set(run.get(), "input", video_only());
    Player player(run);
    struct Loop {
      std::unique_ptr<GMainLoop, void (*)(GMainLoop*)> loop{g_main_loop_new(nullptr, FALSE),
                                                            g_main_loop_unref};
      std::atomic<bool> ended{false};
    } application;
    const auto bus = BusRef::adopt(gst_element_get_bus(player.pipeline()));
    gst_bus_set_sync_handler(
        bus.get(),
        [](GstBus*, GstMessage* message, gpointer data) {
          auto* own = static_cast<Loop*>(data);
          if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_ERROR) return GST_BUS_PASS;
          own->ended = g_main_loop_is_running(own->loop.get());
          g_main_loop_quit(own->loop.get());
          return GST_BUS_PASS;
        },
        &application, nullptr);
    EXPECT_NE(GST_STATE_CHANGE_FAILURE, gst_element_set_state(player.pipeline(), GST_STATE_PAUSED));
    g_usleep(100'000);
    const guint patience = g_timeout_add_seconds(5, G_SOURCE_FUNC(+[](GMainLoop* loop) -> gboolean {
                                                   g_main_loop_quit(loop);
                                                   return G_SOURCE_CONTINUE;
                                                 }),
                                                 application.loop.get());
    g_main_loop_run(application.loop.get());
    EXPECT_TRUE(application.ended);
    g_source_remove(patience);
    gst_bus_set_sync_handler(bus.get(), nullptr, nullptr, nullptr);
  }
}

TEST(States, the_bin_says_what_it_is_before_it_has_children) {
  const auto alone = load(decode("", ""));
  EXPECT_TRUE(GST_OBJECT_FLAG_IS_SET(alone.get(), GST_ELEMENT_FLAG_SINK));
  EXPECT_TRUE(GST_OBJECT_FLAG_IS_SET(alone.get(), GST_ELEMENT_FLAG_SOURCE));
  const auto filter = load(std::string(kHead) +
                           "[Graph]\nchain=identity name=a\n[Pad sink]\nelement=a\n"
                           "[Pad src]\nelement=a\n");
  EXPECT_FALSE(GST_OBJECT_FLAG_IS_SET(filter.get(), GST_ELEMENT_FLAG_SINK));
  EXPECT_FALSE(GST_OBJECT_FLAG_IS_SET(filter.get(), GST_ELEMENT_FLAG_SOURCE));
}

// --- Parameters ---

TEST(Parameters, each_type_reaches_the_property_it_is_bound_to) {
  const auto element = load(with_source(
      parameter("count", "type=int\ndefault=1\nbind=source::num-buffers") +
      parameter("time", "type=time\ndefault=1.5\nbind=queue::max-size-time") +
      parameter("offset", "type=int64\ndefault=-7\nbind=sink::ts-offset") +
      parameter("flag", "type=boolean\ndefault=true\nbind=sink::sync") +
      parameter("size", "type=uint\ndefault=5\nmaximum=10\nbind=queue::max-size-buffers") +
      parameter("leaky",
                "type=choice\nvalues=no;downstream\ndefault=downstream\n"
                "bind=queue::leaky") +
      parameter("caps", "type=caps\ndefault=foo/bar,x=1\nbind=filter::caps")));
  EXPECT_EQ("", set(element.get(), "time", "2.5"));
  EXPECT_EQ("", set(element.get(), "size", "10"));
  gst_element_set_state(element.get(), GST_STATE_READY);
  EXPECT_EQ(1, property<gint>(G_OBJECT(child_of(element, "source").get()), "num-buffers"));
  const auto queue = child_of(element, "queue");
  EXPECT_EQ(2'500'000'000u, property<guint64>(G_OBJECT(queue.get()), "max-size-time"));
  EXPECT_EQ(10u, property<guint>(G_OBJECT(queue.get()), "max-size-buffers"));
  EXPECT_EQ(2, property<gint>(G_OBJECT(queue.get()), "leaky"));
  const auto sink = child_of(element, "sink");
  EXPECT_EQ(-7, property<gint64>(G_OBJECT(sink.get()), "ts-offset"));
  EXPECT_TRUE(property<gboolean>(G_OBJECT(sink.get()), "sync"));
  const auto caps =
      CapsRef::adopt(property<GstCaps*>(G_OBJECT(child_of(element, "filter").get()), "caps"));
  const GString_ text(gst_caps_to_string(caps.get()));
  EXPECT_STREQ("foo/bar, x=(int)1", text.get());
  stop(element);
}

TEST(Parameters, they_are_properties_with_range_default_and_choices) {
  const auto element =
      load(with_source(parameter("size",
                                 "type=uint\nminimum=2\ndefault=5\nmaximum=10\n"
                                 "bind=queue::max-size-buffers") +
                       parameter("rate",
                                 "type=fraction\nminimum=1/2\ndefault=25\nbind=filter::caps\n"
                                 "template=video/x-raw,framerate={}") +
                       parameter("leaky",
                                 "type=choice\nvalues=no;downstream\ndefault=downstream\n"
                                 "bind=queue::leaky")));
  auto* klass = G_OBJECT_GET_CLASS(element.get());
  const auto* size = G_PARAM_SPEC_UINT(g_object_class_find_property(klass, "size"));
  EXPECT_EQ(2u, size->minimum);
  EXPECT_EQ(5u, size->default_value);
  EXPECT_EQ(10u, size->maximum);
  EXPECT_STREQ("A parameter", g_param_spec_get_blurb(g_object_class_find_property(klass, "size")));
  const auto* leaky = G_PARAM_SPEC_ENUM(g_object_class_find_property(klass, "leaky"));
  EXPECT_EQ(2u, leaky->enum_class->n_values);
  EXPECT_STREQ("downstream", leaky->enum_class->values[leaky->default_value].value_nick);
  EXPECT_TRUE(GST_IS_PARAM_SPEC_FRACTION(g_object_class_find_property(klass, "rate")));
}

TEST(Parameters, a_value_out_of_range_is_refused_with_a_sentence) {
  const auto element = load(with_source(parameter("size",
                                                  "type=uint\nminimum=2\ndefault=5\nmaximum=10\n"
                                                  "bind=queue::max-size-buffers")));
  EXPECT_EQ("The value of “size” must be between 2 and 10, not “11”.",
            set(element.get(), "size", "11"));
  EXPECT_EQ(5u, property<guint>(G_OBJECT(element.get()), "size"));
  EXPECT_EQ("probebin has no parameter “sise”. It has size.", set(element.get(), "sise", "3"));
}

TEST(Parameters, a_text_is_a_value_and_never_pipeline_syntax) {
  const std::string evil = "a ! fakesink name=\"b\" ${x} %n\n'";
  const auto element =
      load(std::string(kHead) +
           "[Graph]\nchain=filesrc name=source ! fakesink name=sink\n"
           "[Branch more]\nlaunch=multifilesrc name=many ! fakesink\n" +
           parameter("file", "type=filename\nrequired=true\nbind=source::location") +
           parameter("pattern", "type=string\ndefault=x\nbind=many::location"));
  EXPECT_EQ("", set(element.get(), "file", evil));
  EXPECT_EQ("", set(element.get(), "pattern", evil));
  gst_element_set_state(element.get(), GST_STATE_READY);
  for (const char* name : {"source", "many"}) {
    const GString_ location(property<gchar*>(G_OBJECT(child_of(element, name).get()), "location"));
    EXPECT_EQ(evil, location.get());
  }
  stop(element);
}

TEST(Parameters, a_missing_required_value_is_an_error_before_anything_starts) {
  const auto element = load(decode("", ""));
  GError* error = nullptr;
  EXPECT_FALSE(gst_clips_check_required(element.get(), &error));
  EXPECT_TRUE(g_error_matches(error, GST_CLIPS_ERROR, GST_CLIPS_ERROR_MISSING_VALUE));
  EXPECT_STREQ("No value is given for “input”.", error->message);
  g_clear_error(&error);
  Player run(element);
  const auto result = run.play();
  EXPECT_EQ(GST_RESOURCE_ERROR, result.error().domain);
  EXPECT_EQ(GST_RESOURCE_ERROR_SETTINGS, result.error().code);
  EXPECT_EQ("No value is set for “input”. probebin cannot run without it.", result.error().text);
}

TEST(Parameters, a_wrong_location_set_as_property_is_an_error_at_the_start) {
  const auto element = load(decode("", ""));
  g_object_set(element.get(), "input", "s3://", nullptr);
  Player run(element);
  EXPECT_EQ("The value of “input” must be a complete URI or a path, not “s3://”.",
            run.play().error().text);
}

TEST(Parameters, unset_leaves_the_element_alone) {
  const auto text =
      with_source(parameter("size", "type=uint\ndefault=0\nunset=0\nbind=queue::max-size-buffers") +
                  parameter("rate",
                            "type=fraction\ndefault=0/1\nunset=0/1\nbind=filter::caps\n"
                            "template=video/x-raw,framerate={}"));
  const auto element = started(text);
  EXPECT_EQ(200u, property<guint>(G_OBJECT(child_of(element, "queue").get()), "max-size-buffers"));
  stop(element);
  set(element.get(), "rate", "30000/1001");
  gst_element_set_state(element.get(), GST_STATE_READY);
  const auto caps =
      CapsRef::adopt(property<GstCaps*>(G_OBJECT(child_of(element, "filter").get()), "caps"));
  const GString_ string(gst_caps_to_string(caps.get()));
  EXPECT_STREQ("video/x-raw, framerate=(fraction)30000/1001", string.get());
  stop(element);
}

TEST(Parameters, a_template_is_for_properties_of_another_type) {
  const auto element =
      load(std::string(kHead) +
           "[Graph]\nchain=videotestsrc num-buffers=5 ! constantrate name=rate ! capsfilter "
           "name=filter ! fakesink name=sink\n" +
           parameter("rate",
                     "type=fraction\ndefault=30/1\ntemplate=video/x-raw,framerate={}\n"
                     "bind=rate::framerate,filter::caps"));
  Player run(element);
  EXPECT_EQ("", set(element.get(), "rate", "24000/1001"));
  EXPECT_TRUE(run.play().eos);
  EXPECT_TRUE(contains(run.last_caps("sink"), "framerate=(fraction)24000/1001"));
}

TEST(Parameters, elements_that_a_value_brings_are_only_there_with_it) {
  const auto text =
      std::string(kHead) +
      "[Graph]\nchain=videotestsrc num-buffers=5 ! ${rate} ${mirror} fakesink name=sink\n" +
      parameter("rate",
                "type=fraction\ndefault=0/1\nunset=0/1\nbind=rate::caps\n"
                "template=video/x-raw,framerate={}\nlaunch=videorate ! capsfilter name=rate !") +
      parameter("mirror", "type=boolean\ndefault=false\nlaunch=videoflip name=flip !");
  const auto element = load(text);
  Player run(element);
  EXPECT_TRUE(run.play().eos);
  EXPECT_EQ("not built", run.last_caps("rate"));
  EXPECT_FALSE(run.child("flip"));
  run.stop();
  EXPECT_EQ("", set(element.get(), "rate", "7/2"));
  EXPECT_EQ("", set(element.get(), "mirror", "true"));
  EXPECT_TRUE(run.play().eos);
  EXPECT_TRUE(contains(run.last_caps("sink"), "framerate=(fraction)7/2"));
  EXPECT_TRUE(run.child("flip"));
  EXPECT_EQ("right", check_error(text));
}

TEST(Parameters, one_can_be_bound_to_several_elements) {
  const auto element = started(with_source(
      parameter("flag", "type=boolean\ndefault=true\nbind=queue::flush-on-eos,sink::sync")));
  EXPECT_TRUE(property<gboolean>(G_OBJECT(child_of(element, "queue").get()), "flush-on-eos"));
  EXPECT_TRUE(property<gboolean>(G_OBJECT(child_of(element, "sink").get()), "sync"));
  stop(element);
}

TEST(Parameters, a_value_that_the_element_does_not_take_is_an_error) {
  const auto element =
      load(with_source(parameter("count", "type=int\ndefault=-5\nbind=source::num-buffers")));
  Player run(element);
  const auto result = run.play();
  EXPECT_TRUE(contains(result.error().text, "“count” has the value “-5”")) << result.error().text;
}

// --- Choices ---

namespace {
std::string with_choice(const std::string& keys, const std::string& more = "") {
  return std::string(kHead) +
         "[Graph]\nchain=fakesrc num-buffers=2 ! ${way} ! fakesink name=sink\n"
         "[Choice way]\ndescription=Which way\n" +
         keys + more;
}
constexpr const char* kWays =
    "plain=queue name=a\nother=identity name=b\nabsent=thiselementisnowhere name=c\n";
}  // namespace

TEST(Choices, the_chosen_alternative_is_built) {
  const auto text = with_choice("default=plain\n" + std::string(kWays));
  auto element = started(text);
  EXPECT_TRUE(child_of(element, "a"));
  EXPECT_FALSE(child_of(element, "b"));
  stop(element);
  EXPECT_EQ("", set(element.get(), "way", "other"));
  gst_element_set_state(element.get(), GST_STATE_READY);
  EXPECT_FALSE(child_of(element, "a"));
  EXPECT_TRUE(child_of(element, "b"));
  stop(element);
  EXPECT_EQ("The value of “way” must be one of plain, other, absent, not “third”.",
            set(element.get(), "way", "third"));
}

TEST(Choices, auto_takes_the_first_that_is_installed) {
  const auto element =
      started(with_choice("absent=thiselementisnowhere name=c\nother=identity name=b\n"));
  EXPECT_TRUE(child_of(element, "b"));
  stop(element);
}

TEST(Choices, an_alternative_that_is_not_installed_is_shown_and_refused_with_a_message) {
  const auto element = load(with_choice("default=plain\n" + std::string(kWays)));
  const auto* values =
      G_PARAM_SPEC_ENUM(g_object_class_find_property(G_OBJECT_GET_CLASS(element.get()), "way"))
          ->enum_class->values;
  EXPECT_STREQ("queue name=a", values[0].value_name);
  EXPECT_STREQ("unavailable, as thiselementisnowhere is not installed: thiselementisnowhere name=c",
               values[2].value_name);
  EXPECT_EQ("", set(element.get(), "way", "absent"));
  Player run(element);
  const auto result = run.play();
  EXPECT_EQ(std::vector<std::string>{"thiselementisnowhere"}, result.missing);
  EXPECT_EQ(GST_CORE_ERROR, result.error().domain);
  EXPECT_EQ(GST_CORE_ERROR_MISSING_PLUGIN, result.error().code);
  EXPECT_TRUE(contains(result.error().text, "“way”")) << result.error().text;
}

TEST(Choices, a_bind_reaches_into_the_alternative_that_is_built) {
  const auto text =
      with_choice("default=plain\n" + std::string(kWays),
                  parameter("n", "type=int\ndefault=7\nbind=a::max-size-buffers; b::datarate"));
  const auto element = started(text);
  EXPECT_EQ(7u, property<guint>(G_OBJECT(child_of(element, "a").get()), "max-size-buffers"));
  stop(element);
  set(element.get(), "way", "other");
  gst_element_set_state(element.get(), GST_STATE_READY);
  EXPECT_EQ(7, property<gint>(G_OBJECT(child_of(element, "b").get()), "datarate"));
  stop(element);
}

TEST(Choices, a_choice_switches_branches) {
  const auto text = with_choice(
      "default=plain\n" + std::string(kWays),
      "[Branch more]\nif=way=other\nlaunch=fakesrc num-buffers=1 ! fakesink name=more\n");
  const auto element = started(text);
  EXPECT_FALSE(child_of(element, "more"));
  stop(element);
  set(element.get(), "way", "other");
  gst_element_set_state(element.get(), GST_STATE_READY);
  EXPECT_TRUE(child_of(element, "more"));
  stop(element);
}

// --- Filters ---

TEST(Filters, a_definition_with_pads_is_a_filter_in_somebody_elses_pipeline) {
  const auto element = load(std::string(kHead) +
                            "[Graph]\nchain=queue name=begin ! capsfilter name=end "
                            "caps=video/x-raw,width=32\n"
                            "[Pad sink]\nelement=begin\ncaps=video/x-raw\n"
                            "[Pad src]\nelement=end.src\n");
  const auto pipeline = ElementRef::sink(gst_pipeline_new(nullptr));
  GstElement* source = gst_element_factory_make("videotestsrc", nullptr);
  GstElement* sink = gst_element_factory_make("fakesink", nullptr);
  g_object_set(source, "num-buffers", 5, nullptr);
  gst_bin_add_many(GST_BIN(pipeline.get()), source, element.get(), sink, nullptr);
  ASSERT_TRUE(gst_element_link_many(source, element.get(), sink, nullptr));
  for (int i = 0; i < 3; ++i) {
    gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
    const auto bus = BusRef::adopt(gst_element_get_bus(pipeline.get()));
    const auto message = MessageRef::adopt(gst_bus_timed_pop_filtered(
        bus.get(), 20 * GST_SECOND,
        static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
    ASSERT_TRUE(message);
    EXPECT_EQ(GST_MESSAGE_EOS, GST_MESSAGE_TYPE(message.get()));
    const auto pad = PadRef::adopt(gst_element_get_static_pad(sink, "sink"));
    const auto caps = CapsRef::adopt(gst_pad_get_current_caps(pad.get()));
    gint width = 0;
    gst_structure_get_int(gst_caps_get_structure(caps.get(), 0), "width", &width);
    EXPECT_EQ(32, width);
    gst_element_set_state(pipeline.get(), i == 1 ? GST_STATE_READY : GST_STATE_NULL);
  }
}

TEST(Filters, the_pad_templates_have_the_caps_of_the_definition) {
  const auto element = load(std::string(kHead) +
                            "[Graph]\nchain=identity name=a\n"
                            "[Pad sink]\nelement=a\ncaps=video/x-raw\n[Pad src]\nelement=a\n");
  auto* templ = gst_element_get_pad_template(element.get(), "sink");
  ASSERT_NE(nullptr, templ);
  const auto caps = CapsRef::adopt(gst_pad_template_get_caps(templ));
  const GString_ text(gst_caps_to_string(caps.get()));
  EXPECT_STREQ("video/x-raw", text.get());
}

// --- Faults of a definition that only GStreamer can tell ---

TEST(Faults, caps_are_read_when_the_file_is_loaded) {
  const auto path = workplace().path("x.pipeline");
  EXPECT_EQ(path + ":9: [Branch v] caps: is no caps: “nonsense caps”",
            load_error(std::string(kHead) +
                       "[Branch v]\nfrom=a\ncaps=nonsense caps\nlaunch=fakesink\n[Graph]\n"
                       "a=decodebin name=a\n"));
  EXPECT_EQ(path + ":11: [Pad sink] caps: is no caps: “,”",
            load_error(std::string(kHead) +
                       "[Graph]\na=identity name=a\n[Pad sink]\nelement=a\ncaps=,\n"));
  EXPECT_TRUE(
      contains(load_error(with_source(parameter("c", "type=caps\ndefault=,,\nbind=filter::caps"))),
               "[Parameter c] default: is no caps"));
}

TEST(Faults, a_file_that_cannot_be_read_says_why) {
  GError* error = nullptr;
  EXPECT_EQ(nullptr, gst_clips_load("/nowhere/x.pipeline", nullptr, &error));
  EXPECT_TRUE(g_error_matches(error, GST_CLIPS_ERROR, GST_CLIPS_ERROR_NOT_FOUND));
  EXPECT_TRUE(contains(error->message, "/nowhere/x.pipeline"));
  g_clear_error(&error);
  EXPECT_EQ(nullptr, gst_clips_load("/", nullptr, &error));
  EXPECT_TRUE(g_error_matches(error, GST_CLIPS_ERROR, GST_CLIPS_ERROR_READ)) << error->message;
  g_clear_error(&error);
}

TEST(Faults, check_tries_the_graph_every_branch_alternative_and_bind) {
  EXPECT_EQ("right", check_error(decode("", "")));
  EXPECT_TRUE(contains(check_error(std::string(kHead) + "[Graph]\na=fakesrc ! ! fakesink\n"),
                       "checked.pipeline:8: [Graph]: is no right pipeline"));
  EXPECT_TRUE(contains(check_error(std::string(kHead) + "[Graph]\na=fakesrc nonsense=1\n"),
                       "no property \"nonsense\""));
  EXPECT_TRUE(contains(check_error(decode("to=video", "")), "[Branch video]"));
  EXPECT_TRUE(contains(
      check_error(with_source(parameter("input", "type=uri\nrequired=true\nbind=source::nothing"))),
      "[Parameter input] bind: names no property"));
  EXPECT_TRUE(
      contains(check_error(with_source(parameter(
                   "count", "type=int\ndefault=1\nbind=source::num-buffers,source::nothing"))),
               "[Parameter count] bind: names “source::nothing”"));
  // A branch that the defaults leave out.
  const auto conditional = [](const char* parameters, const char* condition) {
    return std::string(kHead) +
           "[Graph]\na=fakesrc num-buffers=1 ! tee name=t ! fakesink\n[Branch extra]\nfrom=t\nif=" +
           condition + "\nlaunch=queue name=extra ! fakesink\n" + parameters +
           parameter("size", "type=uint\ndefault=1\nbind=extra::nothing");
  };
  EXPECT_TRUE(contains(check_error(conditional("[Parameter more]\ntype=boolean\ndefault=false\n"
                                               "description=More\n",
                                               "more")),
                       "[Parameter size] bind: names no property"));
  EXPECT_TRUE(contains(check_error(conditional("[Parameter kind]\ntype=choice\nvalues=a;b\n"
                                               "default=a\ndescription=Kind\n",
                                               "kind=b")),
                       "[Parameter size] bind: names no property"));
  EXPECT_TRUE(contains(check_error(with_choice("default=a\na=queue\nb=queue nonsense=1\n")),
                       "no property \"nonsense\""));
  EXPECT_TRUE(contains(check_error(with_choice("default=a\na=nosuchelement\n")),
                       "needs the element nosuchelement"));
  // What is not installed cannot be tried, and is not the file's fault unless it is the default.
  EXPECT_EQ("right", check_error(with_choice("default=plain\n" + std::string(kWays))));
  EXPECT_TRUE(contains(
      check_error(std::string(kHead) +
                  "[Graph]\ns=uridecodebin name=d\nm=mp4mux name=mux ! fakesink\n"
                  "[Branch v]\nfrom=d\nlaunch=x264enc\nto=mux\nto-properties=nonsense=1\n"),
      "[Branch v] to-properties: names “nonsense”"));
}

TEST(Faults, two_files_of_one_name_can_be_loaded_and_an_unchanged_one_keeps_its_type) {
  const auto one = workplace().write("one.pipeline", with_source(""));
  const auto two = workplace().write("two.pipeline", with_source("# another\n"));
  const auto a = ElementRef::sink(gst_clips_load(one.c_str(), "a", nullptr));
  const auto b = ElementRef::sink(gst_clips_load(two.c_str(), "b", nullptr));
  const auto c = ElementRef::sink(gst_clips_load(one.c_str(), nullptr, nullptr));
  EXPECT_STREQ("a", GST_ELEMENT_NAME(a.get()));
  EXPECT_NE(G_OBJECT_TYPE(a.get()), G_OBJECT_TYPE(b.get()));
  EXPECT_EQ(G_OBJECT_TYPE(a.get()), G_OBJECT_TYPE(c.get()));
}

// --- Streams that show up late ---

// A source with a picture stream, whose second stream begins in the middle of the first.
struct LateSource {
  GstBin parent;
};
struct LateSourceClass {
  GstBinClass parent;
};
const char* late_factory = "audiotestsrc";

GstStaticPadTemplate late_template =
    GST_STATIC_PAD_TEMPLATE("src_%u", GST_PAD_SRC, GST_PAD_SOMETIMES, GST_STATIC_CAPS_ANY);

G_DEFINE_TYPE(LateSource, late_source, GST_TYPE_BIN)

GstPad* add_stream(GstElement* self, const char* factory, const char* pad_name, bool silent) {
  GstElement* child = gst_element_factory_make(factory, nullptr);
  g_object_set(child, "num-buffers", 20, nullptr);
  gst_bin_add(GST_BIN(self), child);
  const auto inner = PadRef::adopt(gst_element_get_static_pad(child, "src"));
  // As decodebin does, it goes on without the streams that nobody takes.
  if (silent)
    gst_pad_add_probe(
        inner.get(), GST_PAD_PROBE_TYPE_BUFFER,
        [](GstPad*, GstPadProbeInfo*, gpointer) { return GST_PAD_PROBE_DROP; }, nullptr, nullptr);
  GstPad* pad = gst_ghost_pad_new(pad_name, inner.get());
  gst_pad_set_active(pad, TRUE);
  gst_element_add_pad(self, pad);
  gst_element_sync_state_with_parent(child);
  return inner.get();
}

GstStateChangeReturn change_late_state(GstElement* self, GstStateChange transition) {
  const auto changed = GST_ELEMENT_CLASS(late_source_parent_class)->change_state(self, transition);
  if (transition != GST_STATE_CHANGE_READY_TO_PAUSED) return changed;
  GstPad* inner = add_stream(self, "videotestsrc", "src_0", false);
  gst_pad_add_probe(
      inner, GST_PAD_PROBE_TYPE_BUFFER,
      [](GstPad*, GstPadProbeInfo* info, gpointer data) {
        if (GST_BUFFER_OFFSET(GST_PAD_PROBE_INFO_BUFFER(info)) != 5) return GST_PAD_PROBE_OK;
        add_stream(GST_ELEMENT(data), late_factory, "src_1", true);
        return GST_PAD_PROBE_REMOVE;
      },
      self, nullptr);
  gst_element_no_more_pads(self);
  return changed;
}

void late_source_class_init(LateSourceClass* klass) {
  auto* element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = change_late_state;
  gst_element_class_add_static_pad_template(element_class, &late_template);
  gst_element_class_set_static_metadata(element_class, "Late", "Source", "Late", "Test");
}

void late_source_init(LateSource*) {}

Result play_late(const char* factory) {
  gst_element_register(nullptr, "testlatesource", GST_RANK_NONE, late_source_get_type());
  late_factory = factory;
  Player player(load(std::string(kHead) +
                     "[Graph]\nsource=testlatesource name=source\n"
                     "[Branch video]\nfrom=source\ncaps=video/*\nlaunch=queue ! fakesink\n"
                     "[Branch audio]\nfrom=source\ncaps=audio/*\noptional=true\n"
                     "launch=queue ! fakesink\n"));
  return player.play();
}

// An element that takes its time to start.
struct SlowStart {
  GstBin parent;
};
struct SlowStartClass {
  GstBinClass parent;
};
G_DEFINE_TYPE(SlowStart, slow_start, GST_TYPE_BIN)

void slow_start_class_init(SlowStartClass* klass) {
  auto* element_class = GST_ELEMENT_CLASS(klass);
  element_class->change_state = [](GstElement* self, GstStateChange transition) {
    if (transition == GST_STATE_CHANGE_NULL_TO_READY) g_usleep(G_USEC_PER_SEC / 5);
    return GST_ELEMENT_CLASS(slow_start_parent_class)->change_state(self, transition);
  };
  gst_element_class_set_static_metadata(element_class, "Slow", "Filter", "Slow", "Test");
}

void slow_start_init(SlowStart* self) {
  GstElement* child = gst_element_factory_make("identity", nullptr);
  gst_bin_add(GST_BIN(self), child);
  for (const char* name : {"sink", "src"}) {
    const auto inner = PadRef::adopt(gst_element_get_static_pad(child, name));
    gst_element_add_pad(GST_ELEMENT(self), gst_ghost_pad_new(name, inner.get()));
  }
}

TEST(Streams, data_that_comes_while_the_branches_start_is_not_lost) {
  gst_element_register(nullptr, "testlatesource", GST_RANK_NONE, late_source_get_type());
  gst_element_register(nullptr, "testslowstart", GST_RANK_NONE, slow_start_get_type());
  late_factory = "videotestsrc";
  Player player(load(std::string(kHead) + "[Graph]\nsource=testlatesource name=source\n"
                                          "[Branch video]\nfrom=source\ncaps=video/*\n"
                                          "launch=testslowstart ! queue ! fakesink\n"));
  const auto result = player.play();
  EXPECT_TRUE(result.errors.empty()) << result.errors.front().text;
  EXPECT_TRUE(result.eos);
}

TEST(LateStreams, one_that_would_have_been_used_is_an_error) {
  const auto result = play_late("audiotestsrc");
  // What flows already may still come to its end; sinks publish nothing after an error.
  ASSERT_EQ(1u, result.errors.size());
  EXPECT_EQ(GST_STREAM_ERROR, result.errors.front().domain);
  EXPECT_TRUE(contains(result.errors.front().text, "Another audio stream begins within"))
      << result.errors.front().text;
}

TEST(LateStreams, a_further_one_is_left_alone) {
  const auto result = play_late("videotestsrc");
  EXPECT_TRUE(result.errors.empty()) << result.errors.front().text;
  EXPECT_TRUE(result.eos);
}

// --- The library's lists ---

TEST(Library, a_definition_describes_its_parameters) {
  GError* error = nullptr;
  g_autoptr(GstClipsDefinition) definition = gst_clips_load_definition(
      workplace()
          .write("described.pipeline",
                 with_choice("default=plain\n" + std::string(kWays),
                             parameter("n",
                                       "type=int\nminimum=1\nmaximum=9\ndefault=7\n"
                                       "bind=a::max-size-buffers; b::datarate")))
          .c_str(),
      &error);
  ASSERT_NE(nullptr, definition) << error->message;
  EXPECT_STREQ("probe", gst_clips_definition_get_name(definition));
  EXPECT_STREQ("probebin", gst_clips_definition_get_element_name(definition));
  EXPECT_STREQ("Probe", gst_clips_definition_get_long_name(definition));
  EXPECT_STREQ("Bin/Test", gst_clips_definition_get_klass(definition));
  EXPECT_FALSE(gst_clips_definition_has_pad(definition, GST_PAD_SINK));
  EXPECT_EQ(nullptr, gst_clips_definition_get_missing(definition));
  ASSERT_EQ(2u, gst_clips_definition_get_n_parameters(definition));
  const auto* n = gst_clips_definition_find_parameter(definition, "n");
  ASSERT_NE(nullptr, n);
  EXPECT_EQ(GST_CLIPS_PARAMETER_INT, gst_clips_parameter_get_parameter_type(n));
  EXPECT_STREQ("int", gst_clips_parameter_get_type_name(n));
  EXPECT_STREQ("7", gst_clips_parameter_get_default(n));
  EXPECT_STREQ("1", gst_clips_parameter_get_minimum(n));
  EXPECT_STREQ("9", gst_clips_parameter_get_maximum(n));
  EXPECT_FALSE(gst_clips_parameter_is_required(n));
  EXPECT_EQ(nullptr, gst_clips_parameter_get_choices(n));
  EXPECT_TRUE(gst_clips_parameter_check(n, "9", nullptr));
  EXPECT_FALSE(gst_clips_parameter_check(n, "10", nullptr));

  const auto* way = gst_clips_definition_get_parameter(definition, 0);
  EXPECT_STREQ("way", gst_clips_parameter_get_name(way));
  const auto* choices = gst_clips_parameter_get_choices(way);
  EXPECT_STREQ("plain", choices[0]);
  EXPECT_STREQ("absent", choices[2]);
  EXPECT_EQ(nullptr, choices[3]);
  EXPECT_STREQ("queue name=a", gst_clips_parameter_get_choice_description(way, "plain"));
  EXPECT_EQ(nullptr, gst_clips_parameter_get_choice_missing(way, "plain"));
  const GStrv_ missing(gst_clips_parameter_get_choice_missing(way, "absent"));
  ASSERT_TRUE(missing);
  EXPECT_STREQ("thiselementisnowhere", missing.get()[0]);
}

TEST(Library, a_definition_that_cannot_work_here_says_what_is_missing) {
  g_autoptr(GstClipsDefinition) definition = gst_clips_load_definition(
      workplace()
          .write("needs.pipeline",
                 std::string(kHead) + "[Graph]\na=fakesrc ! nosuchelement ! fakesink\n")
          .c_str(),
      nullptr);
  const GStrv_ missing(gst_clips_definition_get_missing(definition));
  ASSERT_TRUE(missing);
  EXPECT_STREQ("nosuchelement", missing.get()[0]);
}

TEST(Library, the_search_path_has_the_first_of_each_name_and_every_fault) {
  const auto first = workplace().path("path1");
  const auto second = workplace().path("path2");
  fs::create_directories(first);
  fs::create_directories(second);
  const auto named = [](const std::string& name, const std::string& more) {
    std::string text = with_source(more);
    return text.replace(text.find("name=probe"), 10, "name=" + name);
  };
  workplace().write("path1/zebra.pipeline", named("zebra", ""));
  workplace().write("path1/wrong.pipeline", named("wrong", "[Nonsense]\n"));
  workplace().write("path1/twin.pipeline", named("zebra", ""));
  workplace().write("path2/zebra.pipeline", named("zebra", "# hidden\n"));
  workplace().write("path2/ant.pipeline", named("ant", ""));
  workplace().write("path2/ant.pipeline.bak", "nothing");
  const std::string before = g_getenv("GST_CLIPS_PIPELINE_PATH");
  g_setenv("GST_CLIPS_PIPELINE_PATH", (first + ":" + second + ":/nowhere").c_str(), TRUE);

  GPtrArray* errors = nullptr;
  GPtrArray* definitions = gst_clips_list_definitions(&errors);
  std::vector<std::string> files;
  for (guint i = 0; i < definitions->len; ++i) {
    const std::string file = gst_clips_definition_get_filename(
        static_cast<GstClipsDefinition*>(g_ptr_array_index(definitions, i)));
    // The installed folder, if there is one, comes after these.
    if (file.starts_with(first) || file.starts_with(second)) files.push_back(file);
  }
  EXPECT_EQ((std::vector<std::string>{second + "/ant.pipeline", first + "/twin.pipeline"}), files);
  ASSERT_EQ(2u, errors->len);
  EXPECT_TRUE(contains(static_cast<GError*>(g_ptr_array_index(errors, 0))->message,
                       "[Nonsense]: is an unknown group"));
  EXPECT_TRUE(contains(static_cast<GError*>(g_ptr_array_index(errors, 1))->message,
                       "[Pipeline] name: is also that of " + first + "/twin.pipeline"));
  g_ptr_array_unref(definitions);
  g_ptr_array_unref(errors);

  GError* error = nullptr;
  g_autoptr(GstClipsDefinition) ant = gst_clips_find_definition("antbin", &error);
  EXPECT_NE(nullptr, ant);
  EXPECT_EQ(nullptr, gst_clips_find_definition("wrong", &error));
  EXPECT_TRUE(g_error_matches(error, GST_CLIPS_ERROR, GST_CLIPS_ERROR_DEFINITION));
  g_clear_error(&error);
  EXPECT_EQ(nullptr, gst_clips_find_definition("nobody", &error));
  EXPECT_TRUE(g_error_matches(error, GST_CLIPS_ERROR, GST_CLIPS_ERROR_NOT_FOUND));
  EXPECT_STREQ("There is no pipeline definition “nobody”.", error->message);
  g_clear_error(&error);
  g_setenv("GST_CLIPS_PIPELINE_PATH", before.c_str(), TRUE);
}

TEST(Library, an_element_knows_its_definition) {
  const auto element = load(with_source(""));
  g_autoptr(GstClipsDefinition) definition = gst_clips_element_get_definition(element.get());
  ASSERT_NE(nullptr, definition);
  EXPECT_STREQ("probe", gst_clips_definition_get_name(definition));
  const auto other = ElementRef::sink(gst_element_factory_make("identity", nullptr));
  EXPECT_EQ(nullptr, gst_clips_element_get_definition(other.get()));
  EXPECT_EQ("The element was made of no pipeline definition.", set(other.get(), "silent", "true"));
}

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  gst_init(&argc, &argv);
  return RUN_ALL_TESTS();
}
