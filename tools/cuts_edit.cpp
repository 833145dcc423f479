// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cuts_edit.hpp"

#include <charconv>
#include <optional>

#include "cutlist_file.hpp"
#include "lib/value.hpp"
#include "publish_text.hpp"
#include "reporter.hpp"

namespace clips::tool {

namespace {

enum class Change { add, remove, move };

struct Operation {
  Change change;
  std::string text;  // as it was given
};

// A place in a video: a time, the number of a frame, or both.
struct Place {
  std::optional<std::uint64_t> frame;
  std::optional<std::uint64_t> time;
};

std::optional<std::uint64_t> parse_time(std::string_view text) {
  const auto value = parse_value(ValueType::Time, text);
  if (!value || std::get<std::uint64_t>(*value) == kTimeNone) return std::nullopt;
  return std::get<std::uint64_t>(*value);
}

// "12.5", "1:02:03.5", "300f", "300f@12.5": the last is a frame and its exact time.
std::optional<Place> parse_place(std::string_view text) {
  Place place;
  const std::size_t mark = text.find('f');
  if (mark == std::string_view::npos) {
    place.time = parse_time(text);
    return place.time ? std::optional(place) : std::nullopt;
  }
  std::uint64_t frame = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + mark, frame);
  if (error != std::errc() || end != text.data() + mark) return std::nullopt;
  place.frame = frame;
  text.remove_prefix(mark + 1);
  if (text.empty()) return place;
  if (text.front() != '@') return std::nullopt;
  place.time = parse_time(text.substr(1));
  return place.time ? std::optional(place) : std::nullopt;
}

CutListResult<std::uint64_t> frame_of(const CutList& list, const Place& place) {
  return place.frame ? CutListResult<std::uint64_t>(*place.frame) : list.frame_at(*place.time);
}

// The exact timestamp, where the caller gave one beside the frame.
std::optional<std::uint64_t> exact_time(const Place& place) {
  return place.frame ? place.time : std::nullopt;
}

struct Step {
  Change change{};
  Place at;
  Place to;
};

std::optional<Step> parse_step(const Operation& operation) {
  Step step{operation.change, {}, {}};
  std::string_view text = operation.text;
  if (operation.change == Change::move) {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const auto to = parse_place(text.substr(equals + 1));
    if (!to) return std::nullopt;
    step.to = *to;
    text = text.substr(0, equals);
  }
  const auto at = parse_place(text);
  if (!at) return std::nullopt;
  step.at = *at;
  return step;
}

CutListResult<void> apply(CutList& list, const Step& step) {
  const auto at = frame_of(list, step.at);
  if (!at) return tl::unexpected(at.error());
  switch (step.change) {
    case Change::add:
      return list.add(*at, exact_time(step.at));
    case Change::remove:
      return list.remove(*at);
    case Change::move:
      break;
  }
  const auto to = frame_of(list, step.to);
  if (!to) return tl::unexpected(to.error());
  return list.move(*at, *to, exact_time(step.to));
}

const char* option_of(Change change) {
  return change == Change::add ? "--add" : change == Change::remove ? "--remove" : "--move";
}

}  // namespace

int edit_cuts(const Command& command, std::vector<char*> arguments) {
  CutListFlags flags;
  gboolean in_place = FALSE;
  std::vector<Operation> operations;
  // Called by GOption for each of the three, so that they keep the order of the command line.
  const GOptionArgFunc take = [](const gchar* name, const gchar* value, gpointer data,
                                 GError**) -> gboolean {
    const std::string_view option = name;
    const Change change = option.ends_with("add")      ? Change::add
                          : option.ends_with("remove") ? Change::remove
                                                       : Change::move;
    static_cast<std::vector<Operation>*>(data)->push_back({change, value});
    return TRUE;
  };
  auto entries = flags.entries();
  const auto callback = reinterpret_cast<gpointer>(take);
  entries.push_back({"add", 0, 0, G_OPTION_ARG_CALLBACK, callback, "Add a cut", "T"});
  entries.push_back({"remove", 0, 0, G_OPTION_ARG_CALLBACK, callback, "Remove a cut", "T"});
  entries.push_back({"move", 0, 0, G_OPTION_ARG_CALLBACK, callback, "Move a cut", "A=B"});
  entries.push_back(
      {"in-place", 'i', 0, G_OPTION_ARG_NONE, &in_place, "Write the result over CUTLIST", nullptr});
  const Command edit = {"cuts edit", "CUTLIST [--add=T] [--remove=T] [--move=A=B]",
                        "Changes a cut list", command.run};
  const bool parsed = parse_options(
      edit, arguments, entries,
      "T is a time (12.5, 400ms, 1:02:03.5), a frame (300f), or a frame with its exact time\n"
      "(300f@12.512500). A cut is added strictly inside a clip, and moved between its\n"
      "neighbours at least 15 frames from other cuts. All changes are made in their order, or\n"
      "none of them.\n\n"
      "Example:\n  gst-clips cuts edit cuts.json --move=4.0=4.2 --remove=812f --in-place\n\n"
      "Exit status: 0 done, 1 the format cannot hold the list, 2 wrong call or a change that is "
      "not\nallowed, 4 CUTLIST is unreadable or wrong, 5 the output could not be written.",
      &operations);
  if (!parsed) return static_cast<int>(ExitCode::usage);
  if (arguments.size() != 1) return usage_error(edit, "Say which one cut list to edit");
  if (in_place && flags.has_output())
    return usage_error(edit, "--in-place and --output exclude each other");
  if (const std::string wrong = flags.check(); !wrong.empty()) return usage_error(edit, wrong);
  std::vector<Step> steps;
  for (const Operation& operation : operations) {
    const auto step = parse_step(operation);
    if (!step)
      return usage_error(edit, std::string(option_of(operation.change)) + ": \"" + operation.text +
                                   "\" is no time and no frame");
    steps.push_back(*step);
  }
  auto list = flags.read(arguments.front());
  if (!list) return report(list.error());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto done = apply(*list, steps[i]);
    if (!done)
      return report(usage_problem(std::string(option_of(steps[i].change)) + "=" +
                                  operations[i].text + ": " + done.error().message));
  }
  const auto text = flags.write(*list);
  if (!text) return report(text.error());
  return publish_text(*text, in_place ? arguments.front() : flags.output());
}

}  // namespace clips::tool
