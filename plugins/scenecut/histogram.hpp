// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

// The parity methods: what a pass over the video with OpenCV's VideoCapture, calcHist, normalize
// and compareHist decides. Per frame three histograms of 256 bins over B, G and R, one behind the
// other, scaled to a Euclidean length of 1 and compared with those of the frame before.
//
// The numbers are OpenCV's own: single precision bins, double precision sums, the formulas of
// modules/imgproc/src/histogram.cpp. Y'CbCr becomes BGR as in FFmpeg's swscale (libswscale/x86/
// yuv_2_rgb.asm), through which OpenCV reads files: ITU-R BT.601 whatever the stream says, the
// nearest chroma sample, 16-bit fixed point. So an 8-bit 4:2:0 frame of even height gives the very
// bytes that VideoCapture returns.

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "detector.hpp"

namespace clips::scenecut {

enum class Comparison : std::uint8_t { kCorrel, kChiSqr, kIntersect, kBhattacharyya };

using Histogram = std::array<float, 768>;

// `full_range` says that luma spans 0..255; RGB and grey always do.
class HistogramMaker {
 public:
  Histogram make(const FrameView& frame, bool full_range);

 private:
  std::vector<std::uint8_t> rows_;
  std::vector<std::int16_t> chroma_;
};

// compareHist(previous, current); HISTCMP_CHISQR depends on the order.
double compare(const Histogram& previous, const Histogram& current, Comparison comparison);

// The threshold that a method has of its own.
double default_threshold(Comparison comparison) noexcept;
// A cut lies where correl and intersect fall under the threshold, where the others exceed it.
bool is_cut(double value, double threshold, Comparison comparison) noexcept;
// How different the frames are, 0 to 1; not a probability.
double dissimilarity(double value, Comparison comparison) noexcept;

// Takes frames like the Detector takes thumbnails; every frame is decided at once.
class HistogramDetector {
 public:
  // threshold 0: the method's own. `scores`: keep those of all frames for take_scores().
  HistogramDetector(Comparison comparison, double threshold, bool scores = false);

  void push(const FrameView& frame, bool full_range);
  std::vector<Boundary> take();
  // How different each frame is from the one before it, since the last call.
  std::vector<float> take_scores();
  std::uint64_t frames() const noexcept { return frames_; }

 private:
  Comparison comparison_;
  double threshold_;
  HistogramMaker maker_;
  Histogram previous_{};
  std::uint64_t frames_ = 0;
  std::vector<Boundary> boundaries_;
  bool keep_scores_;
  std::vector<float> scores_;
};

}  // namespace clips::scenecut
