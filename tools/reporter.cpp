// SPDX-License-Identifier: LGPL-2.1-or-later
#include "reporter.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "common/handles.hpp"
#include "structure_json.hpp"
#include "text.hpp"

namespace clips::tool {

namespace {

using Json = nlohmann::ordered_json;

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(descriptor, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

Json problem_event(std::string_view event, const Problem& problem) {
  return {{"event", event},
          {"source", problem.source},
          {"domain", problem.domain},
          {"code", problem.code},
          {"message", problem.message}};
}

unsigned terminal_columns() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

std::optional<ProgressMode> progress_mode(std::string_view text) {
  if (text == "auto") return ProgressMode::automatic;
  if (text == "bar") return ProgressMode::bar;
  if (text == "json") return ProgressMode::json;
  if (text == "none") return ProgressMode::none;
  return std::nullopt;
}

Reporter::Reporter(ProgressMode mode)
    : mode_(mode), terminal_(isatty(STDERR_FILENO) == 1), started_(g_get_monotonic_time()) {
  if (mode_ == ProgressMode::automatic) {
    mode_ = terminal_ ? ProgressMode::bar : ProgressMode::none;
  }
}

Reporter::~Reporter() {
  clear_bar();
}

void Reporter::line(const Json& event) {
  // The outputs are what counts; nobody is left to be told that their events were not read.
  write_all(STDOUT_FILENO, json_line(event) + "\n");
}

void Reporter::person(std::string_view text) {
  clear_bar();
  // There is nowhere to say that standard error does not work.
  write_all(STDERR_FILENO, "gst-clips: " + one_line(text) + "\n");
}

void Reporter::clear_bar() {
  if (!bar_shown_) return;
  bar_shown_ = false;
  write_all(STDERR_FILENO, terminal_ ? "\r\x1b[K" : "\n");
}

void Reporter::progress(std::uint64_t position, std::optional<std::uint64_t> duration) {
  if (duration == 0U) duration.reset();
  if (duration) position = std::min(position, *duration - 1);
  if (last_position_) position = std::max(position, *last_position_);
  // A duration that is corrected downwards must not make the old position the whole of it.
  if (duration && position >= *duration) duration = position + 1;
  if (last_position_ == position && last_duration_ == duration) return;
  last_position_ = position;
  last_duration_ = duration;
  if (json()) {
    line({{"event", "progress"},
          {"position", position},
          {"duration", duration ? Json(*duration) : Json(nullptr)}});
  } else if (mode_ == ProgressMode::bar) {
    draw(position, duration);
  }
}

void Reporter::draw(std::uint64_t position, std::optional<std::uint64_t> duration) {
  std::string text;
  const double elapsed = static_cast<double>(g_get_monotonic_time() - started_) / 1e6;
  const double speed = elapsed > 0 ? static_cast<double>(position) / 1e9 / elapsed : 0;
  if (duration) {
    const auto percent = static_cast<unsigned>(static_cast<double>(position) * 100.0 /
                                               static_cast<double>(*duration));
    text = " " + std::to_string(std::min(percent, 99U)) + " %  " + clock_time(position) + " of " +
           clock_time(*duration);
    if (speed > 0 && elapsed > 1) {
      const double left = static_cast<double>(*duration - position) / speed;
      text += "  " + clock_time(static_cast<std::uint64_t>(left)) + " left";
    }
    const unsigned columns = std::min(terminal_columns(), 100U);
    const auto room = static_cast<unsigned>(text.size()) + 4;
    if (columns > room + 10) {
      const unsigned width = columns - room;
      const unsigned full = width * std::min(percent, 99U) / 100;
      text = "[" + std::string(full, '#') + std::string(width - full, '-') + "]" + text;
    }
  } else {
    text = clock_time(position);
  }
  write_all(STDERR_FILENO, "\r" + text + (terminal_ ? "\x1b[K" : ""));
  bar_shown_ = true;
}

void Reporter::element_message(const GstStructure* structure, std::string_view source) {
  const std::string_view name = gst_structure_get_name(structure);
  if (name == "published") {
    const gchar* uri = gst_structure_get_string(structure, "uri");
    if (uri) published_.emplace_back(redact(uri));
  }
  if (!json()) return;
  Json event = {{"event", "message"}};
  if (name == "scenecut") {
    event["event"] = "cut";
  } else if (name == "published") {
    event["event"] = "published";
  } else {
    event["name"] = name;
    event["source"] = source;
  }
  const Json fields = structure_to_json(structure);
  for (const auto& [field, value] : fields.items()) {
    // A field named like one of ours does not replace it.
    if (!event.contains(field)) event[field] = value;
  }
  line(event);
}

void Reporter::note(std::string_view text, std::string_view uri) {
  if (json()) {
    line({{"event", "note"}, {"message", text}, {"uri", uri}});
  } else {
    person(std::string(text) + " " + one_line(redact(uri)));
  }
}

void Reporter::warning(const Problem& problem) {
  if (!warned_.insert(problem.source + problem.message).second) return;
  if (json()) {
    line(problem_event("warning", problem));
  } else {
    held_back_.push_back("warning: " + problem.message);
  }
}

void Reporter::error(const Problem& problem) {
  if (json()) {
    line(problem_event("error", problem));
  } else {
    person(problem.message);
  }
}

void Reporter::done(std::uint64_t milliseconds, std::uint64_t frames, std::uint64_t peak_rss_kib) {
  if (json()) {
    if (last_duration_) {
      line({{"event", "progress"}, {"position", *last_duration_}, {"duration", *last_duration_}});
    }
    line({{"event", "done"},
          {"outputs", published_},
          {"duration_ms", milliseconds},
          {"frames", frames},
          {"peak_rss_kib", peak_rss_kib}});
    return;
  }
  for (const std::string& text : held_back_) person(text);
  if (mode_ != ProgressMode::bar) return;
  std::string text = "done in " + seconds(milliseconds * 1'000'000) + " s";
  if (frames > 0) text += ", " + std::to_string(frames) + " frames";
  for (const std::string& uri : published_) text += ", " + one_line(uri);
  person(text);
}

int report(const Problem& problem) {
  Reporter(ProgressMode::none).error(problem);
  return static_cast<int>(problem.exit);
}

}  // namespace clips::tool
