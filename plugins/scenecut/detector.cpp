// SPDX-License-Identifier: LGPL-2.1-or-later
#include "detector.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "cuts.hpp"
#include "gradual.hpp"
#include "history.hpp"
#include "model.hpp"

namespace clips::scenecut {
namespace {

// A threshold gives the best F1 at half of that F1 (Lipton, Elkan, Naryanaswamy, 2014).
constexpr double kDefaultThreshold = 0.45;
// Detections this close are one: the step into a picture whose fields come from both scenes, and
// the step out of it.
constexpr std::int64_t kSuppression = 1;
// Two cuts at most this far apart around clearly brighter frames are a flash that hides one cut.
constexpr std::int64_t kFlashJoin = 4;
constexpr float kFlashOverBefore = 40;
constexpr float kFlashOverAfter = 25;
// A window is weighed against those that end up to this much later.
constexpr std::int64_t kWindowPatience = 32;
// However many overlap in a chain, the first is decided when it ended this long ago.
constexpr std::int64_t kChainPatience = 40;
// Pure frames between two transitions.
constexpr std::int64_t kBetweenWindows = 2;
// A fade out and a fade in around at most this many blank frames are one fade.
constexpr std::int64_t kBlank = 30;
// Standard deviation of the luma below which a picture counts as blank.
constexpr float kBlankDeviation = 6;
// Windows with less than this are not worth keeping.
constexpr float kLeastWindow = 0.1F;

struct Cut {
  std::int64_t frame;
  float score;
};

struct Transition {
  Window window;
  float score;
  std::int64_t first() const { return window.before + 1; }
  std::int64_t last() const { return window.after - 1; }
  std::int64_t middle() const { return first() + (last() - first() + 1) / 2; }
};

bool overlap(const Window& a, const Window& b) {
  return a.before < b.after - 1 + kBetweenWindows && b.before < a.after - 1 + kBetweenWindows;
}

}  // namespace

std::string_view name_of(Kind kind) noexcept {
  switch (kind) {
    case Kind::kDissolve:
      return "dissolve";
    case Kind::kFade:
      return "fade";
    case Kind::kCut:
      break;
  }
  return "cut";
}

class Detector::Analysis {
 public:
  Analysis(Params params, const BoundaryModel& model)
      : params_(params),
        model_(&model),
        threshold_(
            static_cast<float>(params.threshold > 0 ? params.threshold : kDefaultThreshold)) {}

  void push(const Thumbnail& thumbnail) {
    history_.push(thumbnail);
    const Picture& now = history_.at(history_.last());
    looks_.push_back({now.mean, now.deviation});
    if (looks_.size() > kLooks) looks_.pop_front();
    while (history_.last() - next_cut_ >= kCutContext) weigh_cut();
    if (params_.gradual)
      while (history_.last() - next_window_ >= kGradualContext) weigh_windows();
    settle(false);
  }

  void finish() {
    while (next_cut_ <= history_.last()) weigh_cut();
    if (params_.gradual)
      while (next_window_ <= history_.last()) weigh_windows();
    settle(true);
    finished_ = true;
  }

  std::vector<Boundary> take() { return std::exchange(out_, {}); }
  std::vector<float> take_scores() {
    if (!params_.scores) return {};
    std::int64_t until = history_.last() + 1;
    if (!finished_) {
      until = next_cut_;
      // A window still to come has its middle at most half its length before its end.
      if (params_.gradual) until = std::min(until, next_window_ - kLongestWindow / 2);
    }
    std::vector<float> taken;
    for (; first_score_ < until; ++first_score_) {
      taken.push_back(scores_.empty() ? 0 : scores_.front());
      if (!scores_.empty()) scores_.pop_front();
    }
    return taken;
  }
  const Params& params() const { return params_; }
  const BoundaryModel& model() const { return *model_; }
  std::int64_t frames() const { return history_.last() + 1; }
  std::int64_t decided_until() const { return decided_until_; }

