// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ingest.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "config.h"
#include "exit_code.hpp"
#include "ingest_report.hpp"
#include "interrupts.hpp"
#include "lib/cutlist.hpp"
#include "lib/value.hpp"
#include "pipeline_run.hpp"
#include "process.hpp"
#include "publish_text.hpp"
#include "remove_outputs.hpp"
#include "reporter.hpp"
#include "text.hpp"

namespace clips::tool {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kManifest = "ingest.json";
constexpr const char* kReport = "report.html";
constexpr const char* kFormat = "clips-ingest/1";
constexpr const char* kStaging = ".clips-ingest-";
// Of more clips than this the page shows one picture each: it has to stay a page.
constexpr std::size_t kManyClips = 150;
// How long outputs may take to be removed: after an interrupt two seconds are promised for all.
constexpr std::chrono::milliseconds kRemovalTime{30'000};
constexpr std::chrono::milliseconds kRemovalTimeInterrupted{1200};

struct Output {
  std::string path;  // relative to the folder or prefix
  std::string kind;
  std::uint64_t bytes = 0;
  std::string digest;       // "sha256:..." of a file, "etag:..." of an object
  std::uint64_t index = 0;  // among the outputs of one sink
};

std::string sha256(std::string_view text) {
  const GString_ hex(g_compute_checksum_for_data(
      G_CHECKSUM_SHA256, reinterpret_cast<const guchar*>(text.data()), text.size()));
  return std::string("sha256:") + hex.get();
}

std::optional<std::string> read_file(const std::string& path) {
  gchar* text = nullptr;
  gsize size = 0;
  if (!g_file_get_contents(path.c_str(), &text, &size, nullptr)) return std::nullopt;
  const GString_ owner(text);
  return std::string(text, size);
}

std::optional<std::string> file_digest(const std::string& path) {
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) return std::nullopt;
  std::unique_ptr<GChecksum, void (*)(GChecksum*)> sum(g_checksum_new(G_CHECKSUM_SHA256),
                                                       g_checksum_free);
  std::vector<guchar> block(1 << 20);
  while (const std::size_t count = std::fread(block.data(), 1, block.size(), file.get()))
    g_checksum_update(sum.get(), block.data(), static_cast<gssize>(count));
  if (std::ferror(file.get())) return std::nullopt;
  return std::string("sha256:") + g_checksum_get_string(sum.get());
}

// The bytes of any URI that GStreamer reads, up to a limit; nothing when there are none.
std::optional<std::string> read_uri(const std::string& uri, std::size_t limit) {
  const auto pipeline = ElementRef::sink(gst_pipeline_new(nullptr));
  GstElement* source = gst_element_make_from_uri(GST_URI_SRC, uri.c_str(), nullptr, nullptr);
  GstElement* sink = gst_element_factory_make("fakesink", nullptr);
  if (source) gst_bin_add(GST_BIN(pipeline.get()), source);
  if (sink) gst_bin_add(GST_BIN(pipeline.get()), sink);
  if (!source || !sink || !gst_element_link(source, sink)) return std::nullopt;
  struct Collected {
    std::string text;
    std::size_t limit;
  } collected{{}, limit};
  g_object_set(sink, "signal-handoffs", TRUE, "sync", FALSE, nullptr);
  g_signal_connect(sink, "handoff",
                   G_CALLBACK(+[](GstElement*, GstBuffer* buffer, GstPad*, gpointer data) {
                     auto* all = static_cast<Collected*>(data);
                     const BufferMap map(buffer, GST_MAP_READ);
                     if (map && all->text.size() <= all->limit)
                       all->text.append(reinterpret_cast<const char*>(map.data()), map.size());
                   }),
                   &collected);
  gst_element_set_state(pipeline.get(), GST_STATE_PLAYING);
  const auto bus = BusRef::adopt(gst_element_get_bus(pipeline.get()));
  const auto message = MessageRef::adopt(
      gst_bus_timed_pop_filtered(bus.get(), 30 * GST_SECOND,
                                 static_cast<GstMessageType>(GST_MESSAGE_EOS | GST_MESSAGE_ERROR)));
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  if (!message || GST_MESSAGE_TYPE(message.get()) != GST_MESSAGE_EOS ||
      collected.text.size() > limit)
    return std::nullopt;
  return std::move(collected.text);
}

// The size of what a URI names, without reading it.
std::optional<std::uint64_t> uri_size(const std::string& uri) {
  const auto pipeline = ElementRef::sink(gst_pipeline_new(nullptr));
  GstElement* source = gst_element_make_from_uri(GST_URI_SRC, uri.c_str(), nullptr, nullptr);
  GstElement* sink = gst_element_factory_make("fakesink", nullptr);
  if (source) gst_bin_add(GST_BIN(pipeline.get()), source);
  if (sink) gst_bin_add(GST_BIN(pipeline.get()), sink);
  if (!source || !sink || !gst_element_link(source, sink)) return std::nullopt;
  std::optional<std::uint64_t> size;
  if (gst_element_set_state(pipeline.get(), GST_STATE_PAUSED) != GST_STATE_CHANGE_FAILURE &&
      gst_element_get_state(pipeline.get(), nullptr, nullptr, 30 * GST_SECOND) ==
          GST_STATE_CHANGE_SUCCESS) {
    gint64 bytes = -1;
    if (gst_element_query_duration(source, GST_FORMAT_BYTES, &bytes) && bytes >= 0)
      size = static_cast<std::uint64_t>(bytes);
  }
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  return size;
}

Problem problem_with(ExitCode exit, const char* domain, const char* code, std::string message) {
  Problem problem;
  problem.domain = domain;
  problem.code = code;
  problem.message = one_line(message);
  problem.exit = exit;
  return problem;
}

// Where the outputs go: files are made in a hidden folder inside and moved when all are whole;
// objects appear one by one.
class Place {
 public:
  static tl::expected<Place, Problem> open(const std::string& output) {
    Place place;
    // The stills' names are a template, in which braces mean something.
    if (output.find_first_of("{}") != std::string::npos)
      return tl::make_unexpected(usage_problem("\"" + one_line(redact(output)) +
                                               "\": the place of an ingest has no { or } in it."));
    if (output.find("://") == std::string::npos || output.starts_with("file://")) {
      auto path = to_path(output);
      if (!path)
        return tl::make_unexpected(
            usage_problem("\"" + one_line(output) + "\" " + path.error() + "."));
      place.folder_ = *path;
    } else if (output.starts_with("s3://")) {
      place.prefix_ = output + (output.ends_with('/') ? "" : "/");
    } else {
      return tl::make_unexpected(usage_problem("The outputs go to a folder or to s3://, not to \"" +
                                               one_line(redact(output)) + "\"."));
    }
    return place;
  }
  Place(Place&& other) noexcept
      : folder_(std::move(other.folder_)),
        prefix_(std::move(other.prefix_)),
        staging_(std::exchange(other.staging_, {})),
        lock_(std::exchange(other.lock_, -1)),
        made_(std::exchange(other.made_, {})) {}
  Place& operator=(Place&&) = delete;
  ~Place() {
    std::error_code ignored;
    if (!staging_.empty()) fs::remove_all(staging_, ignored);
    if (lock_ >= 0) close(lock_);
    for (const fs::path& made : made_) fs::remove(made, ignored);
  }

