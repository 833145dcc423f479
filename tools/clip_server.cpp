// SPDX-License-Identifier: LGPL-2.1-or-later
#include "clip_server.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <vector>

#include "clip_name.hpp"
#include "common/handles.hpp"
#include "definitions.hpp"
#include "exit_code.hpp"
#include "failure.hpp"
#include "interrupts.hpp"
#include "structure_json.hpp"
#include "text.hpp"

namespace clips::tool {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t longest_line = 1 << 20;
// Lines that are read ahead; more wait in the pipe.
constexpr std::size_t longest_queue = 256;

Json failure(const Json& id, const Problem& problem) {
  return {{"id", id},
          {"status", "failed"},
          {"domain", problem.domain},
          {"code", problem.code},
          {"message", problem.message},
          {"exit", static_cast<int>(problem.exit)}};
}

// The parameters that a request sets, as the texts that a command line would hold.
tl::expected<Settings, Problem> settings_of(const Json& request) {
  Settings settings;
  for (const auto& [key, value] : request.items()) {
    if (key == "id") continue;
    if (value.is_string())
      settings.emplace_back(key, value.get<std::string>());
    else if (value.is_number() || value.is_boolean())
      settings.emplace_back(key, value.dump());
    else
      return tl::unexpected(usage_problem("\"" + key + "\" is neither text, number nor boolean."));
  }
  return settings;
}

class Server {
 public:
  Server(DefinitionPtr definition, unsigned jobs) : definition_(std::move(definition)) {
    wake_ = eventfd(0, EFD_CLOEXEC);
    active_ = static_cast<int>(jobs);
    for (unsigned i = 0; i < jobs; ++i) workers_.emplace_back([this] { work(); });
    reader_ = std::thread([this] { read(); });
  }
  ~Server() {
    reader_.join();
    for (std::thread& worker : workers_) worker.join();
    close(wake_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Returns when the input has ended and everything was answered, or after an interrupt.
  int run() {
    loop_ = g_main_loop_new(nullptr, FALSE);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (active_ == 0) g_idle_add_once(quit, loop_);
      started_ = true;
    }
    Interrupts::listen([this](int signal) { cancel(signal); });
    g_main_loop_run(loop_);
    Interrupts::listen({});
    g_main_loop_unref(loop_);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (signal_ != 0) return 128 + signal_;
    return static_cast<int>(intact_ ? ExitCode::done : ExitCode::failed);
  }

 private:
  static void quit(gpointer loop) { g_main_loop_quit(static_cast<GMainLoop*>(loop)); }

  void cancel(int signal) {
    const std::lock_guard<std::mutex> lock(mutex_);
    signal_ = signal;
    closed_ = true;
    lines_.clear();
    for (GstBus* bus : buses_)
      gst_bus_post(bus, gst_message_new_application(nullptr, gst_structure_new_empty("cancel")));
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof one);
    changed_.notify_all();
  }

  // -- Standard input ------------------------------------------------------------------------

