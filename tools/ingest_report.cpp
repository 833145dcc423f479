// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ingest_report.hpp"

#include <glib.h>

#include <algorithm>

#include "common/handles.hpp"
#include "text.hpp"

namespace clips::tool {

namespace {

std::string escaped(const std::string& text) {
  const GString_ markup(g_markup_escape_text(text.c_str(), static_cast<gssize>(text.size())));
  return markup.get();
}

// A relative path as a URL: what people put into file names must not end it.
std::string url_of(const std::string& path) {
  const GString_ text(g_uri_escape_string(path.c_str(), "/", FALSE));
  return text.get();
}

// 1:02:03.456
std::string clock_of(std::uint64_t nanoseconds) {
  const std::string rest = std::to_string(1000 + nanoseconds / 1'000'000 % 1000).substr(1);
  return clock_time(nanoseconds) + "." + rest;
}

// The scores are drawn in so many columns, whatever the length of the video.
constexpr std::size_t kColumns = 1000;
// Of the timeline: where 0 is, and how far up from there 1.
constexpr int kBase = 120;
constexpr int kHeight = 110;

constexpr const char* kStyle = R"css(
:root { color-scheme: light; --ink: #1c2430; --soft: #5b6675; --line: #dfe4ea; --paper: #fff; --wash: #f5f7f9;
  --cut: #1d5fc4; --dissolve: #a3530b; --fade: #6b3fa0; }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: var(--ink); background: var(--wash); }
main { max-width: 1180px; margin: 0 auto; padding: 28px 24px 64px; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 32px 0 10px; }
.facts { color: var(--soft); margin: 0 0 20px; padding: 0; list-style: none; display: flex; flex-wrap: wrap; gap: 4px 18px; }
.stage { background: #10151c; border-radius: 10px; overflow: hidden; }
video { display: block; width: 100%; max-height: 56vh; background: #10151c; }
.panel { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; }
svg { display: block; width: 100%; height: 130px; overflow: visible; }
svg .grid { stroke: var(--line); vector-effect: non-scaling-stroke; }
svg .limit { stroke: var(--soft); stroke-dasharray: 5 4; vector-effect: non-scaling-stroke; }
svg .scores { fill: #b9c4d2; stroke: #8c9aad; vector-effect: non-scaling-stroke; }
.plot { display: grid; grid-template-columns: auto 1fr; gap: 0 8px; }
.levels { position: relative; width: 2.2em; color: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
.levels span { position: absolute; right: 0; transform: translateY(-50%); }
.mark { cursor: pointer; }
.mark line { stroke-width: 2; vector-effect: non-scaling-stroke; }
.mark rect.hit { fill: transparent; }
.mark:hover line, .mark:focus-visible line { stroke-width: 4; }
.cut { --kind: var(--cut); } .dissolve { --kind: var(--dissolve); } .fade { --kind: var(--fade); } .begin { --kind: var(--soft); } .all { --kind: #8c9aad; }
.mark line { stroke: var(--kind); }
#head { stroke: #c8102e; stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.axis { grid-column: 2; display: flex; justify-content: space-between; color: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
.legend { display: flex; gap: 18px; margin: 8px 0 0; color: var(--soft); font-size: 13px; }
.legend i { display: inline-block; width: 10px; height: 10px; border-radius: 50%; margin-right: 6px; background: var(--kind); }
.clips { list-style: none; margin: 0; padding: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(340px, 1fr)); gap: 14px; }
.clip { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; overflow: hidden; display: flex; flex-direction: column; }
.clip.now { border-color: var(--cut); box-shadow: 0 0 0 2px var(--cut); }
.strip { display: flex; gap: 2px; background: #10151c; min-height: 60px; }
.strip button { flex: 1 1 0; min-width: 0; padding: 0; border: 0; background: none; cursor: pointer; }
.strip img { display: block; width: 100%; height: 100%; object-fit: contain; }
.about { padding: 10px 14px 12px; display: flex; align-items: baseline; gap: 10px; flex-wrap: wrap; }
.about b { font-size: 15px; }
.about button { font: inherit; color: var(--cut); background: none; border: 0; padding: 0; cursor: pointer; text-decoration: underline; font-variant-numeric: tabular-nums; }
.about span { color: var(--soft); font-variant-numeric: tabular-nums; }
.kind { color: var(--kind) !important; font-weight: 600; }
button:focus-visible, .mark:focus-visible { outline: 3px solid #7aa7ea; outline-offset: 1px; }
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
@media print { .stage { display: none; } body { background: none; } .clip { break-inside: avoid; } }
)css";

constexpr const char* kScript = R"js(
const video = document.querySelector('video');
const head = document.getElementById('head');
const clips = [...document.querySelectorAll('.clip')];
const starts = clips.map(clip => Number(clip.dataset.at));
const end = Number(document.body.dataset.end);
function go(at) {
  video.currentTime = at;
  video.scrollIntoView({block: 'nearest'});
}
document.addEventListener('click', event => {
  const target = event.target.closest('[data-at][data-go]');
  if (target) go(Number(target.dataset.at));
});
document.addEventListener('keydown', event => {
  const target = event.target.closest('.mark');
  if (target && (event.key === 'Enter' || event.key === ' ')) {
    event.preventDefault();
    go(Number(target.dataset.at));
  }
});
function follow() {
  const now = video.currentTime;
  const x = end > 0 ? Math.min(1, now / end) * 1000 : 0;
  head.setAttribute('x1', x);
  head.setAttribute('x2', x);
  let current = -1;
  starts.forEach((start, index) => { if (start <= now + 0.0005) current = index; });
  clips.forEach((clip, index) => clip.classList.toggle('now', index === current));
}
for (const name of ['timeupdate', 'seeking', 'seeked', 'loadedmetadata']) video.addEventListener(name, follow);
follow();
)js";

class Page {
 public:
  explicit Page(const Report& report) : report_(report), clips_(report.list.clips()) {}

  std::string write() {
    const std::string title = escaped(report_.title);
    text_ =
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
        title + "</title>\n<style>" + kStyle + "</style>\n</head>\n<body data-end=\"" +
        seconds(report_.starts.back()) + "\">\n<main>\n<h1>" + title +
        "</h1>\n<ul class=\"facts\">";
    for (const std::string& fact : report_.facts) text_ += "<li>" + escaped(fact) + "</li>";
    text_ += "</ul>\n<div class=\"stage\"><video controls muted preload=\"auto\" src=\"" +
             escaped(url_of(report_.proxy)) + "\"></video></div>\n";
    timeline();
    text_ += "<h2>Clips</h2>\n<ol class=\"clips\">\n";
    for (const Clip& clip : clips_) write_clip(clip);
    text_ += "</ol>\n</main>\n<script>" + std::string(kScript) + "</script>\n</body>\n</html>\n";
    return std::move(text_);
  }

 private:
  const Cut* cut_of(const Clip& clip) const {
    return clip.index > 0 ? &report_.list.cuts[clip.index - 1] : nullptr;
  }
  // A millisecond into the frame: players round the time they are given.
  std::string place(std::uint64_t index) const {
    return seconds(report_.starts[index] + (index > 0 ? 1'000'000 : 0));
  }
  static std::string score_text(double score) {
    const auto hundredths = static_cast<int>(std::clamp(score, 0.0, 1.0) * 100 + 0.5);
    return std::to_string(hundredths / 100) + "." +
           std::to_string(100 + hundredths % 100).substr(1);
  }

  void timeline() {
    text_ +=
        "<h2>Scores and cuts</h2>\n<div class=\"panel\">\n<div class=\"plot\"><div "
        "class=\"levels\" "
        "aria-hidden=\"true\"><span style=\"top:10px\">1</span><span style=\"top:65px\">0.5</span>"
        "<span style=\"top:120px\">0</span></div>\n<svg viewBox=\"0 0 1000 130\" "
        "preserveAspectRatio=\"none\" role=\"group\" aria-label=\"Timeline of the scores of all "
        "frames and of the cuts; each mark is as high as its score\">\n";
    for (const int tenth : {0, 5, 10}) {
      const std::string y = std::to_string(kBase - kHeight * tenth / 10);
      text_ += "<line class=\"grid\" x1=\"0\" x2=\"1000\" y1=\"" + y + "\" y2=\"" + y + "\"/>\n";
    }
    const std::uint64_t end = report_.starts.back();
    scores();
    if (const double limit = report_.list.detector.threshold; is_probability() && limit <= 1) {
      const std::string y = std::to_string(kBase - static_cast<int>(limit * kHeight));
      text_ += "<line class=\"limit\" x1=\"0\" x2=\"1000\" y1=\"" + y + "\" y2=\"" + y + "\"/>\n";
    }
    for (const Clip& clip : clips_) {
      const Cut* cut = cut_of(clip);
      if (!cut) continue;
      const std::string kind(cut_kind_name(cut->kind));
      const std::uint64_t at = report_.starts[clip.index];
      const auto height = static_cast<int>(std::clamp(cut->score, 0.0, 1.0) * kHeight);
      const std::string at_x = thousandths(at, end);
      const std::string y = std::to_string(kBase - height);
      text_ += "<g class=\"mark " + kind + "\" tabindex=\"0\" role=\"button\" data-go data-at=\"" +
               place(clip.index) + "\" aria-label=\"" + kind + " at " + clock_of(at) + ", score " +
               score_text(cut->score) + "\"><title>" + kind + " at " + clock_of(at) + ", frame " +
               std::to_string(cut->frame) + ", score " + score_text(cut->score) +
               "</title><rect class=\"hit\" x=\"" + shifted(at_x, -4) +
               "\" y=\"0\" width=\"8\" height=\"130\"/><line x1=\"" + at_x + "\" x2=\"" + at_x +
               "\" y1=\"" + std::to_string(kBase) + "\" y2=\"" + y + "\"/></g>\n";
    }
    text_ +=
        "<line id=\"head\" x1=\"0\" x2=\"0\" y1=\"4\" y2=\"126\"/>\n</svg>\n<div class=\"axis\">";
    for (int i = 0; i <= 4; ++i)
      text_ += "<span>" + clock_time(end / 4 * static_cast<std::uint64_t>(i)) + "</span>";
    text_ += "</div>\n</div>\n<div class=\"legend\">";
    for (const CutKind kind : {CutKind::cut, CutKind::dissolve, CutKind::fade}) {
      const std::string name(cut_kind_name(kind));
      const auto count = std::count_if(report_.list.cuts.begin(), report_.list.cuts.end(),
                                       [&](const Cut& cut) { return cut.kind == kind; });
      text_ += "<span class=\"" + name + "\"><i></i>" + std::to_string(count) + " " + name +
               (count == 1 ? "" : "s") + "</span>";
    }
    if (!report_.scores.empty()) text_ += "<span class=\"all\"><i></i>score of every frame</span>";
    if (is_probability())
      text_ +=
          "<span>dashed: the threshold, " + score_text(report_.list.detector.threshold) + "</span>";
    text_ += "</div>\n</div>\n";
  }

  // With the other methods the threshold is no score.
  bool is_probability() const { return report_.list.detector.method == "adaptive"; }

  // The highest score of each column. Frames lie evenly between the beginnings of their clips.
  void scores() {
    const auto end = static_cast<double>(report_.starts.back());
    if (report_.scores.empty() || end <= 0) return;
    std::vector<float> columns(kColumns);
    for (const Clip& clip : clips_) {
      const auto from = static_cast<double>(report_.starts[clip.index]);
      const double step = (static_cast<double>(report_.starts[clip.index + 1]) - from) /
                          static_cast<double>(clip.end_frame - clip.start_frame);
      for (std::uint64_t frame = clip.start_frame;
           frame < std::min<std::uint64_t>(clip.end_frame, report_.scores.size()); ++frame) {
        const double at = from + step * static_cast<double>(frame - clip.start_frame);
        // A frame of a short video covers several columns.
        const auto first = static_cast<std::size_t>(at / end * kColumns);
        const auto last = static_cast<std::size_t>((at + step) / end * kColumns);
        for (std::size_t i = first; i < std::min(std::max(last, first + 1), kColumns); ++i)
          columns[i] = std::max(columns[i], report_.scores[frame]);
      }
    }
    text_ += "<path class=\"scores\" d=\"M0 " + std::to_string(kBase);
    int height = 0;
    for (std::size_t i = 0; i < kColumns; ++i) {
      const auto now = static_cast<int>(std::clamp(columns[i], 0.0F, 1.0F) * kHeight + 0.5F);
      if (now == height) continue;
      text_ += "H" + std::to_string(i) + "V" + std::to_string(kBase - now);
      height = now;
    }
    text_ += "H" + std::to_string(kColumns) + "V" + std::to_string(kBase) + "Z\"/>\n";
  }

  static std::string thousandths(std::uint64_t part, std::uint64_t whole) {
    const std::uint64_t hundredths =
        whole ? part / 1000 * 100'000 / std::max<std::uint64_t>(whole / 1000, 1) : 0;
    return std::to_string(hundredths / 100) + "." +
           std::to_string(100 + hundredths % 100).substr(1);
  }
  static std::string shifted(const std::string& number, int by) {
    return std::to_string(std::max(0, std::stoi(number) + by));
  }

  void write_clip(const Clip& clip) {
    const Cut* cut = cut_of(clip);
    const std::string number = std::to_string(clip.index + 1);
    const std::string kind = cut ? std::string(cut_kind_name(cut->kind)) : "begin";
    const std::uint64_t from = report_.starts[clip.index];
    const std::uint64_t to = report_.starts[clip.index + 1];
    text_ += "<li class=\"clip " + kind + "\" id=\"clip-" + number + "\" data-at=\"" +
             place(clip.index) + "\">\n<div class=\"strip\">";
    const auto first = std::lower_bound(
        report_.pictures.begin(), report_.pictures.end(), clip.start_frame,
        [](const ReportPicture& picture, std::uint64_t frame) { return picture.frame < frame; });
    for (auto it = first; it != report_.pictures.end() && it->frame < clip.end_frame; ++it) {
      const GString_ data(
          g_base64_encode(reinterpret_cast<const guchar*>(it->jpeg.data()), it->jpeg.size()));
      text_ += "<button data-go data-at=\"" + place(clip.index) + "\"><img alt=\"Frame " +
               std::to_string(it->frame) + " of clip " + number +
               "\" src=\"data:image/jpeg;base64," + data.get() + "\"></button>";
    }
    text_ += "</div>\n<div class=\"about\"><b>Clip " + number + "</b> <button data-go data-at=\"" +
             place(clip.index) + "\">" + clock_of(from) + "</button> <span>to " + clock_of(to) +
             "</span> <span>" + std::to_string(clip.end_frame - clip.start_frame) +
             " frames from " + std::to_string(clip.start_frame) + "</span> <span class=\"kind\">" +
             (cut ? kind + " " + score_text(cut->score) : "begin") + "</span></div>\n</li>\n";
  }

  const Report& report_;
  const std::vector<Clip> clips_;
  std::string text_;
};

}  // namespace

std::string make_report(const Report& report) {
  return Page(report).write();
}

}  // namespace clips::tool