  bool local() const { return prefix_.empty(); }
  // The finished output as a URI.
  std::string uri(const std::string& path) const {
    if (!local()) return prefix_ + path;
    const auto uri = to_uri((folder_ / path).string());
    return uri ? *uri : std::string();
  }
  std::string file(const std::string& path) const { return (folder_ / path).string(); }
  // Where it is written, as a path or URI.
  std::string target(const std::string& path) const {
    return local() ? (staging_ / path).string() : prefix_ + path;
  }

  bool has(const std::string& path) const {
    if (!local()) return uri_size(uri(path)).has_value();
    std::error_code error;
    return fs::exists(folder_ / path, error);
  }

  // Removes finished outputs that there are.
  tl::expected<void, Problem> remove(const std::vector<std::string>& paths) const {
    std::vector<std::string> uris;
    for (const std::string& path : paths) uris.push_back(uri(path));
    if (remove_outputs(uris, kRemovalTime)) return {};
    return tl::make_unexpected(problem_with(
        ExitCode::not_published, "resource", "delete",
        "Could not remove what an older ingest has left: " +
            (paths.size() == 1 ? uris.front() : std::to_string(uris.size()) + " outputs") +
            ". Remove it, or take another place for the outputs."));
  }

  // Folders that no output fills are gone again when the run fails.
  tl::expected<void, Problem> begin(const std::vector<std::string>& folders) {
    if (!local()) return {};
    std::error_code error;
    make_folders(folder_, error);
    if (error) return cannot("make the folder", folder_, error);
    // What a killed run has left, but not what another one is at work in.
    for (const auto& entry : fs::directory_iterator(folder_, error)) {
      if (!entry.path().filename().string().starts_with(kStaging)) continue;
      const int other = lock(entry.path());
      if (other == -1 && errno == EWOULDBLOCK)
        return tl::make_unexpected(
            problem_with(ExitCode::not_published, "resource", "busy",
                         "Another ingest is at work in " + folder_.string() + "."));
      std::error_code ignored;
      fs::remove_all(entry.path(), ignored);
      if (other >= 0) close(other);
    }
    std::string name = (folder_ / (std::string(kStaging) + "XXXXXX")).string();
    if (!g_mkdtemp(name.data()))
      return cannot("write in", folder_, std::error_code(errno, std::generic_category()));
    staging_ = name;
    lock_ = lock(staging_);
    for (const std::string& folder : folders) {
      fs::create_directories(staging_ / folder, error);
      if (error) return cannot("make the folder", staging_ / folder, error);
    }
    return {};
  }