  void read() {
    std::string line;
    bool too_long = false;
    std::array<char, 1 << 16> block{};
    for (;;) {
      std::array<pollfd, 2> files = {pollfd{STDIN_FILENO, POLLIN, 0}, pollfd{wake_, POLLIN, 0}};
      if (poll(files.data(), files.size(), -1) < 0 && errno != EINTR) break;
      if (files[1].revents != 0) break;
      if (files[0].revents == 0) continue;
      const ssize_t count = ::read(STDIN_FILENO, block.data(), block.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) break;
      for (const char c : std::string_view(block.data(), static_cast<std::size_t>(count))) {
        if (c != '\n') {
          too_long |= line.size() >= longest_line;
          if (!too_long) line += c;
          continue;
        }
        if (too_long)
          answer(failure(nullptr, usage_problem("A request is longer than 1 MiB.")));
        else if (!add(std::exchange(line, {})))
          return;
        line.clear();
        too_long = false;
      }
    }
    if (!line.empty()) add(line);
    const std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

  bool add(std::string line) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) return true;
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return lines_.size() < longest_queue || closed_; });
    if (closed_) return false;
    lines_.push_back(std::move(line));
    changed_.notify_all();
    return true;
  }

  // -- Clips ---------------------------------------------------------------------------------

  void work() {
    for (;;) {
      std::string line;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [&] { return !lines_.empty() || closed_; });
        if (lines_.empty()) break;
        line = std::move(lines_.front());
        lines_.pop_front();
        changed_.notify_all();
      }
      const Json result = serve(line);
      if (!result.is_null()) answer(result);
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--active_ <= 0 && started_) g_idle_add_once(quit, loop_);
  }

  void answer(const Json& result) {
    const std::string text = result.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    const std::lock_guard<std::mutex> lock(output_);
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
      intact_ = false;
  }

  // Null: interrupted, so that there is nothing to say.
  Json serve(const std::string& line) {
    const gint64 began = g_get_monotonic_time();
    const auto given = parse_given(line);
    if (!given || !given->is_object())
      return failure(nullptr, usage_problem("A request is one JSON object on a line" +
                                            (given ? "." : "; this " + given.error() + ".")));
    const Json& request = *given;
    const Json id = request.contains("id") ? request["id"] : Json();
    auto settings = settings_of(request);
    if (!settings) return failure(id, settings.error());
    for (auto& [key, value] : *settings) {
      if (key != "output") continue;
      if (value.starts_with("fd:") || value == "/dev/stdout")
        return failure(id, usage_problem("A server's clip cannot go to a file descriptor."));
      value = clip_output(value,
                          id.is_string() ? id.get<std::string>()
                          : id.is_null() ? ""
                                         : id.dump(),
                          *settings);
    }
    const auto element = make_element(definition_.get(), *settings);
    if (!element) return failure(id, element.error());
    const auto pipeline = ElementRef::sink(gst_pipeline_new(nullptr));
    gst_bin_add(GST_BIN(pipeline.get()), element->get());
    Json result = {{"id", id}, {"status", "done"}};
    const auto problem = cut(pipeline.get(), result);
    if (problem) return problem->message.empty() ? Json() : failure(id, *problem);
    result["ms"] = static_cast<double>(g_get_monotonic_time() - began) / 1000;
    return result;
  }

  // What is said on the way goes into the result. A problem without a message: interrupted.
  std::optional<Problem> cut(GstElement* pipeline, Json& result) {
    const auto bus = BusRef::adopt(gst_element_get_bus(pipeline));
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (signal_ != 0) return Problem{};
      buses_.insert(bus.get());
    }
    std::optional<Problem> problem;
    bool ended = false;
    bool over = gst_element_set_state(pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE;
    for (;;) {
      const auto message = MessageRef::adopt(
          over ? gst_bus_pop(bus.get()) : gst_bus_timed_pop(bus.get(), GST_CLOCK_TIME_NONE));
      if (!message) break;
      switch (GST_MESSAGE_TYPE(message.get())) {
        case GST_MESSAGE_APPLICATION:
          over = true;
          break;
        case GST_MESSAGE_EOS:
          ended = over = true;
          break;
        case GST_MESSAGE_ERROR:
          over = true;
          if (auto found = problem_of(message.get()); !problem || problem->consequence)
            problem = std::move(found);
          break;
        case GST_MESSAGE_ELEMENT:
          note(gst_message_get_structure(message.get()), result);
          break;
        default:
          break;
      }
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    const std::lock_guard<std::mutex> lock(mutex_);
    buses_.erase(bus.get());
    if (signal_ != 0 && !ended) return Problem{};
    if (!problem && !ended)
      problem = usage_problem("The clip could not be started, and no element said why.", "failed");
    return problem;
  }

  static void note(const GstStructure* structure, Json& result) {
    if (gst_structure_has_name(structure, "clip-range"))
      result["range"] = structure_to_json(structure);
    if (gst_structure_has_name(structure, "clip-done"))
      result["cost"] = structure_to_json(structure);
    if (!gst_structure_has_name(structure, "published")) return;
    const Json published = structure_to_json(structure);
    result["output"] = published.value("uri", "");
    for (const char* field : {"bytes", "digest", "etag"})
      if (published.contains(field)) result[field] = published[field];
  }

  const DefinitionPtr definition_;
  int wake_ = -1;
  GMainLoop* loop_ = nullptr;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> lines_;  // guarded by mutex_, as are those up to signal_
  std::set<GstBus*> buses_;
  bool closed_ = false;
  bool started_ = false;
  int active_ = 0;
  int signal_ = 0;
  std::mutex output_;
  std::atomic<bool> intact_{true};
  std::vector<std::thread> workers_;
  std::thread reader_;
};

}  // namespace

int serve_clips(unsigned jobs) {
  auto definition = open_definition("tempclip");
  if (!definition) {
    std::fprintf(stderr, "gst-clips: %s\n", definition.error().message.c_str());
    return static_cast<int>(definition.error().exit);
  }
  return Server(std::move(*definition), jobs).run();
}

}  // namespace clips::tool
