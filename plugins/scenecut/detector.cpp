// SPDX-License-Identifier: LGPL-2.1-or-later
#include "detector.hpp"

#include <algorithm>
#include <utility>

namespace clips::scenecut {

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
  explicit Analysis(Params p) : params(p) {}
  Params params;
  std::uint64_t count = 0;
  Thumbnail last{};
  std::vector<Boundary> out;
};

Detector::Detector(Params params) : analysis_(std::make_unique<Analysis>(params)) {}
Detector::~Detector() = default;
Detector::Detector(Detector&&) noexcept = default;
Detector& Detector::operator=(Detector&&) noexcept = default;

void Detector::push(const Thumbnail& thumbnail) {
  Analysis& a = *analysis_;
  if (a.count > 0) {
    int sad = 0;
    for (std::size_t i = 0; i < thumbnail.y.size(); ++i)
      sad += std::abs(thumbnail.y[i] - a.last.y[i]);
    if (sad > 25 * 64 * 36) a.out.push_back({a.count, a.count, a.count, Kind::kCut, 0.9});
  }
  a.last = thumbnail;
  ++a.count;
}
void Detector::finish() {}
std::vector<Boundary> Detector::take() {
  return std::exchange(analysis_->out, {});
}
void Detector::reset() {
  *analysis_ = Analysis(analysis_->params);
}
std::uint64_t Detector::frames() const noexcept {
  return analysis_->count;
}
std::size_t Detector::lookahead() const noexcept {
  return analysis_->params.gradual ? kGradualLookahead : kCutLookahead;
}
std::uint64_t Detector::decided_until() const noexcept {
  return analysis_->count;
}
std::uint64_t Detector::final_until() const noexcept {
  return analysis_->count;
}

}  // namespace clips::scenecut