  // Gives the files their names. The manifest comes last, by publish().
  tl::expected<void, Problem> commit(const std::vector<Output>& outputs) {
    if (!local()) return {};
    std::error_code error;
    for (const Output& output : outputs) {
      const fs::path to = folder_ / output.path;
      make_folders(to.parent_path(), error);
      if (!error) fs::rename(staging_ / output.path, to, error);
      if (error) return cannot("write", to, error);
      moved_.push_back(uri(output.path));
    }
    fs::remove_all(staging_, error);
    staging_.clear();
    return {};
  }
  // What has its name now, to be removed again if what is left to do fails.
  const std::vector<std::string>& moved() const { return moved_; }
  // The outputs stay, and so do their folders.
  void keep() { made_.clear(); }

 private:
  Place() = default;
  // -1 with errno when it is another's.
  static int lock(const fs::path& folder) {
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0 || flock(descriptor, LOCK_EX | LOCK_NB) == 0) return descriptor;
    const int reason = errno;
    close(descriptor);
    errno = reason;
    return -1;
  }
  void make_folders(const fs::path& folder, std::error_code& error) {
    std::vector<fs::path> missing;  // innermost first
    for (fs::path at = fs::absolute(folder); !fs::exists(at, error) && at.has_relative_path();
         at = at.parent_path())
      missing.push_back(at);
    fs::create_directories(folder, error);
    if (!error) made_.insert(made_.begin(), missing.begin(), missing.end());
  }
  static tl::unexpected<Problem> cannot(const char* what, const fs::path& path,
                                        const std::error_code& error) {
    return tl::make_unexpected(problem_with(
        ExitCode::not_published, "resource", "write",
        std::string("Could not ") + what + " " + path.string() + ": " + error.message() + "."));
  }

  fs::path folder_;
  std::string prefix_;
  fs::path staging_;
  int lock_ = -1;               // on staging_, as long as this lives
  std::vector<fs::path> made_;  // innermost first
  std::vector<std::string> moved_;
};

// What the runs said that the page and the manifest need.
struct Heard {
  std::map<std::uint64_t, std::uint64_t> running;  // of the first frame of each clip but the first
  std::vector<Output> published;
  std::vector<std::uint64_t> stills;  // frames, by index
  std::uint64_t decoded_for_stills = 0;
  std::vector<float> scores;  // of all frames
};

class Ingest {
 public:
  Ingest(const IngestRequest& request, Settings settings, Reporter& reporter, Place& place,
         unsigned stall_seconds)
      : request_(request),
        settings_(std::move(settings)),
        reporter_(reporter),
        place_(place),
        stall_seconds_(stall_seconds),
        name_(object_name(request.name.empty() ? stem_of(request.input) : request.name)) {}

  int run();

 private:
  static std::string stem_of(const std::string& input) {
    const std::string path =
        input.find("://") == std::string::npos ? input : input.substr(0, input.find_first_of("?#"));
    return fs::path(path).stem().string();
  }
  bool setting_is(const char* key, const char* value) const {
    return std::any_of(settings_.begin(), settings_.end(), [&](const auto& setting) {
      return setting.first == key && setting.second == value;
    });
  }
  // Frames are then counted behind the change of the rate.
  bool with_frame_rate() const {
    return std::any_of(settings_.begin(), settings_.end(), [&](const auto& setting) {
      return setting.first == "frame-rate" && !setting.second.starts_with('0');
    });
  }
  bool with_master() const { return !setting_is("master", "false"); }
  std::string proxy() const { return "proxies/" + name_ + ".mp4"; }
  std::string master() const { return "masters/" + name_ + ".mp4"; }
  std::string still(std::size_t index) const {
    return "artifacts/keyframes/" + name_ + "_" + std::to_string(100000 + index).substr(1) + ".jpg";
  }
  std::string cuts(const CutListFormatInfo& info) const {
    const std::string format(info.name), extension(info.extension);
    return "artifacts/cuts/" + name_ + "." + (format == extension ? "" : format + ".") + extension;
  }

  Json identity() const;
  struct Older {
    Json manifest;
    std::vector<Output> outputs;  // the manifest is the last one
    std::uint64_t frames_decoded = 0;
  };
  std::optional<Older> older() const;
  bool is_complete(const Older& older) const;