  std::int64_t final_until() const {
    std::int64_t until = decided_until_;
    if (!params_.gradual) return until;
    // A window still to come begins at most its length before the next one's end.
    until = std::min(until, next_window_ - kLongestWindow / 2);
    for (const Transition& w : windows_) until = std::min(until, w.middle());
    for (const Transition& a : accepted_) until = std::min(until, a.middle());
    return std::max(until, emitted_until_);
  }

 private:
  struct Look {
    float mean;
    float deviation;
  };
  static constexpr std::size_t kLooks = 512;

  const Look& look(std::int64_t frame) const {
    const std::int64_t first = history_.last() + 1 - static_cast<std::int64_t>(looks_.size());
    const std::int64_t at = std::clamp(frame, first, history_.last());
    return looks_[static_cast<std::size_t>(at - first)];
  }

  void note_score(std::int64_t frame, float score) {
    if (!params_.scores || frame < first_score_) return;
    const auto index = static_cast<std::size_t>(frame - first_score_);
    if (scores_.size() <= index) scores_.resize(index + 1);
    scores_[index] = std::max(scores_[index], score);
  }

  void weigh_cut() {
    const std::int64_t frame = next_cut_++;
    if (!is_cut_candidate(history_, frame)) return;
    const CutFeatures features = cut_features(history_, frame);
    const float score = model_->cut.probability(features.data());
    note_score(frame, score);
    if (score < threshold_) return;
    if (!found_.empty() && frame - found_.back().frame <= kSuppression) {
      // Two beside each other: the better one, the later one on a tie, as it is the first whole
      // picture of the new scene.
      if (score >= found_.back().score) found_.back() = {frame, score};
      return;
    }
    found_.push_back({frame, score});
  }

  void weigh_windows() {
    const std::int64_t after = next_window_++;
    candidates_.clear();
    find_gradual(history_, after, model_->gradual_gate, candidates_);
    for (const GradualCandidate& candidate : candidates_) {
      const float score = model_->gradual.probability(candidate.features.data());
      note_score(Transition{candidate.window, score}.middle(), score);
      if (score >= std::max(kLeastWindow, threshold_))
        windows_.push_back({candidate.window, score});
    }
  }

  // Whether the brighter frames from `first` to `end` are light on one of the scenes around them,
  // and not a short bright shot with a picture of its own.
  bool is_flash(std::int64_t first, std::int64_t end) const {
    const Look& lit = look(first);
    if (lit.mean <= look(end).mean + kFlashOverAfter) return false;
    if (faded(lit.deviation, std::min(look(first - 1).deviation, look(end).deviation))) return true;
    const Picture& flash = history_.at(first);
    return same_scene(history_.at(first - 1), flash) || same_scene(flash, history_.at(end));
  }

  // A cut that lies in the window or touches it.
  static bool crosses(const Window& window, std::int64_t cut) {
    return window.before - 1 < cut && cut <= window.after + 1;
  }

  void settle(bool end) {
    while (!found_.empty()) {
      const Cut first = found_.front();
      std::int64_t wait = kSuppression;
      const bool flash = look(first.frame).mean > look(first.frame - 1).mean + kFlashOverBefore;
      if (flash) wait = kFlashJoin + kSuppression;
      if (!end && next_cut_ <= first.frame + wait) break;
      found_.pop_front();
      Cut cut = first;
      if (flash && !found_.empty() && found_.front().frame - first.frame <= kFlashJoin &&
          is_flash(first.frame, found_.front().frame)) {
        cut.score = std::max(cut.score, found_.front().score);
        found_.pop_front();
      }
      // Nothing gradual crosses a cut, and what ended before it has no rival left.
      std::erase_if(windows_, [&](const Transition& w) { return crosses(w.window, cut.frame); });
      accept_windows(cut.frame, true);
      emit_accepted(cut.frame, true);
      last_cut_ = cut.frame;
      emit({static_cast<std::uint64_t>(cut.frame), static_cast<std::uint64_t>(cut.frame),
            static_cast<std::uint64_t>(cut.frame), Kind::kCut, cut.score});
    }
    decided_until_ = found_.empty() ? (end ? history_.last() + 1 : next_cut_ - kSuppression)
                                    : found_.front().frame;
    decided_until_ = std::max<std::int64_t>(decided_until_, 0);
    std::erase_if(windows_, [&](const Transition& w) {
      return crosses(w.window, last_cut_) || w.first() <= last_transition_ + kBetweenWindows;
    });
    accept_windows(history_.last() + 1, end);
    emit_accepted(history_.last() + 1, end);
  }

