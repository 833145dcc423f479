// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/handles.hpp"
#include "common/thread_annotations.hpp"
#include "gstclipsdefinition.hpp"
#include "parameterspec.hpp"

namespace clips {

// What went wrong, as one error message on the bus.
struct Failure {
  GQuark domain = 0;
  gint code = 0;
  std::string message;
  std::string details;
  // Factories that are not installed.
  std::vector<std::string> missing;
};

template <typename T>
using Outcome = tl::expected<T, Failure>;

// A part of the graph that was made of one text: a branch's bin, or the elements of [Graph].
using Piece = std::vector<ElementRef>;

// The children of one bin: builds them of the definition, the branches as the streams become
// known, and takes them apart.
class Graph {
 public:
  // `fail` is called from any thread, with no lock held.
  Graph(GstBin* bin, const GstClipsDefinition& definition, const ParameterValues& values,
        std::function<void(const Failure&)> fail);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // Builds what depends on no stream and waits for the streams. Nothing is done when it stands.
  Outcome<void> build() CLIPS_EXCLUDES(lock_);
  // Removes every child; they must not be streaming any more.
  void take_apart() CLIPS_EXCLUDES(lock_);
  // Builds every branch, whatever streams there are, tries every bind, and takes all apart.
  Outcome<void> check() CLIPS_EXCLUDES(lock_);

  // Around the bin's own change from READY to PAUSED, up to when it is noted: streams that are
  // known before wait for that.
  void start_begins() CLIPS_EXCLUDES(start_lock_);
  void start_ends() CLIPS_EXCLUDES(start_lock_);

  // The largest stream time, in ns, that has left a branch; GST_CLOCK_TIME_NONE before.
  GstClockTime position() const noexcept { return position_.load(std::memory_order_relaxed); }
  // The duration, in ns, of the streams in use; GST_CLOCK_TIME_NONE when it is not known.
  GstClockTime duration() CLIPS_EXCLUDES(lock_);

 private:
  struct Stream;
  struct Source;
  struct Feed;
  struct Pick {
    std::size_t branch;
    std::size_t stream;
  };

  static void on_pad_added(GstElement*, GstPad* pad, gpointer user_data);
  static void on_no_more_pads(GstElement*, gpointer user_data);
  static void on_unknown_type(GstElement*, GstPad*, GstCaps* caps, gpointer user_data);
  static GstPadProbeReturn on_first_data(GstPad*, GstPadProbeInfo* info, gpointer user_data);
  static GstPadProbeReturn on_branch_data(GstPad*, GstPadProbeInfo* info, gpointer user_data);

  Outcome<void> check_values() const;
  void choose(bool everything) CLIPS_REQUIRES(lock_);
  bool is_active(const Parameter& parameter, const ParameterValues::Snapshot& value) const;
  bool holds(const Condition& condition) const;
  Outcome<void> build_chosen(bool everything) CLIPS_REQUIRES(lock_);
  Outcome<ElementRef> parse(const Fragment& fragment, const std::string& group,
                            const std::string& key) CLIPS_REQUIRES(lock_);
  Outcome<Piece> make_branch(std::size_t index) CLIPS_REQUIRES(lock_);
  Outcome<void> link_branch(std::size_t index, const Piece& piece, GstPad* from, GstCaps* stream)
      CLIPS_REQUIRES(lock_);
  Outcome<void> link_to(const Branch& branch, const Piece& piece) CLIPS_REQUIRES(lock_);
  Outcome<void> connect_branches(const Piece& piece, GstCaps* stream) CLIPS_REQUIRES(lock_);
  Outcome<void> connect_pads() CLIPS_REQUIRES(lock_);
  Outcome<void> apply_parameters(GstElement* bin) const;
  void wait_for_streams(GstElement* element, std::size_t branch) CLIPS_REQUIRES(lock_);

  void wait_with(Source& source, GstPad* pad) CLIPS_REQUIRES(lock_);
  void resolve(Source& source) CLIPS_EXCLUDES(lock_, start_lock_);
  void build_and_start(Source& source) CLIPS_EXCLUDES(lock_);
  void wait_for_start() CLIPS_EXCLUDES(start_lock_);
  Outcome<std::vector<Pick>> pick_streams(Source& source) CLIPS_REQUIRES(lock_);
  Outcome<void> build_streams(Source& source) CLIPS_REQUIRES(lock_);
  std::vector<Pick> candidates(const Source& source, const std::vector<std::size_t>& rivals,
                               const std::vector<bool>& taken) const;
  Failure no_stream(const Source& source, const Branch& branch) const;
  std::optional<Failure> late_stream(const Source& source, GstPad* pad) const CLIPS_REQUIRES(lock_);
  Failure nothing_usable(const Source& source) const;
  Failure wrong(int line, std::string group, std::string key, std::string message) const;
  std::string input_name() const;
  std::optional<ParameterValues::Snapshot> value_of(const Parameter& parameter) const;

  GstBin* const bin_;  // owns this
  GstElement* const element_;
  const GstClipsDefinition& definition_;
  const Definition& core_;
  const ParameterValues& values_;
  const std::function<void(const Failure&)> fail_;

  // Serialises building between the threads of several sources. Held while elements are made and
  // linked, never while they change state or while fail_ is called: a streaming thread that waits
  // for it must not be what a state change waits for.
  Mutex lock_;
  ConditionVariable sources_up_;
  std::vector<std::unique_ptr<Source>> sources_ CLIPS_GUARDED_BY(lock_);
  // What each token stands for, and which branches are wanted, in this run.
  std::map<std::string, const Fragment*> tokens_ CLIPS_GUARDED_BY(lock_);
  std::set<std::size_t> enabled_ CLIPS_GUARDED_BY(lock_);
  unsigned pieces_ CLIPS_GUARDED_BY(lock_) = 0;
  bool built_ CLIPS_GUARDED_BY(lock_) = false;
  // Bins that wait for their start, upstream before downstream.
  std::vector<ElementRef> made_ CLIPS_GUARDED_BY(lock_);

  // Nothing else is locked while this is held.
  Mutex start_lock_;
  ConditionVariable start_ended_;
  // The thread in which the bin changes from READY to PAUSED; nobody otherwise.
  std::thread::id starting_ CLIPS_GUARDED_BY(start_lock_);

  std::atomic<GstClockTime> position_{GST_CLOCK_TIME_NONE};
};

}  // namespace clips