  int fail(const Problem& problem) {
    reporter_.error(problem);
    return static_cast<int>(problem.exit);
  }
  // 0, or the exit code of an interrupt that came between two runs.
  int interrupted();
  int run_element(const ElementRef& element, const std::string& input);
  int make(const std::vector<std::string>& old);
  // What an older ingest has left in this place and this one does not make.
  std::vector<std::string> stale(const std::vector<std::string>& old) const;
  int encode();
  int read_cuts();
  int make_stills();
  int make_pictures();
  int publish(const std::string& path, const char* kind, const std::string& text);
  int publish_cuts();
  int publish_report();
  int publish_manifest();
  void tell_outputs();
  std::vector<std::uint64_t> still_frames() const;
  std::string still_source() const;
  bool has_index(const std::string& uri) const;
  std::uint64_t place_of(const Clip& clip) const;

  const IngestRequest& request_;
  const Settings settings_;
  Reporter& reporter_;
  Place& place_;
  const unsigned stall_seconds_;
  const std::string name_;
  std::vector<CutListFormat> formats_;
  Heard heard_;
  std::vector<Output> outputs_;
  std::vector<std::string> stored_;  // URIs of what is in the bucket now
  CutList list_;
  std::vector<ReportPicture> pictures_;
  std::uint64_t frames_decoded_ = 0;
  std::uint64_t encode_ms_ = 0, stills_ms_ = 0;
  const gint64 began_ = g_get_monotonic_time();
};

std::uint64_t milliseconds_since(gint64 begin) {
  return static_cast<std::uint64_t>(g_get_monotonic_time() - begin) / 1000;
}

// What has to be equal for an old ingest to be the one that is asked for.
Json Ingest::identity() const {
  Json input = {{"uri", redact(to_uri(request_.input).value_or(request_.input))}};
  struct stat status {};
  const auto path = to_path(request_.input);
  if (path && stat(path->c_str(), &status) == 0) {
    input["bytes"] = status.st_size;
    input["modified"] =
        std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
  } else if (const auto size = uri_size(request_.input)) {
    input["bytes"] = *size;
  }
  std::map<std::string, std::string> parameters(settings_.begin(), settings_.end());
  parameters["--cuts"] = request_.formats;
  parameters["--name"] = name_;
  if (!request_.stills) parameters["--no-stills"] = "true";
  return {{"input", input}, {"parameters", parameters}, {"version", PACKAGE_VERSION}};
}

// What the manifest in this place says; nothing where there is none or none of ours.
std::optional<Ingest::Older> Ingest::older() const {
  const auto text = place_.local() ? read_file(place_.file(kManifest))
                                   : read_uri(place_.uri(kManifest), std::size_t{64} << 20);
  if (!text) return std::nullopt;
  Older older;
  older.manifest = Json::parse(*text, nullptr, false);
  try {
    if (older.manifest.at("format") != kFormat) return std::nullopt;
    for (const Json& output : older.manifest.at("outputs")) {
      const std::string path = output.at("path");
      // Nothing outside of this place is ours, whatever a manifest says.
      if (path.empty() || path.starts_with('/') || path.find("..") != std::string::npos)
        return std::nullopt;
      older.outputs.push_back({path, output.at("kind"), output.at("bytes"), output.at("digest")});
    }
    older.frames_decoded = older.manifest.at("frames_decoded");
  } catch (const Json::exception&) {
    return std::nullopt;
  }
  older.outputs.push_back({kManifest, "manifest", text->size(), ""});
  return older;
}

bool Ingest::is_complete(const Older& older) const {
  if (!older.manifest.contains("complete") || older.manifest["complete"] != true) return false;
  const Json wanted = identity();
  for (const char* part : {"input", "parameters", "version"})
    if (!older.manifest.contains(part) || older.manifest[part] != wanted[part]) return false;
  return std::all_of(older.outputs.begin(), older.outputs.end(), [&](const Output& output) {
    if (output.kind == "manifest") return true;
    if (place_.local()) return file_digest(place_.file(output.path)) == output.digest;
    return uri_size(place_.uri(output.path)) == output.bytes;
  });
}

int Ingest::interrupted() {
  const int signal = Interrupts::received();
  if (signal == 0) {
    // Without a listener a signal would end the process before it has cleaned up.
    Interrupts::listen([](int) {});
    return 0;
  }
  reporter_.error(
      problem_with(ExitCode::failed, "interrupt", "signal", "Interrupted; no output was kept."));
  return 128 + signal;
}