  // Best first: takes the windows that nothing to come can better. Only windows that end before
  // `limit`; with `all` even those that a longer wait might better.
  void accept_windows(std::int64_t limit, bool all) {
    while (!windows_.empty()) {
      const auto earliest = std::min_element(
          windows_.begin(), windows_.end(),
          [](const Transition& a, const Transition& b) { return a.window.after < b.window.after; });
      const auto ripe = [&](const Transition& w) {
        return w.window.after < limit && (all || (next_window_ - w.window.after > kWindowPatience &&
                                                  w.window.after + 1 < decided_until_));
      };
      if (!ripe(*earliest)) return;
      // Climb from the earliest to the best of those that overlap it.
      Transition best = *earliest;
      for (bool climbing = true; climbing;) {
        climbing = false;
        for (const Transition& w : windows_) {
          if (w.score > best.score && overlap(w.window, best.window) && w.window.after < limit) {
            best = w;
            climbing = true;
          }
        }
      }
      const bool waited = history_.last() - earliest->window.after > kChainPatience;
      if (!ripe(best) && !waited) return;
      std::erase_if(windows_, [&](const Transition& w) { return overlap(w.window, best.window); });
      if (returns(best.window)) continue;
      accepted_.push_back(best);
      std::sort(accepted_.begin(), accepted_.end(), [](const Transition& a, const Transition& b) {
        return a.window.before < b.window.before;
      });
    }
  }

  // Whether a picture has lost most of what the one before its transition showed.
  bool faded(float deviation, float from) const {
    return deviation < std::max(kBlankDeviation + 4, 0.6F * from);
  }

  // A fade out and a fade in: little is to be seen between them, and at some moment nothing.
  bool one_fade(const Transition& out, const Transition& in) const {
    if (in.first() - out.last() > kBlank) return false;
    const float from = std::min(look(out.window.before).deviation, look(in.window.after).deviation);
    for (std::int64_t frame = out.window.after; frame <= in.window.before; ++frame)
      if (!faded(look(frame).deviation, from)) return false;
    for (std::int64_t frame = out.first(); frame <= in.last(); ++frame)
      if (look(frame).deviation < kBlankDeviation) return true;
    return false;
  }

  // Whether the scene after a transition is the one before it: an explosion, a lamp that fails,
  // somebody who walks by. A window may begin or end a little within the event, so frames beyond
  // its ends are asked too. Not known of a frame that is gone.
  bool returns(const Window& window) {
    // Light washes the picture out; a replay's wipe between two views of one pitch does not.
    bool washed_out = false;
    for (std::int64_t frame = window.before; frame <= window.after; ++frame)
      washed_out |= faded(look(frame).deviation, look(window.before).deviation) ||
                    faded(look(frame).deviation, look(window.after).deviation);
    if (!washed_out) return false;
    for (int out = 0; out <= 16; out += 2) {
      const std::int64_t before = window.before - out;
      if (before < history_.oldest() || before <= last_cut_) break;
      for (const int in : {0, 6, 12, 20, 30}) {
        const std::int64_t after = window.after + in;
        if (after > history_.last() || (!found_.empty() && after >= found_.front().frame)) break;
        if (same_scene(history_.at(before), history_.at(after))) return true;
      }
    }
    return false;
  }

  // Makes one transition of a fade out and the fade in behind it. False where the scene after them
  // is the one before them: an explosion, a lamp that fails.
  bool complete_fade(Transition& out, const Transition& in) {
    if (returns({out.window.before, in.window.after})) return false;
    out.window.after = in.window.after;
    out.score = std::max(out.score, in.score);
    return true;
  }

