// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "cutlist.hpp"

using namespace clips;

namespace {

constexpr FrameRate kNtscFilm{24000, 1001};
constexpr FrameRate kNtsc{30000, 1001};

std::uint64_t time_at(FrameRate rate, std::uint64_t frame) {
  if (rate.numerator == 0) return 0;
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>(static_cast<Wide>(frame) * 1'000'000'000 * rate.denominator /
                                    rate.numerator);
}

CutList make_list(FrameRate rate, std::uint64_t frames, const std::vector<std::uint64_t>& cuts) {
  CutList list;
  list.source = {
      "file:///media/some%20film.mp4", 1920, 1080, rate, false, frames, 0, time_at(rate, frames)};
  list.detector = {"adaptive", 0.5, 0, "1.22.0"};
  for (const auto frame : cuts)
    list.cuts.push_back({frame, time_at(rate, frame), CutKind::cut, frame, frame, 1});
  return list;
}

std::vector<std::uint64_t> cut_frames(const CutList& list) {
  std::vector<std::uint64_t> frames;
  for (const Cut& cut : list.cuts) frames.push_back(cut.frame);
  return frames;
}

std::string written(const CutList& list, CutListFormat format) {
  const auto text = write_cutlist(list, format);
  EXPECT_TRUE(text) << (text ? "" : text.error().message);
  return text.value_or("");
}

CutList read_back(const std::string& text, CutListFormat format, const CutListHints& hints = {}) {
  const auto list = read_cutlist(text, format, hints);
  EXPECT_TRUE(list) << (list ? "" : list.error().message) << "\n" << text.substr(0, 400);
  return list.value_or(CutList{});
}

std::string refused(std::string_view text, CutListFormat format, const CutListHints& hints = {}) {
  const auto list = read_cutlist(text, format, hints);
  EXPECT_FALSE(list) << text;
  return list ? "" : list.error().message;
}

void expect_tiling(const CutList& list) {
  std::uint64_t frame = 0;
  std::uint64_t time = list.source.start;
  const auto clips = list.clips();
  ASSERT_EQ(list.cuts.size() + 1, clips.size());
  for (std::size_t i = 0; i < clips.size(); ++i) {
    ASSERT_EQ(i, clips[i].index);
    ASSERT_EQ(frame, clips[i].start_frame);
    ASSERT_LT(clips[i].start_frame, clips[i].end_frame);
    ASSERT_EQ(time, clips[i].start);
    ASSERT_LE(clips[i].start, clips[i].end);
    frame = clips[i].end_frame;
    time = clips[i].end;
  }
  ASSERT_EQ(list.source.frames, frame);
}

}  // namespace