int Ingest::run_element(const ElementRef& element, const std::string& input) {
  if (const int status = interrupted()) return status;
  const auto pipeline = ElementRef::sink(gst_pipeline_new("pipeline"));
  gst_bin_add(GST_BIN(pipeline.get()), element.get());
  RunOptions options;
  options.input_name = input;
  options.more_follows = true;
  options.stall_seconds = stall_seconds_;
  options.on_element = [](GstElement* made) {
    if (g_object_class_find_property(G_OBJECT_GET_CLASS(made), "digest"))
      gst_util_set_object_arg(G_OBJECT(made), "digest", "sha256");
    if (g_object_class_find_property(G_OBJECT_GET_CLASS(made), "post-scores"))
      g_object_set(made, "post-scores", TRUE, nullptr);
  };
  options.on_message = [this](const GstStructure* said) {
    const std::string_view name = gst_structure_get_name(said);
    guint64 number = 0, time = 0;
    if (name == "scenecut" && gst_structure_get_uint64(said, "frame", &number) &&
        gst_structure_get_uint64(said, "running-time", &time)) {
      heard_.running[number] = time;
    } else if (name == "scenecut-scores" && gst_structure_get_uint64(said, "frame", &number)) {
      const GValue* scores = gst_structure_get_value(said, "scores");
      heard_.scores.resize(number);
      for (guint i = 0; i < gst_value_array_get_size(scores); ++i)
        heard_.scores.push_back(
            static_cast<float>(g_value_get_double(gst_value_array_get_value(scores, i))));
      return true;
    } else if (name == "clip-frame" && gst_structure_get_uint64(said, "frame", &number)) {
      heard_.stills.push_back(number);
    } else if (name == "clip-frames-done") {
      gst_structure_get_uint64(said, "decoded", &number);
      heard_.decoded_for_stills += number;
    } else if (name == "published") {
      Output output;
      output.path = gst_structure_get_string(said, "uri");
      if (!place_.local()) stored_.push_back(output.path);
      gst_structure_get_uint64(said, "bytes", &number);
      output.bytes = number;
      gst_structure_get_uint64(said, "index", &output.index);
      if (const gchar* digest = gst_structure_get_string(said, "digest")) output.digest = digest;
      if (const gchar* etag = gst_structure_get_string(said, "etag"))
        output.digest = std::string("etag:") + etag;
      heard_.published.push_back(std::move(output));
      return true;
    }
    return false;
  };
  options.frames = &frames_decoded_;
  return run_pipeline(pipeline.get(), reporter_, options);
}

int Ingest::encode() {
  auto definition = open_definition("ingest");
  if (!definition) return fail(definition.error());
  Settings settings = settings_;
  settings.emplace_back("input", request_.input);
  settings.emplace_back("proxy-output", place_.target(proxy()));
  if (with_master()) settings.emplace_back("master-output", place_.target(master()));
  settings.emplace_back("cuts-output",
                        place_.target(cuts(cutlist_format_info(CutListFormat::json))));
  const auto element = make_element(definition->get(), settings);
  if (!element) return fail(element.error());
  const gint64 begin = g_get_monotonic_time();
  if (const int status = run_element(*element, request_.input)) return status;
  encode_ms_ = milliseconds_since(begin);
  // Told apart by their names, which differ in the folder.
  for (Output output : std::exchange(heard_.published, {})) {
    const std::string uri = output.path;
    for (const auto& [path, kind] :
         {std::pair{proxy(), "proxy"}, std::pair{master(), "master"},
          std::pair{cuts(cutlist_format_info(CutListFormat::json)), "cuts"}}) {
      const auto target = to_uri(place_.target(path));
      if (!target || *target != uri) continue;
      output.path = path;
      output.kind = kind;
      outputs_.push_back(output);
    }
  }
  return 0;
}

int Ingest::read_cuts() {
  const std::string path = cuts(cutlist_format_info(CutListFormat::json));
  const auto text = place_.local() ? read_file(place_.target(path))
                                   : read_uri(place_.target(path), std::size_t{256} << 20);
  auto list = text ? read_cutlist(*text, CutListFormat::json)
                   : tl::make_unexpected(CutListError{"it is not there", 0});
  if (!list)
    return fail(problem_with(ExitCode::failed, "stream", "format",
                             "The cut list could not be read back: " + list.error().message));
  list_ = std::move(*list);
  return 0;
}

std::vector<std::uint64_t> Ingest::still_frames() const {
  std::vector<std::uint64_t> frames;
  for (const Clip& clip : list_.clips()) {
    const std::uint64_t n = clip.end_frame - clip.start_frame;
    for (const std::uint64_t at : {n / 4, n / 2, n * 3 / 4})
      frames.push_back(clip.start_frame + at);
  }
  frames.erase(std::unique(frames.begin(), frames.end()), frames.end());
  return frames;
}