  void emit_accepted(std::int64_t limit, bool all) {
    while (!accepted_.empty()) {
      Transition& front = accepted_.front();
      if (accepted_.size() > 1) {
        const Transition& second = accepted_[1];
        if (one_fade(front, second)) {
          const Transition in = second;
          accepted_.erase(accepted_.begin() + 1);
          if (!complete_fade(front, in)) accepted_.erase(accepted_.begin());
          continue;
        }
      } else if (!all) {
        // A fade out may wait for the fade in.
        const bool blank =
            faded(look(front.window.after).deviation, look(front.window.before).deviation);
        const std::int64_t age = next_window_ - front.window.after;
        if (blank && age < kBlank + kWindowPatience + kLongestWindow / 2) {
          if (history_.last() - front.middle() < static_cast<std::int64_t>(kGradualLookahead) - 2)
            return;
          // Its time is up: the best that there is so far.
          const Transition* in = nullptr;
          for (const Transition& w : windows_)
            if (one_fade(front, w) && (!in || w.score > in->score)) in = &w;
          if (in && !complete_fade(front, *in)) {
            accepted_.erase(accepted_.begin());
            continue;
          }
        }
        // Nothing that is still weighed may come before it.
        for (const Transition& w : windows_)
          if (w.window.before < front.window.before) return;
      }
      if (front.middle() >= limit) return;
      const float ends =
          std::min(look(front.window.before).deviation, look(front.window.after).deviation);
      float least = ends;
      for (std::int64_t f = front.first(); f <= front.last(); ++f)
        least = std::min(least, look(f).deviation);
      const Transition done = front;
      accepted_.erase(accepted_.begin());
      last_transition_ = done.last();
      emit({static_cast<std::uint64_t>(done.middle()), static_cast<std::uint64_t>(done.first()),
            static_cast<std::uint64_t>(done.last()),
            least < kBlankDeviation ? Kind::kFade : Kind::kDissolve, done.score});
    }
  }

  void emit(const Boundary& boundary) {
    emitted_until_ = static_cast<std::int64_t>(boundary.frame) + 1;
    out_.push_back(boundary);
  }

  Params params_;
  const BoundaryModel* model_;
  float threshold_;
  History history_;
  std::deque<Look> looks_;
  std::int64_t next_cut_ = 1;
  std::int64_t next_window_ = 1;
  std::deque<Cut> found_;
  std::vector<GradualCandidate> candidates_;
  std::vector<Transition> windows_;
  std::vector<Transition> accepted_;
  std::int64_t last_cut_ = -1000;
  std::int64_t last_transition_ = -1000;
  std::int64_t decided_until_ = 0;
  std::int64_t emitted_until_ = 0;
  std::vector<Boundary> out_;
  std::deque<float> scores_;  // from first_score_ on; what is behind its end is 0
  std::int64_t first_score_ = 0;
  bool finished_ = false;
};

Detector::Detector(Params params) : Detector(params, default_model()) {}
Detector::Detector(Params params, const BoundaryModel& model)
    : analysis_(std::make_unique<Analysis>(params, model)) {}
Detector::~Detector() = default;
Detector::Detector(Detector&&) noexcept = default;
Detector& Detector::operator=(Detector&&) noexcept = default;

void Detector::push(const Thumbnail& thumbnail) {
  analysis_->push(thumbnail);
}
void Detector::finish() {
  analysis_->finish();
}
std::vector<Boundary> Detector::take() {
  return analysis_->take();
}
std::vector<float> Detector::take_scores() {
  return analysis_->take_scores();
}
void Detector::reset() {
  analysis_ = std::make_unique<Analysis>(analysis_->params(), analysis_->model());
}
std::uint64_t Detector::frames() const noexcept {
  return static_cast<std::uint64_t>(analysis_->frames());
}
std::size_t Detector::lookahead() const noexcept {
  return analysis_->params().gradual ? kGradualLookahead : kCutLookahead;
}
std::uint64_t Detector::decided_until() const noexcept {
  return static_cast<std::uint64_t>(analysis_->decided_until());
}
std::uint64_t Detector::final_until() const noexcept {
  return static_cast<std::uint64_t>(analysis_->final_until());
}

}  // namespace clips::scenecut