TEST(CutList, cuts_tile_the_video_and_a_cut_belongs_to_the_clip_on_its_right) {
  const CutList list = make_list({25, 1}, 100, {10, 50});
  const auto clips = list.clips();
  ASSERT_EQ(3u, clips.size());
  EXPECT_EQ((Clip{0, 0, 10, 0, 400'000'000}), clips[0]);
  EXPECT_EQ((Clip{1, 10, 50, 400'000'000, 2'000'000'000}), clips[1]);
  EXPECT_EQ((Clip{2, 50, 100, 2'000'000'000, 4'000'000'000}), clips[2]);
}

TEST(CutList, a_video_without_frames_has_no_clips_and_cannot_be_written) {
  const CutList list = make_list({25, 1}, 0, {});
  EXPECT_TRUE(list.clips().empty());
  for (const auto& info : cutlist_formats()) EXPECT_FALSE(write_cutlist(list, info.format));
}

TEST(CutList, validate_names_what_is_wrong) {
  const auto broken = [](auto change) {
    CutList list = make_list({25, 1}, 100, {10, 50});
    EXPECT_TRUE(list.validate());
    change(list);
    return !list.validate();
  };
  EXPECT_TRUE(broken([](CutList& list) { list.cuts[0].frame = 0; }));
  EXPECT_TRUE(broken([](CutList& list) { list.cuts[1].frame = 100; }));
  EXPECT_TRUE(broken([](CutList& list) { std::swap(list.cuts[0], list.cuts[1]); }));
  EXPECT_TRUE(broken([](CutList& list) { list.cuts[1] = list.cuts[0]; }));
  EXPECT_TRUE(broken([](CutList& list) { list.cuts[0].start_frame = 11; }));
  EXPECT_TRUE(broken([](CutList& list) { list.cuts[0].end_frame = 101; }));
  EXPECT_TRUE(broken([](CutList& list) { list.cuts[0].score = 1.01; }));
  EXPECT_TRUE(broken([](CutList& list) { list.cuts[0].score = NAN; }));
  EXPECT_TRUE(broken([](CutList& list) { list.cuts[1].time = 1; }));
  EXPECT_TRUE(broken([](CutList& list) { list.cuts[1].time = kNoTime; }));
  EXPECT_TRUE(broken([](CutList& list) { list.source.duration = 1'999'999'999; }));
  EXPECT_TRUE(broken([](CutList& list) { list.source.start = UINT64_MAX - 2; }));
}

// --- operations ---------------------------------------------------------------------------------

TEST(CutListOperations, a_cut_is_added_strictly_inside_a_clip) {
  CutList list = make_list(kNtscFilm, 240, {100});
  EXPECT_FALSE(list.add(0));
  EXPECT_FALSE(list.add(100));
  EXPECT_FALSE(list.add(240));
  EXPECT_TRUE(list.add(101));
  EXPECT_TRUE(list.add(1));
  EXPECT_TRUE(list.add(239));
  EXPECT_EQ((std::vector<std::uint64_t>{1, 100, 101, 239}), cut_frames(list));
  EXPECT_EQ(time_at(kNtscFilm, 239), list.cuts[3].time);
  expect_tiling(list);
}

TEST(CutListOperations, only_a_cut_can_be_removed) {
  CutList list = make_list({25, 1}, 100, {10, 50});
  EXPECT_FALSE(list.remove(11));
  EXPECT_FALSE(list.remove(0));
  EXPECT_TRUE(list.remove(10));
  EXPECT_EQ((std::vector<std::uint64_t>{50}), cut_frames(list));
  expect_tiling(list);
}

TEST(CutListOperations, a_cut_moves_between_its_neighbours_15_frames_from_other_cuts) {
  CutList list = make_list({25, 1}, 200, {50, 100, 150});
  EXPECT_FALSE(list.move(100, 64));
  EXPECT_FALSE(list.move(100, 136));
  EXPECT_FALSE(list.move(100, 50));
  EXPECT_FALSE(list.move(100, 40));
  EXPECT_FALSE(list.move(100, 151));
  EXPECT_FALSE(list.move(99, 100));
  EXPECT_EQ((std::vector<std::uint64_t>{50, 100, 150}), cut_frames(list));
  EXPECT_TRUE(list.move(100, 65));
  EXPECT_TRUE(list.move(65, 135));
  EXPECT_EQ((std::vector<std::uint64_t>{50, 135, 150}), cut_frames(list));
  EXPECT_EQ(time_at({25, 1}, 135), list.cuts[1].time);
  // The ends of the video are no cuts: only they themselves are out of reach.
  EXPECT_FALSE(list.move(50, 0));
  EXPECT_TRUE(list.move(50, 1));
  EXPECT_FALSE(list.move(150, 200));
  EXPECT_TRUE(list.move(150, 199));
  expect_tiling(list);
}

TEST(CutListOperations, a_cut_without_room_stays) {
  CutList list = make_list({25, 1}, 200, {50, 60, 70});
  EXPECT_FALSE(list.move(60, 61));
  EXPECT_FALSE(list.move(60, 60));
  EXPECT_EQ((std::vector<std::uint64_t>{50, 60, 70}), cut_frames(list));
}

TEST(CutListOperations, a_variable_rate_needs_the_time_and_keeps_it_in_order) {
  CutList list = make_list({25, 1}, 100, {50});
  list.source.variable = true;
  EXPECT_FALSE(list.add(20));
  EXPECT_FALSE(list.add(20, 2'000'000'001));  // behind the cut at frame 50
  EXPECT_TRUE(list.add(20, 123'456'789));
  EXPECT_EQ(123'456'789u, list.cuts[0].time);
  expect_tiling(list);
}

TEST(CutListOperations, frames_and_times_agree_at_every_rate) {
  for (const FrameRate rate : {FrameRate{24000, 1001}, FrameRate{25, 1}, FrameRate{30000, 1001},
                               FrameRate{60000, 1001}, FrameRate{120, 1}, FrameRate{1, 1}}) {
    CutList list = make_list(rate, 200'000, {});
    list.source.start = 83'416'667;
    for (std::uint64_t frame = 0; frame < 200'000; frame += 37) {
      const auto time = list.time_of(frame);
      ASSERT_TRUE(time);
      EXPECT_EQ(time_at(rate, frame) + 83'416'667, *time);
      ASSERT_EQ(frame, list.frame_at(*time).value_or(UINT64_MAX));
      // Times that people copy are rounded either way.
      ASSERT_EQ(frame, list.frame_at(*time / 1000 * 1000 + 1000).value_or(UINT64_MAX));
    }
  }
}

TEST(CutListOperations, the_clips_tile_after_each_of_100000_random_operations) {
  std::mt19937_64 random(20240229);
  CutList list = make_list(kNtsc, 5000, {});
  std::size_t done[3] = {};
  for (int i = 0; i < 100'000; ++i) {
    const CutList before = list;
    const auto any_frame = [&] { return random() % 5010; };
    const auto some_cut = [&] {
      return list.cuts.empty() || random() % 8 == 0 ? any_frame()
                                                    : list.cuts[random() % list.cuts.size()].frame;
    };
    // Fewer additions once there are many cuts, so that both crowded and sparse lists occur.
    const unsigned kind = random() % (list.cuts.size() > 60 ? 3 : 5);
    bool success = false;
    if (kind == 0) {
      const auto frame = some_cut();
      success = list.remove(frame).has_value();
      done[0] += success;
    } else if (kind == 1 || kind == 2) {
      const auto from = some_cut();
      const auto to = random() % 2 ? any_frame() : from + random() % 61 - 30;
      success = list.move(from, to).has_value();
      done[1] += success;
      if (success) {
        const auto moved = std::find_if(list.cuts.begin(), list.cuts.end(),
                                        [&](const Cut& cut) { return cut.frame == to; });
        ASSERT_NE(list.cuts.end(), moved);
        ASSERT_EQ(before.cuts.size(), list.cuts.size());
        const std::size_t at = moved - list.cuts.begin();
        ASSERT_EQ(from, before.cuts[at].frame);
        if (at > 0) {
          ASSERT_GE(to, list.cuts[at - 1].frame + 15);
        }
        if (at + 1 < list.cuts.size()) {
          ASSERT_LE(to + 15, list.cuts[at + 1].frame);
        }
        for (std::size_t k = 0; k < list.cuts.size(); ++k)
          ASSERT_TRUE(k == at || before.cuts[k] == list.cuts[k]);
      }
    } else {
      success = list.add(any_frame()).has_value();
      done[2] += success;
    }
    ASSERT_TRUE(success || before == list);
    expect_tiling(list);
    ASSERT_FALSE(HasFatalFailure());
  }
  EXPECT_GT(done[0], 5000u);
  EXPECT_GT(done[1], 5000u);
  EXPECT_GT(done[2], 5000u);
}

// --- seconds ------------------------------------------------------------------------------------

TEST(Seconds, are_plain_decimals_with_microseconds_or_better) {
  EXPECT_EQ("0.000000", format_seconds(0));
  EXPECT_EQ("1000.000000", format_seconds(1'000'000'000'000));
  EXPECT_EQ("0.000000001", format_seconds(1));
  EXPECT_EQ("41.708333333", format_seconds(41'708'333'333));
  EXPECT_EQ("0.0417084", format_seconds(41'708'400));
}

TEST(Seconds, read_back_exactly_and_nothing_else_is_read) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t time = random() >> (random() % 60 + 4);
    ASSERT_EQ(time, parse_seconds(format_seconds(time)));
  }
  EXPECT_EQ(1'500'000'000u, parse_seconds("1.5"));
  EXPECT_EQ(7'000'000'000u, parse_seconds("7"));
  EXPECT_EQ(2u, parse_seconds("0.0000000015"));
  EXPECT_EQ(1'000'000'000u, parse_seconds("0.9999999999"));
  for (const char* text : {"", "-1", "+1", "1.", ".5", "1e3", "1.0e3", " 1", "1 ", "0x1", "nan",
                           "inf", "1,5", "99999999999999999999", "18446744073"})
    EXPECT_FALSE(parse_seconds(text)) << text;
}

// --- formats ------------------------------------------------------------------------------------

TEST(CutListFormats, have_names_that_are_found_again) {
  for (const auto& info : cutlist_formats()) {
    EXPECT_EQ(info.format, cutlist_format_from_name(info.name));
    EXPECT_EQ(info.name, cutlist_format_info(info.format).name);
  }
  EXPECT_FALSE(cutlist_format_from_name("JSON"));
  EXPECT_FALSE(cutlist_format_from_name(""));
}

TEST(CutListFormats, are_recognised_by_their_text) {
  const CutList list = make_list(kNtscFilm, 240, {96});
  for (const auto& info : cutlist_formats())
    EXPECT_EQ(info.format, detect_cutlist_format(written(list, info.format))) << info.name;
  EXPECT_FALSE(detect_cutlist_format(""));
  EXPECT_FALSE(detect_cutlist_format("hello world"));
}

class EveryFormatAndRate
    : public ::testing::TestWithParam<std::tuple<CutListFormat, std::pair<int, int>>> {};

TEST_P(EveryFormatAndRate, reads_back_the_cuts_and_times_that_were_written) {
  const auto [format, fraction] = GetParam();
  const FrameRate rate{static_cast<std::uint32_t>(fraction.first),
                       static_cast<std::uint32_t>(fraction.second)};
  std::mt19937_64 random(7);
  for (int round = 0; round < 20; ++round) {
    // Long enough that drop-frame counting crosses many minutes and clocks need hours.
    const std::uint64_t frames = 2 + random() % 500'000;
    std::vector<std::uint64_t> cuts;
    for (std::uint64_t i = random() % 40; i > 0; --i) cuts.push_back(1 + random() % (frames - 1));
    std::sort(cuts.begin(), cuts.end());
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    const CutList list = make_list(rate, frames, cuts);
    CutListHints hints;
    if (format == CutListFormat::losslesscut) hints.rate = rate;
    if (format == CutListFormat::qpfile) hints = {rate, frames, 0, kNoTime, "", {}};
    const CutList back = read_back(written(list, format), format, hints);
    ASSERT_EQ(cuts, cut_frames(back));
    ASSERT_EQ(list.source.frames, back.source.frames);
    ASSERT_EQ(list.clips(), back.clips());
  }
}

std::string case_name(const ::testing::TestParamInfo<EveryFormatAndRate::ParamType>& test) {
  const auto [format, rate] = test.param;
  return std::string(cutlist_format_info(format).name) + "_" + std::to_string(rate.first) + "_" +
         std::to_string(rate.second);
}

INSTANTIATE_TEST_SUITE_P(
    CutListFormats, EveryFormatAndRate,
    ::testing::Combine(::testing::Values(CutListFormat::json, CutListFormat::csv,
                                         CutListFormat::losslesscut, CutListFormat::edl,
                                         CutListFormat::otio, CutListFormat::ffmetadata,
                                         CutListFormat::webvtt, CutListFormat::qpfile),
                       ::testing::Values(std::pair(24000, 1001), std::pair(25, 1),
                                         std::pair(30000, 1001), std::pair(60000, 1001),
                                         std::pair(50, 1), std::pair(100, 1))),
    case_name);

TEST(CutListFormats, variable_rate_keeps_its_exact_times_where_a_format_can) {
  CutList list = make_list({30, 1}, 6, {2, 4});
  list.source.variable = true;
  const std::vector<std::uint64_t> times{0,           40'000'000,    95'123'457,
                                         200'000'001, 1'000'000'007, 1'033'333'333};
  list.cuts[0].time = times[2];
  list.cuts[1].time = times[4];
  list.source.duration = 1'066'666'666;
  for (const auto& info : cutlist_formats()) {
    SCOPED_TRACE(info.name);
    CutListHints hints;
    hints.frame_times = times;
    hints.rate = {30, 1};
    hints.duration = list.source.duration;
    const CutList back = read_back(written(list, info.format), info.format, hints);
    EXPECT_EQ((std::vector<std::uint64_t>{2, 4}), cut_frames(back));
    EXPECT_EQ(list.clips(), back.clips());
  }
  // Without the timestamps the formats that hold times only cannot name a frame, and say so.
  for (const CutListFormat format :
       {CutListFormat::edl, CutListFormat::ffmetadata, CutListFormat::webvtt})
    EXPECT_NE(std::string::npos,
              refused(written(list, format), format).find("variable or unknown"));
}

TEST(CutListFormats, without_times_only_the_formats_of_frames_are_written) {
  CutList list = make_list({0, 1}, 100, {10});
  list.source.start = list.source.duration = list.cuts[0].time = kNoTime;
  EXPECT_TRUE(write_cutlist(list, CutListFormat::json));
  EXPECT_TRUE(write_cutlist(list, CutListFormat::qpfile));
  for (const CutListFormat format :
       {CutListFormat::csv, CutListFormat::losslesscut, CutListFormat::edl, CutListFormat::otio,
        CutListFormat::ffmetadata, CutListFormat::webvtt})
    EXPECT_FALSE(write_cutlist(list, format));
  EXPECT_EQ(list, read_back(written(list, CutListFormat::json), CutListFormat::json));
}

TEST(CutListFormats, what_is_larger_than_64_mib_or_binary_is_refused) {
  const std::string large((64 << 20) + 1, ' ');
  for (const auto& info : cutlist_formats()) {
    refused(large, info.format);
    refused(std::string("WEBVTT\0", 7), info.format);
    refused("", info.format);
  }
}

TEST(CutListFormats, windows_line_ends_and_a_byte_order_mark_are_read) {
  const CutList list = make_list(kNtscFilm, 240, {96, 200});
  for (const auto& info : cutlist_formats()) {
    SCOPED_TRACE(info.name);
    std::string text = "\xEF\xBB\xBF";
    for (const char c : written(list, info.format)) {
      if (c == '\n' && !text.ends_with('\r')) text += '\r';
      text += c;
    }
    CutListHints hints;
    hints.rate = kNtscFilm;
    hints.frames = 240;
    EXPECT_EQ(cut_frames(list), cut_frames(read_back(text, info.format, hints)));
  }
}

TEST(CutListJson, is_the_contract_with_exact_integers) {
  CutList list = make_list(kNtscFilm, 240, {96, 200});
  list.source.uri = "s3://bucket/a \"b\"\\c\n\xC3\xBC.mp4";
  list.cuts[1] = {200, time_at(kNtscFilm, 200), CutKind::dissolve, 190, 211, 0.987654321};
  list.detector.min_duration = UINT64_MAX - 1;
  const std::string text = written(list, CutListFormat::json);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ("clips-cutlist/1", json["format"]);
  EXPECT_EQ(list.source.uri, json["source"]["uri"].get<std::string>());
  EXPECT_EQ("24000/1001", json["source"]["frame-rate"]);
  EXPECT_EQ(false, json["source"]["variable"]);
  EXPECT_EQ(240u, json["source"]["frames"]);
  EXPECT_TRUE(json["source"]["duration"].is_number_unsigned());
  EXPECT_EQ(4'004'000'000u, json["cuts"][0]["time"]);
  EXPECT_EQ("dissolve", json["cuts"][1]["kind"]);
  EXPECT_EQ(190u, json["cuts"][1]["start-frame"]);
  EXPECT_EQ(211u, json["cuts"][1]["end-frame"]);
  EXPECT_EQ(3u, json["clips"].size());
  EXPECT_EQ(240u, json["clips"][2]["end-frame"]);
  EXPECT_EQ(10'010'000'000u, json["clips"][2]["end"]);
  EXPECT_EQ(list, read_back(text, CutListFormat::json));
}

TEST(CutListJson, refuses_what_is_not_exactly_a_cut_list) {
  const std::string good = written(make_list({25, 1}, 100, {10, 50}), CutListFormat::json);
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    const auto at = text.find(from);
    EXPECT_NE(std::string::npos, at) << from;
    text.replace(at, from.size(), to);
    return refused(text, CutListFormat::json);
  };
  with("clips-cutlist/1", "clips-cutlist/2");
  with("\"frames\":100", "\"frames\":100.0");
  with("\"frames\":100", "\"frames\":-1");
  with("\"frames\":100", "\"frames\":1e2");
  with("\"frames\":100", "\"frames\":\"100\"");
  with("\"frames\":100", "\"frames\":101");
  with("\"frames\":100", "\"frames\":99999999999999999999");
  with("\"frames\":100,", "");
  with("\"frames\":100", "\"frames\":100,\"more\":1");
  EXPECT_NE(std::string::npos,
            with("\"frames\":100", "\"frames\":100,\"frames\":100").find("twice"));
  with("\"25/1\"", "\"25\"");
  with("\"25/1\"", "\"25/0\"");
  with("\"kind\":\"cut\"", "\"kind\":\"wipe\"");
  with("\"score\":1", "\"score\":1.5");
  with("\"start-frame\":0", "\"start-frame\":1");
  with("\"end-frame\":50,\"start\"", "\"end-frame\":51,\"start\"");
  with("\"frame\":10", "\"frame\":0");
  with("\"time\":400000000", "\"time\":400000001");
  with("]}\n", "]}x");
  with("]}\n", "]");
  refused("[]", CutListFormat::json);
  refused("{}", CutListFormat::json);
  refused(std::string(100'000, '['), CutListFormat::json);
  std::string deep;
  for (int i = 0; i < 10'000; ++i) deep += "{\"a\":";
  refused(deep, CutListFormat::json);
}

TEST(CutListCsv, has_the_columns_of_pyscenedetect_and_not_its_first_line) {
  const std::string text = written(make_list(kNtscFilm, 240, {96}), CutListFormat::csv);
  EXPECT_EQ(
      "Scene Number,Start Frame,Start Timecode,Start Time (seconds),End Frame,End Timecode,End "
      "Time (seconds),Length (frames),Length (timecode),Length (seconds)\r\n"
      "1,1,00:00:00.000,0.000000,96,00:00:04.004,4.004000,96,00:00:04.004,4.004000\r\n"
      "2,97,00:00:04.004,4.004000,240,00:00:10.010,10.010000,144,00:00:06.006,6.006000\r\n",
      text);
}

TEST(CutListCsv, reads_the_file_of_pyscenedetect_itself) {
  // As PySceneDetect 0.6 writes it, seconds rounded to milliseconds.
  const std::string text =
      "Timecode List:,00:00:01.376\n"
      "Scene Number,Start Frame,Start Timecode,Start Time (seconds),End Frame,End Timecode,End "
      "Time (seconds),Length (frames),Length (timecode),Length (seconds)\n"
      "1,1,00:00:00.000,0.000,33,00:00:01.376,1.376,33,00:00:01.376,1.376\n"
      "2,34,00:00:01.376,1.376,90,00:00:03.754,3.754,57,00:00:02.377,2.377\n";
  const CutList coarse = read_back(text, CutListFormat::csv);
  EXPECT_EQ((std::vector<std::uint64_t>{33}), cut_frames(coarse));
  EXPECT_EQ(90u, coarse.source.frames);
  EXPECT_EQ(1'376'000'000u, coarse.cuts[0].time);
  CutListHints hints;
  hints.rate = kNtscFilm;
  EXPECT_EQ(1'376'375'000u, read_back(text, CutListFormat::csv, hints).cuts[0].time);
}

TEST(CutListCsv, refuses_rows_that_contradict_themselves) {
  const std::string good = written(make_list({25, 1}, 100, {10, 50}), CutListFormat::csv);
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    const auto at = text.find(from);
    EXPECT_NE(std::string::npos, at) << from;
    refused(text.replace(at, from.size(), to), CutListFormat::csv);
  };
  with("Scene Number", "Scene");
  with("\r\n2,11", "\r\n3,11");
  with("\r\n2,11", "\r\n2,12");
  with("2,11,00:00:00.400,0.400000", "2,11,00:00:00.400,0.400001");
  with("0.400000", "4.0e-1");
  with("1,1,", "1,0,");
  with("10,00:00:00.400", "\"10,00:00:00.400");
  with(",0.400000\r\n", "\r\n");
  with(",0.400000\r\n", ",0.400000,1\r\n");
  with("1,1,", "1,\"1\"x,");
}

TEST(CutListLosslessCut, is_seconds_seconds_label) {
  EXPECT_EQ("0.000000,4.004000,Clip 1\r\n4.004000,10.010000,Clip 2\r\n",
            written(make_list(kNtscFilm, 240, {96}), CutListFormat::losslesscut));
}

TEST(CutListLosslessCut, open_ends_and_quoted_labels_are_read) {
  CutListHints hints;
  hints.rate = kNtscFilm;
  hints.frames = 240;
  const CutList list =
      read_back(",4.004,\"a, \"\"b\"\"\nc\"\n4.004,,", CutListFormat::losslesscut, hints);
  EXPECT_EQ((std::vector<std::uint64_t>{96}), cut_frames(list));
  EXPECT_EQ(10'010'000'000u, list.source.duration);
  refused("0,4.004\n4.004,10.01", CutListFormat::losslesscut);  // no rate
  refused("0,4.004\n5,10.01", CutListFormat::losslesscut, hints);
  refused("0,4.004\n3.9,10.01", CutListFormat::losslesscut, hints);
  refused("0,\n4.004,10.01", CutListFormat::losslesscut, hints);
  refused("0,4.004\n4.004,11", CutListFormat::losslesscut, hints);
}

TEST(CutListEdl, puts_the_title_first_and_states_the_frame_code_mode) {
  const std::string film = written(make_list(kNtscFilm, 240, {96}), CutListFormat::edl);
  EXPECT_EQ(
      "TITLE: some%20film.mp4\r\nFCM: NON-DROP FRAME\r\n* clips-cutlist frame-rate=24000/1001 "
      "frames=240 start=0 duration=10010000000 variable=0\r\n\r\n"
      "001  AX       V     C        00:00:00:00 00:00:04:00 00:00:00:00 00:00:04:00\r\n"
      "* FROM CLIP NAME: some%20film.mp4\r\n"
      "002  AX       V     C        00:00:04:00 00:00:10:00 00:00:04:00 00:00:10:00\r\n"
      "* FROM CLIP NAME: some%20film.mp4\r\n",
      film);
  EXPECT_NE(std::string::npos,
            written(make_list(kNtsc, 240, {96}), CutListFormat::edl).find("FCM: DROP FRAME\r\n"));
  EXPECT_NE(
      std::string::npos,
      written(make_list({30, 1}, 240, {96}), CutListFormat::edl).find("FCM: NON-DROP FRAME\r\n"));
}

TEST(CutListEdl, drop_frame_counts_as_the_standard_says) {
  // SMPTE ST 12-1: 00:00:59;29 is followed by 00:01:00;02, 00:09:59;29 by 00:10:00;00, and an
  // hour of 29.97 is 107892 frames.
  const std::vector<std::pair<std::uint64_t, const char*>> cases{
      {1799, "00:00:59;29"},  {1800, "00:01:00;02"},  {3597, "00:01:59;29"},
      {3598, "00:02:00;02"},  {17981, "00:09:59;29"}, {17982, "00:10:00;00"},
      {17983, "00:10:00;01"}, {107892, "01:00:00;00"}};
  for (const auto& [frame, timecode] : cases)
    EXPECT_NE(std::string::npos, written(make_list(kNtsc, 200'000, {frame}), CutListFormat::edl)
                                     .find(std::string(" ") + timecode + " "))
        << timecode;
  EXPECT_NE(
      std::string::npos,
      written(make_list({60000, 1001}, 4000, {3600}), CutListFormat::edl).find(" 00:01:00;04 "));
}

TEST(CutListEdl, every_drop_frame_number_of_two_hours_is_used_once_and_in_order) {
  // An odometer that skips as the standard says, against the writer's arithmetic.
  int h = 0, m = 0, s = 0, f = 0;
  std::vector<std::uint64_t> cuts;
  std::vector<std::string> expected;
  for (std::uint64_t frame = 0; frame < 215'784; ++frame) {
    if (frame % 251 == 250) {
      char text[48];
      std::snprintf(text, sizeof text, "%02d:%02d:%02d;%02d", h, m, s, f);
      cuts.push_back(frame);
      expected.emplace_back(text);
    }
    if (++f == 30) {
      f = 0;
      if (++s == 60) {
        s = 0;
        if (++m == 60) {
          m = 0;
          ++h;
        }
        if (m % 10 != 0) f = 2;
      }
    }
  }
  const std::string text = written(make_list(kNtsc, 215'784, cuts), CutListFormat::edl);
  std::size_t at = 0;
  for (const auto& timecode : expected) {
    at = text.find(' ' + timecode + ' ', at);
    ASSERT_NE(std::string::npos, at) << timecode;
  }
}

TEST(CutListEdl, more_than_999_events_become_several_titles) {
  std::vector<std::uint64_t> cuts;
  for (std::uint64_t i = 1; i < 2500; ++i) cuts.push_back(i * 30);
  const CutList list = make_list({25, 1}, 75'000, cuts);
  const auto parts = write_cutlist_parts(list, CutListFormat::edl);
  ASSERT_TRUE(parts);
  ASSERT_EQ(3u, parts->size());
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE((*parts)[i].starts_with("TITLE: some%20film.mp4 (" + std::to_string(i + 1) +
                                        " OF 3)\r\nFCM: NON-DROP FRAME\r\n"));
    EXPECT_NE(std::string::npos, (*parts)[i].find("\r\n001  AX"));
    EXPECT_EQ(std::string::npos, (*parts)[i].find("\r\n1000"));
  }
  EXPECT_NE(std::string::npos, (*parts)[1].find("\r\n999  AX"));
  EXPECT_EQ(std::string::npos, (*parts)[2].find("\r\n503  AX"));
  EXPECT_EQ(cuts, cut_frames(read_back(written(list, CutListFormat::edl), CutListFormat::edl)));
}

TEST(CutListEdl, an_editors_list_is_read_with_the_rate_stated) {
  const std::string text =
      "TITLE: reel\nFCM: NON-DROP FRAME\n\n"
      "001  AX       V     C        01:00:00:00 01:00:04:04 00:00:00:00 00:00:04:04 \n"
      "* FROM CLIP NAME: x.mov\n"
      "002  AX       AA/V  C        01:00:04:04 01:00:10:00 00:00:04:04 00:00:10:00\n";
  CutListHints hints;
  hints.rate = {25, 1};
  const CutList list = read_back(text, CutListFormat::edl, hints);
  EXPECT_EQ((std::vector<std::uint64_t>{104}), cut_frames(list));
  EXPECT_EQ(250u, list.source.frames);
  EXPECT_NE(std::string::npos, refused(text, CutListFormat::edl).find("frame rate"));
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string changed = text;
    const auto at = changed.find(from);
    EXPECT_NE(std::string::npos, at) << from;
    refused(changed.replace(at, from.size(), to), CutListFormat::edl, hints);
  };
  with("TITLE: reel\n", "");
  with("FCM: NON-DROP FRAME\n", "");
  with("FCM: NON-DROP FRAME", "FCM: DROP FRAME");
  with("FCM: NON-DROP FRAME", "FCM: SOMETHING");
  with("002  AX", "003  AX");
  with("AA/V  C ", "AA/V  D ");
  with("01:00:04:04 00", "01:00:04:25 00");
  with("01:00:04:04 00", "01:00:04:05 00");
  with("01:00:04:04 00", "01:60:04:04 00");
  with("01:00:04:04 00", "1:00:04:04 00");
  with("V     C ", "V ");
}

TEST(CutListEdl, refuses_what_its_timecodes_cannot_count) {
  EXPECT_FALSE(write_cutlist(make_list({25, 1}, 25 * 86'400 + 1, {10}), CutListFormat::edl));
  EXPECT_TRUE(write_cutlist(make_list({25, 1}, 25 * 86'400 - 1, {10}), CutListFormat::edl));
  EXPECT_FALSE(write_cutlist(make_list({0, 1}, 100, {}), CutListFormat::edl));
  EXPECT_FALSE(write_cutlist(make_list({1000, 1}, 100, {}), CutListFormat::edl));
}

TEST(CutListOtio, has_real_available_ranges_and_keeps_kinds_and_scores) {
  CutList list = make_list(kNtscFilm, 240, {96, 200});
  list.cuts[1] = {200, time_at(kNtscFilm, 200), CutKind::fade, 190, 211, 0.75};
  const std::string text = written(list, CutListFormat::otio);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ("Timeline.1", json["OTIO_SCHEMA"]);
  const auto& clips = json["tracks"]["children"][0]["children"];
  ASSERT_EQ(3u, clips.size());
  for (const auto& clip : clips) {
    const auto& media = clip["media_reference"];
    EXPECT_EQ("ExternalReference.1", media["OTIO_SCHEMA"]);
    EXPECT_EQ(list.source.uri, media["target_url"].get<std::string>());
    EXPECT_EQ(0.0, media["available_range"]["start_time"]["value"]);
    EXPECT_EQ(240.0, media["available_range"]["duration"]["value"]);
    EXPECT_DOUBLE_EQ(24000.0 / 1001, media["available_range"]["duration"]["rate"].get<double>());
  }
  EXPECT_EQ(96.0, clips[1]["source_range"]["start_time"]["value"]);
  EXPECT_EQ(104.0, clips[1]["source_range"]["duration"]["value"]);
  const CutList back = read_back(text, CutListFormat::otio);
  EXPECT_EQ(list.cuts, back.cuts);
  EXPECT_EQ(kNtscFilm, back.source.rate);
}

TEST(CutListOtio, the_timeline_of_an_editor_is_read) {
  // Clip.2 with several references, media that starts at a timecode, the rate as a double.
  const auto time = [](double value) {
    return nlohmann::json{{"OTIO_SCHEMA", "RationalTime.1"}, {"rate", 29.97}, {"value", value}};
  };
  const auto range = [&](double start, double duration) {
    return nlohmann::json{
        {"OTIO_SCHEMA", "TimeRange.1"}, {"start_time", time(start)}, {"duration", time(duration)}};
  };
  const auto clip = [&](double start, double duration) {
    return nlohmann::json{{"OTIO_SCHEMA", "Clip.2"},
                          {"source_range", range(start, duration)},
                          {"active_media_reference_key", "proxy"},
                          {"media_references",
                           {{"proxy",
                             {{"OTIO_SCHEMA", "ExternalReference.1"},
                              {"target_url", "a.mov"},
                              {"available_range", range(108'000, 300)}}}}}};
  };
  const auto timeline = [&](const nlohmann::json& children) {
    return nlohmann::json{
        {"OTIO_SCHEMA", "Timeline.1"},
        {"tracks",
         {{"OTIO_SCHEMA", "Stack.1"},
          {"children",
           nlohmann::json::array(
               {{{"OTIO_SCHEMA", "Track.1"},
                 {"kind", "Audio"},
                 {"children", nlohmann::json::array()}},
                {{"OTIO_SCHEMA", "Track.1"}, {"kind", "Video"}, {"children", children}}})}}}}
        .dump();
  };
  const CutList list =
      read_back(timeline({clip(108'000, 100), clip(108'100, 200)}), CutListFormat::otio);
  EXPECT_EQ((std::vector<std::uint64_t>{100}), cut_frames(list));
  EXPECT_EQ(300u, list.source.frames);
  EXPECT_EQ(kNtsc, list.source.rate);
  EXPECT_EQ("a.mov", list.source.uri);
  refused(timeline({clip(108'000, 100), clip(108'101, 199)}), CutListFormat::otio);
  refused(timeline({clip(108'000, 100), clip(108'100, 199)}), CutListFormat::otio);
  refused(timeline({clip(108'000, 100.5), clip(108'100.5, 199.5)}), CutListFormat::otio);
  refused(timeline({clip(0, 100), clip(100, 200)}), CutListFormat::otio);
  refused(timeline(nlohmann::json::array()), CutListFormat::otio);
  refused(timeline({{{"OTIO_SCHEMA", "Gap.1"}}}), CutListFormat::otio);
  refused("{\"OTIO_SCHEMA\":\"Stack.1\"}", CutListFormat::otio);
}

TEST(CutListFfmetadata, reads_other_time_bases_and_escaped_lines) {
  CutListHints hints;
  hints.rate = {25, 1};
  const CutList list = read_back(
      ";FFMETADATA1\ntitle=a\\=b\\\n[CHAPTER]\nartist=x\n#comment\n[STREAM]\nlanguage=eng\n"
      "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=4000\ntitle=one\n[CHAPTER]\nTIMEBASE=1/25\n"
      "START=100\nEND=250\n",
      CutListFormat::ffmetadata, hints);
  EXPECT_EQ((std::vector<std::uint64_t>{100}), cut_frames(list));
  EXPECT_EQ(250u, list.source.frames);
  refused("[CHAPTER]\nSTART=0\nEND=1\n", CutListFormat::ffmetadata, hints);
  refused(";FFMETADATA1\n[CHAPTER]\nEND=1000000000\n", CutListFormat::ffmetadata, hints);
  refused(";FFMETADATA1\n[CHAPTER]\nSTART=-1\nEND=1000000000\n", CutListFormat::ffmetadata, hints);
  refused(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=0/0\nSTART=0\nEND=1\n", CutListFormat::ffmetadata,
          hints);
  refused(";FFMETADATA1\n[CHAPTER]\nSTART=0\nSTART=0\nEND=1000000000\n", CutListFormat::ffmetadata,
          hints);
  refused(";FFMETADATA1\n[THING]\n", CutListFormat::ffmetadata, hints);
  refused(";FFMETADATA1\nnonsense\n", CutListFormat::ffmetadata, hints);
  refused(";FFMETADATA1\n", CutListFormat::ffmetadata, hints);
}

TEST(CutListWebvtt, rounds_up_so_that_a_player_lands_on_the_cut) {
  // Frame 1 of 23.976 starts at 41.708 ms: 00:00:00.041 would still show frame 0.
  const std::string text = written(make_list(kNtscFilm, 240, {1}), CutListFormat::webvtt);
  EXPECT_NE(std::string::npos, text.find("00:00:00.000 --> 00:00:00.042\nClip 1\n")) << text;
  EXPECT_NE(std::string::npos, text.find("00:00:00.042 --> 00:00:10.010\nClip 2\n")) << text;
}

TEST(CutListWebvtt, reads_styles_notes_settings_and_short_clocks) {
  CutListHints hints;
  hints.rate = {25, 1};
  const CutList list = read_back(
      "WEBVTT - title\nlanguage: en\n\nSTYLE\n::cue { color: red }\n\nNOTE a note\n\n"
      "00:00.000 --> 00:04.000 line:0 align:start\nfirst\nsecond line\n\n"
      "two\n00:00:04.000 --> 00:00:10.000\n\n\n",
      CutListFormat::webvtt, hints);
  EXPECT_EQ((std::vector<std::uint64_t>{100}), cut_frames(list));
  for (const char* text :
       {"WEBVTTX\n\n00:00.000 --> 00:04.000\n", "WEBVTT\n\nname\n\n",
        "WEBVTT\n\n00:00.00 --> 00:04.000\n", "WEBVTT\n\n00:00.000 --> 00:64.000\n",
        "WEBVTT\n\n00:00,000 --> 00:04,000\n", "WEBVTT\n\n00:00.000 -->\n", "WEBVTT\n"})
    refused(text, CutListFormat::webvtt, hints);
}

TEST(CutListQpfile, is_an_idr_frame_for_each_clip) {
  EXPECT_EQ("0 I -1\n96 I -1\n200 I -1\n",
            written(make_list(kNtscFilm, 240, {96, 200}), CutListFormat::qpfile));
}

TEST(CutListQpfile, reads_other_frame_types_and_needs_the_length) {
  CutListHints hints;
  hints.frames = 240;
  const CutList list = read_back("10 K\n20 P 30\n96 I 20\n", CutListFormat::qpfile, hints);
  EXPECT_EQ((std::vector<std::uint64_t>{10, 96}), cut_frames(list));
  EXPECT_EQ(kNoTime, list.source.start);
  refused("0 I -1\n", CutListFormat::qpfile);
  refused("0 X -1\n", CutListFormat::qpfile, hints);
  refused("0 I x\n", CutListFormat::qpfile, hints);
  refused("96 I -1\n10 I -1\n", CutListFormat::qpfile, hints);
  refused("240 I -1\n", CutListFormat::qpfile, hints);
}