std::string joined(const std::vector<std::uint64_t>& numbers) {
  std::string text;
  for (const std::uint64_t number : numbers)
    text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

// Whether single frames of a video are found by an index, without decoding it from the begin.
bool Ingest::has_index(const std::string& uri) const {
  const auto pipeline = ElementRef::sink(gst_pipeline_new(nullptr));
  GstElement* source = gst_element_factory_make("clipframes", nullptr);
  GstElement* sink = gst_element_factory_make("fakesink", nullptr);
  if (source) gst_bin_add(GST_BIN(pipeline.get()), source);
  if (sink) gst_bin_add(GST_BIN(pipeline.get()), sink);
  if (!source || !sink || !gst_element_link(source, sink)) return false;
  g_object_set(source, "uri", uri.c_str(), "decode-all", FALSE, "frames", "0", nullptr);
  gst_util_set_object_arg(G_OBJECT(source), "select", "frames");
  const bool found =
      gst_element_set_state(pipeline.get(), GST_STATE_PAUSED) != GST_STATE_CHANGE_FAILURE &&
      gst_element_get_state(pipeline.get(), nullptr, nullptr, 30 * GST_SECOND) ==
          GST_STATE_CHANGE_SUCCESS;
  gst_element_set_state(pipeline.get(), GST_STATE_NULL);
  return found;
}

// The source itself shows the pictures at their best. Where that would mean to decode it from the
// begin again, the master has them at the same numbers, behind a key frame at each cut.
std::string Ingest::still_source() const {
  const auto source = to_uri(request_.input);
  if (source && !with_frame_rate() && has_index(*source)) return request_.input;
  return place_.target(with_master() ? master() : proxy());
}

int Ingest::make_stills() {
  if (!request_.stills) return 0;
  const gint64 begin = g_get_monotonic_time();
  auto definition = open_definition("stills");
  if (!definition) return fail(definition.error());
  const std::string pattern = "artifacts/keyframes/" + name_ + "_{index:05}.jpg";
  const auto element = make_element(definition->get(), {{"input", still_source()},
                                                        {"output", place_.target(pattern)},
                                                        {"select", "frames"},
                                                        {"frames", joined(still_frames())}});
  if (!element) return fail(element.error());
  const std::uint64_t decoded = frames_decoded_;
  if (const int status = run_element(*element, request_.input)) return status;
  frames_decoded_ = decoded;
  // Objects are stored side by side, so a later one may be told first.
  auto published = std::exchange(heard_.published, {});
  std::sort(published.begin(), published.end(),
            [](const Output& a, const Output& b) { return a.index < b.index; });
  for (Output& output : published) {
    output.path = still(output.index);
    output.kind = "still";
    outputs_.push_back(std::move(output));
  }
  stills_ms_ = milliseconds_since(begin);
  return 0;
}

// Small pictures for the page, from the proxy: there each is one packet.
int Ingest::make_pictures() {
  std::vector<std::uint64_t> frames = still_frames();
  if (list_.cuts.size() >= kManyClips) {
    frames.clear();
    for (const Clip& clip : list_.clips())
      frames.push_back(clip.start_frame + (clip.end_frame - clip.start_frame) / 2);
  }
  GError* raw = nullptr;
  const auto bin = ElementRef::sink(gst_parse_bin_from_description_full(
      "clipframes name=frames select=frames ! videoconvert ! lanczosscale ! "
      "video/x-raw,format=I420,width=[2,284,2],height=[2,160,2],pixel-aspect-ratio=1/1 ! "
      "jpegcolor ! avenc_mjpeg pass=quant quantizer=5 flags=bitexact ! "
      "fakesink name=pictures signal-handoffs=true sync=false",
      FALSE, nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &raw));
  const ErrorPtr error(raw);
  if (!bin)
    return fail(
        problem_with(ExitCode::missing_plugin, "core", "missing-plugin",
                     std::string("The pictures of the report cannot be made: ") + error->message));
  const auto source = ElementRef::adopt(gst_bin_get_by_name(GST_BIN(bin.get()), "frames"));
  const auto sink = ElementRef::adopt(gst_bin_get_by_name(GST_BIN(bin.get()), "pictures"));
  const std::string uri = to_uri(place_.target(proxy())).value_or("");
  g_object_set(source.get(), "uri", uri.c_str(), "frames", joined(frames).c_str(), nullptr);
  std::vector<std::string> jpegs;
  g_signal_connect(sink.get(), "handoff",
                   G_CALLBACK(+[](GstElement*, GstBuffer* buffer, GstPad*, gpointer data) {
                     const BufferMap map(buffer, GST_MAP_READ);
                     auto* all = static_cast<std::vector<std::string>*>(data);
                     if (map)
                       all->emplace_back(reinterpret_cast<const char*>(map.data()), map.size());
                   }),
                   &jpegs);
  const std::uint64_t decoded = frames_decoded_;
  const Heard before = heard_;
  const int status = run_element(bin, request_.input);
  frames_decoded_ = decoded;
  heard_ = before;
  if (status != 0) return status;
  for (std::size_t i = 0; i < std::min(frames.size(), jpegs.size()); ++i)
    pictures_.push_back({frames[i], std::move(jpegs[i])});
  return 0;
}

int Ingest::publish(const std::string& path, const char* kind, const std::string& text) {
  if (const int status = interrupted()) return status;
  if (const int status = publish_text(text, place_.target(path).c_str(), &reporter_)) return status;
  if (!place_.local()) stored_.push_back(place_.target(path));
  const std::string digest = sha256(text);
  outputs_.push_back({path, kind, text.size(), digest});
  return 0;
}

int Ingest::publish_cuts() {
  for (const CutListFormat format : formats_) {
    if (format == CutListFormat::json) continue;  // is there
    const auto& info = cutlist_format_info(format);
    const auto text = write_cutlist(list_, format);
    if (!text)
      return fail(problem_with(ExitCode::failed, "stream", "format",
                               "The cut list cannot be written as " + std::string(info.name) +
                                   ": " + text.error().message));
    if (const int status = publish(cuts(info), "cuts", *text)) return status;
  }
  return 0;
}

std::uint64_t Ingest::place_of(const Clip& clip) const {
  if (clip.index == 0) return 0;
  const auto found = heard_.running.find(clip.start_frame);
  return found == heard_.running.end() ? clip.start - list_.source.start : found->second;
}

int Ingest::publish_report() {
  if (const int status = make_pictures()) return status;
  Report report;
  report.title = name_;
  report.proxy = proxy();
  report.list = list_;
  report.pictures = std::move(pictures_);
  report.scores = std::move(heard_.scores);
  const auto clips = list_.clips();
  for (const Clip& clip : clips) report.starts.push_back(place_of(clip));
  const std::uint64_t length =
      list_.source.duration == kNoTime ? report.starts.back() : list_.source.duration;
  report.starts.push_back(std::max(length, report.starts.back()));
  const CutSource& source = list_.source;
  report.facts = {std::to_string(source.width) + " x " + std::to_string(source.height),
                  std::to_string(source.frames) + " frames",
                  clock_time(report.starts.back()),
                  std::to_string(clips.size()) + (clips.size() == 1 ? " clip" : " clips"),
                  std::to_string(list_.cuts.size()) + (list_.cuts.size() == 1 ? " cut" : " cuts"),
                  "method " + list_.detector.method};
  if (source.rate.known()) {
    const std::string rate =
        std::to_string(source.rate.numerator) +
        (source.rate.denominator == 1 ? "" : "/" + std::to_string(source.rate.denominator));
    report.facts.insert(report.facts.begin() + 1,
                        rate + " frames a second" + (source.variable ? " (variable)" : ""));
  }
  return publish(kReport, "report", make_report(report));
}

int Ingest::publish_manifest() {
  Json manifest = {{"format", kFormat}, {"complete", true}};
  manifest.update(identity());
  manifest["gstreamer"] = [] {
    const GString_ text(gst_version_string());
    return std::string(text.get());
  }();
  manifest["frames"] = list_.source.frames;
  manifest["cuts"] = list_.cuts.size();
  manifest["frames_decoded"] = frames_decoded_;
  manifest["frames_decoded_for_stills"] = heard_.decoded_for_stills;
  manifest["outputs"] = Json::array();
  std::size_t still_index = 0;
  for (const Output& output : outputs_) {
    Json entry = {{"path", output.path},
                  {"kind", output.kind},
                  {"bytes", output.bytes},
                  {"digest", output.digest}};
    if (output.kind == "still" && still_index < heard_.stills.size())
      entry["frame"] = heard_.stills[still_index++];
    manifest["outputs"].push_back(std::move(entry));
  }
  manifest["encode_ms"] = encode_ms_;
  manifest["stills_ms"] = stills_ms_;
  manifest["duration_ms"] = milliseconds_since(began_);
  manifest["peak_rss_kib"] = peak_rss_kib();
  const std::string text = manifest.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  const std::string target = place_.local() ? place_.file(kManifest) : place_.uri(kManifest);
  outputs_.push_back({kManifest, "manifest", text.size(), ""});
  return publish_text(text, target.c_str(), &reporter_);
}

int Ingest::run() {
  std::string_view rest = request_.formats;
  while (true) {
    const std::string_view word = rest.substr(0, rest.find(','));
    const auto format = cutlist_format_from_name(word);
    if (!format)
      return fail(usage_problem("\"" + one_line(word) + "\" is no format of cut lists."));
    formats_.push_back(*format);
    if (rest.find(',') == std::string_view::npos) break;
    rest.remove_prefix(rest.find(',') + 1);
  }
  const auto before = older();
  if (before && is_complete(*before)) {
    outputs_ = before->outputs;
    frames_decoded_ = before->frames_decoded;
    reporter_.note("This ingest is complete already; nothing was done.", place_.uri(kManifest));
    tell_outputs();
    return 0;
  }
  if (const int status = interrupted()) return status;
  std::vector<std::string> old;
  if (before)
    for (const Output& output : before->outputs) old.push_back(output.path);
  const int status = make(old);
  if (status == 0) {
    place_.keep();
  } else {
    std::vector<std::string> stored = stored_;
    stored.insert(stored.end(), place_.moved().begin(), place_.moved().end());
    remove_outputs(stored, status > 128 ? kRemovalTimeInterrupted : kRemovalTime);
  }
  return status;
}

std::vector<std::string> Ingest::stale(const std::vector<std::string>& old) const {
  std::vector<std::string> paths = old;
  // Also of one that has failed since, whose manifest is gone.
  paths.push_back(master());
  for (const auto& info : cutlist_formats()) paths.push_back(cuts(info));
  const auto made = static_cast<std::size_t>(
      std::count_if(outputs_.begin(), outputs_.end(),
                    [](const Output& output) { return output.kind == "still"; }));
  for (std::size_t i = made; place_.has(still(i)); ++i) paths.push_back(still(i));
  std::erase_if(paths, [&](const std::string& path) {
    return !place_.has(path) ||
           std::any_of(outputs_.begin(), outputs_.end(),
                       [&](const Output& output) { return output.path == path; });
  });
  return paths;
}

int Ingest::make(const std::vector<std::string>& old) {
  auto begun = place_.begin({"proxies", "masters", "artifacts/cuts", "artifacts/keyframes"});
  if (!begun) return fail(begun.error());
  // The manifest says that all is there and whole: it goes before the first of that is replaced.
  if (place_.has(kManifest)) {
    if (const auto removed = place_.remove({kManifest}); !removed) return fail(removed.error());
  }
  for (const auto step : {&Ingest::encode, &Ingest::read_cuts, &Ingest::make_stills,
                          &Ingest::publish_cuts, &Ingest::publish_report})
    if (const int status = (this->*step)()) return status;
  if (const int status = interrupted()) return status;
  if (auto moved = place_.commit(outputs_); !moved) return fail(moved.error());
  if (const auto removed = place_.remove(stale(old)); !removed) return fail(removed.error());
  if (const int status = publish_manifest()) return status;
  tell_outputs();
  return 0;
}

void Ingest::tell_outputs() {
  for (const Output& output : outputs_) {
    const StructurePtr said(gst_structure_new(
        "published", "uri", G_TYPE_STRING, place_.uri(output.path).c_str(), "bytes", G_TYPE_UINT64,
        guint64{output.bytes}, "kind", G_TYPE_STRING, output.kind.c_str(), nullptr));
    reporter_.element_message(said.get(), "");
  }
  reporter_.done(milliseconds_since(began_), frames_decoded_, peak_rss_kib());
}

}  // namespace

int ingest(const Command& command, const IngestRequest& request, const std::vector<char*>& words,
           const RunFlags& flags) {
  const auto mode = flags.progress();
  if (!mode) return usage_error(command, mode.error());
  Reporter reporter(*mode);
  const auto refuse = [&](const Problem& problem) {
    reporter.error(problem);
    return static_cast<int>(problem.exit);
  };
  auto settings = parse_settings(words);
  if (!settings) return refuse(settings.error());
  for (const auto& [key, value] : *settings)
    if (key == "input" || key.ends_with("-output"))
      return refuse(usage_problem("\"" + key + "\" is set by the command."));
  auto definition = open_definition("ingest");
  if (!definition) return refuse(definition.error());
  // Every value is checked before anything starts.
  Settings whole = *settings;
  whole.emplace_back("input", request.input);
  whole.emplace_back("proxy-output", "proxy.mp4");
  whole.emplace_back("cuts-output", "cuts.json");
  if (const auto element = make_element(definition->get(), whole); !element)
    return refuse(element.error());
  auto place = Place::open(request.output);
  if (!place) return refuse(place.error());
  if (flags.with_parent() && !die_with_parent())
    return refuse(problem_with(ExitCode::failed, "interrupt", "parent",
                               "The process that started this one has ended."));
  const int status =
      Ingest(request, std::move(*settings), reporter, *place, flags.stall_seconds()).run();
  Interrupts::listen({});
  return status;
}

}  // namespace clips::tool
