// SPDX-License-Identifier: LGPL-2.1-or-later
// The parts of s3sink that send nothing: part sizes, checksums, what may be rewritten, moov.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>

#include "checksum.hpp"
#include "moov.hpp"
#include "object_headers.hpp"
#include "part_plan.hpp"
#include "write_model.hpp"

namespace {

using namespace clips::s3;

constexpr std::uint64_t MiB = 1 << 20;

std::span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// Part plan

TEST(PartPlan, growing_parts_hold_more_than_any_store_takes) {
  for (const std::uint64_t first : {5 * MiB, 8 * MiB, 64 * MiB, 5120 * MiB}) {
    const PartPlan plan(first, false);
    EXPECT_GT(plan.capacity(), std::uint64_t{5} << 40) << first;
    EXPECT_EQ(plan.size(0), 0u);
    EXPECT_EQ(plan.size(kMaxParts + 1), 0u);
    for (int n = 1; n <= kMaxParts; n++) {
      ASSERT_GE(plan.size(n), kMinPartSize);
      ASSERT_LE(plan.size(n), kMaxPartSize);
      if (n > 1) {
        ASSERT_GE(plan.size(n), plan.size(n - 1));
      }
    }
  }
}

TEST(PartPlan, the_first_900_parts_stay_small) {
  EXPECT_EQ(PartPlan(8 * MiB, false).size(900), 8 * MiB);
  EXPECT_EQ(PartPlan(8 * MiB, false).size(901), 16 * MiB);
}

TEST(PartPlan, equal_parts_never_grow_and_limits_are_kept) {
  EXPECT_EQ(PartPlan(8 * MiB, true).size(kMaxParts), 8 * MiB);
  EXPECT_EQ(PartPlan(1, true).size(1), kMinPartSize);
  EXPECT_EQ(PartPlan(~std::uint64_t{0}, true).size(1), kMaxPartSize);
}

// Checksums

TEST(Checksum, known_values) {
  // Check values of the CRC catalogue (reveng.sourceforge.io): "123456789".
  EXPECT_EQ(crc32c(0, bytes_of("123456789")), 0xe3069283u);
  EXPECT_EQ(crc64nvme(0, bytes_of("123456789")), 0xae8b14860a799888u);
  const auto text = bytes_of("123456789");
  EXPECT_EQ(checksum_of(Checksum::crc32c, {{text}}), "4waSgw==");
  EXPECT_EQ(checksum_of(Checksum::crc64nvme, {{text}}), "rosUhgp5mIg=");
  const auto abc = bytes_of("abc");
  EXPECT_EQ(checksum_of(Checksum::sha256, {{abc}}), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
  EXPECT_EQ(checksum_of(Checksum::none, {{abc}}), "");
}

TEST(Checksum, pieces_count_as_one_text) {
  const std::string text(1000, 'x');
  for (const auto kind : {Checksum::crc32c, Checksum::crc64nvme, Checksum::sha256}) {
    const auto whole = bytes_of(text);
    const std::span<const std::byte> pieces[] = {
        whole.first(3), {}, whole.subspan(3, 500), whole.subspan(503)};
    EXPECT_EQ(checksum_of(kind, pieces), checksum_of(kind, {{whole}}));
  }
}

// Headers of the object

std::string header(const ObjectSettings& settings, std::string_view name) {
  const auto headers = object_headers(settings);
  return headers ? std::string(find_header(*headers, name)) : "error: " + headers.error();
}

TEST(ObjectHeaders, tags_are_one_encoded_header) {
  EXPECT_EQ(header({.tags = {{"who", "a&b c"}, {"state", "raw"}}}, "x-amz-tagging"),
            "state=raw&who=a%26b%20c");
}

TEST(ObjectHeaders, each_setting_has_its_header_and_nothing_is_sent_unasked) {
  ObjectSettings all;
  all.sse = "aws:kms";
  all.sse_kms_key_id = "arn:key";
  all.metadata = {{"take", "7"}};
  EXPECT_EQ(header(all, "x-amz-server-side-encryption"), "aws:kms");
  EXPECT_EQ(header(all, "x-amz-server-side-encryption-aws-kms-key-id"), "arn:key");
  EXPECT_EQ(header(all, "x-amz-meta-take"), "7");
  EXPECT_EQ(object_headers(all)->size(), 3u);
  EXPECT_TRUE(object_headers({})->empty());
}

TEST(ObjectHeaders, what_would_be_a_second_header_is_refused) {
  EXPECT_TRUE(header({.acl = "private\r\nx: y"}, "x").starts_with("error: acl"));
  EXPECT_TRUE(header({.metadata = {{"a: b", "c"}}}, "x").starts_with("error: metadata"));
  EXPECT_TRUE(header({.metadata = {{"a", "b\nc"}}}, "x").starts_with("error: metadata"));
}

TEST(ContentType, by_ending_and_by_caps) {
  EXPECT_EQ(content_type_of_key("a/b.MP4"), "video/mp4");
  EXPECT_EQ(content_type_of_key("a.b/c"), "");
  EXPECT_EQ(content_type_of_key("list.m3u8"), "application/vnd.apple.mpegurl");
  EXPECT_EQ(content_type_of_caps("video/quicktime", "iso"), "video/mp4");
  EXPECT_EQ(content_type_of_caps("video/quicktime", "apple"), "video/quicktime");
  EXPECT_EQ(content_type_of_caps("video/x-raw", ""), "");
}

// Movie boxes

std::string number(std::uint64_t value, int size) {
  std::string text;
  for (int i = size - 1; i >= 0; i--) text += static_cast<char>(value >> (8 * i));
  return text;
}

std::string box(const char* type, const std::string& content) {
  return number(content.size() + 8, 4) + type + content;
}

std::string offsets(const std::vector<std::uint64_t>& values, bool wide) {
  std::string content = number(0, 4) + number(values.size(), 4);
  for (const auto value : values) content += number(value, wide ? 8 : 4);
  return box(wide ? "co64" : "stco", content);
}

std::string track(const std::string& table) {
  const std::string stbl = box("stbl", box("stsd", "description") + table);
  return box("trak",
             box("tkhd", "header") + box("mdia", box("mdhd", "m") + box("minf", "" + stbl)));
}

std::string movie(const std::vector<std::string>& tables, const std::string& more = "") {
  std::string content = box("mvhd", "movie header");
  for (const auto& table : tables) content += track(table);
  return box("moov", content + more);
}

// All chunk offsets of a moov, as an independent reader finds them: by the names of the tables.
std::vector<std::uint64_t> read_offsets(std::string_view moov) {
  std::vector<std::uint64_t> found;
  for (std::size_t at = 0; at + 12 <= moov.size(); at++) {
    const bool wide = moov.substr(at, 4) == "co64";
    if (!wide && moov.substr(at, 4) != "stco") continue;
    const auto read = [&](std::size_t from, int size) {
      std::uint64_t value = 0;
      for (int i = 0; i < size; i++)
        value = value << 8 | static_cast<unsigned char>(moov[from + static_cast<unsigned>(i)]);
      return value;
    };
    const auto count = read(at + 8, 4);
    for (std::size_t i = 0; i < count; i++)
      found.push_back(read(at + 12 + i * (wide ? 8 : 4), wide ? 8 : 4));
  }
  return found;
}

std::string relocate(const std::string& boxes, std::uint64_t begin, std::uint64_t end) {
  const auto moved = relocate_moov(bytes_of(boxes), begin, end);
  if (!moved) return "error: " + moved.error();
  return {reinterpret_cast<const char*>(moved->data()), moved->size()};
}

TEST(Moov, offsets_move_by_the_size_of_what_is_put_before_them) {
  const std::string boxes = movie({offsets({48, 1000, 2000}, false), offsets({500}, true)}) +
                            box("uuid", "extra") + box("free", "");
  const std::string moved = relocate(boxes, 48, 5000);
  ASSERT_EQ(moved.size(), boxes.size());
  const auto shift = boxes.size();
  EXPECT_EQ(read_offsets(moved),
            (std::vector<std::uint64_t>{48 + shift, 1000 + shift, 2000 + shift, 500 + shift}));
  EXPECT_TRUE(moved.ends_with(box("uuid", "extra") + box("free", "")));
}

TEST(Moov, table_that_passes_4_gib_becomes_co64_and_the_growth_counts) {
  const std::uint64_t edge = std::uint64_t{1} << 32;
  std::vector<std::uint64_t> low{48, 100}, high;
  for (std::uint64_t i = 0; i < 500; i++) high.push_back(edge - 600 + i);
  const std::string boxes = movie({offsets(low, false), offsets(high, false)});
  const std::string moved = relocate(boxes, 48, edge);
  ASSERT_EQ(moved.size(), boxes.size() + 4 * high.size());
  std::vector<std::uint64_t> expected = low;
  expected.insert(expected.end(), high.begin(), high.end());
  for (auto& value : expected) value += moved.size();
  EXPECT_EQ(read_offsets(moved), expected);
  EXPECT_NE(moved.find("stco"), std::string::npos);
}

TEST(Moov, promotion_of_one_table_can_call_for_that_of_another) {
  const std::uint64_t edge = std::uint64_t{1} << 32;
  const std::vector<std::uint64_t> over(1000, edge - 1);
  const std::string plain = movie({offsets({48}, false), offsets(over, false)});
  // The first table passes the edge only because the second one grows by 4000 bytes.
  const std::vector<std::uint64_t> almost{edge - 1 - plain.size() - 100};
  const std::string boxes = movie({offsets(almost, false), offsets(over, false)});
  const std::string moved = relocate(boxes, 48, edge);
  ASSERT_EQ(moved.size(), boxes.size() + 4 * 1001);
  EXPECT_EQ(moved.find("stco"), std::string::npos);
  EXPECT_EQ(read_offsets(moved).front(), almost.front() + moved.size());
}

TEST(Moov, offsets_far_behind_4_gib_stay_co64) {
  const std::uint64_t far = std::uint64_t{6} << 40;
  const std::string boxes = movie({offsets({far, far + 5}, true)});
  const std::string moved = relocate(boxes, 48, far + 10);
  EXPECT_EQ(read_offsets(moved),
            (std::vector<std::uint64_t>{far + boxes.size(), far + 5 + boxes.size()}));
}

TEST(Moov, what_would_break_is_refused) {
  const std::string good = movie({offsets({48}, false)});
  EXPECT_EQ(relocate(good, 48, 100).size(), good.size());
  EXPECT_TRUE(relocate(good, 49, 100).starts_with("error: a chunk lies outside"));
  EXPECT_TRUE(relocate(good, 0, 48).starts_with("error: a chunk lies outside"));
  EXPECT_TRUE(relocate(good.substr(0, good.size() - 1), 48, 100).starts_with("error"));
  EXPECT_TRUE(relocate(good + "1234567", 48, 100).starts_with("error"));
  EXPECT_TRUE(relocate(good + box("mdat", "x"), 48, 100).starts_with("error"));
  EXPECT_TRUE(relocate(box("free", "") + good, 48, 100).starts_with("error"));
  EXPECT_TRUE(relocate(movie({offsets({48}, false)}, box("mvex", "")), 48, 100)
                  .starts_with("error: the movie is"));
  EXPECT_TRUE(relocate(movie({offsets({48}, false) + box("saio", "")}), 48, 100)
                  .starts_with("error: the movie is"));
  EXPECT_TRUE(relocate(movie({offsets({48}, false)}, box("meta", box("iloc", ""))), 48, 100)
                  .starts_with("error: the metadata"));
  std::string lying = good;
  lying[good.find("stco") + 11] = 2;  // says two entries, has one
  EXPECT_TRUE(relocate(lying, 48, 100).starts_with("error: a chunk offset table"));
}

TEST(Moov, media_is_found_behind_ftyp_and_not_behind_moov) {
  const std::string head = box("ftyp", "isom") + box("free", "");
  const auto placeholder = find_media(bytes_of(head + number(0, 4) + "mdat"));
  ASSERT_TRUE(placeholder);
  EXPECT_EQ(placeholder->insert_at, 12u);
  EXPECT_EQ(placeholder->mdat.offset, 20u);
  EXPECT_EQ(placeholder->mdat.size, 0u);
  const auto wide = find_media(bytes_of(head + number(1, 4) + "mdat" + number(1ull << 33, 8)));
  ASSERT_TRUE(wide);
  EXPECT_EQ(wide->mdat.header_size, 16u);
  EXPECT_EQ(wide->mdat.size, 1ull << 33);
  EXPECT_FALSE(find_media(bytes_of(head + box("moov", "") + box("mdat", "x"))));
  EXPECT_FALSE(find_media(bytes_of(box("mdat", "x"))));
  EXPECT_FALSE(find_media(bytes_of(head + "\0\0")));
}

// Write model

// A store of parts, put together at the end; next to it the file as it should be.
class Writer {
 public:
  explicit Writer(WriteModel::Options options = {})
      : model(options, std::make_shared<ChunkPool>()) {}

  // False when the model refuses.
  bool write(std::string_view text) {
    auto rest = bytes_of(text);
    const auto at = model.position();
    if (expected.size() < at + text.size()) expected.resize(at + text.size());
    expected.replace(at, text.size(), text);
    for (bool first = true; !rest.empty(); first = false) {
      const auto taken = model.write(rest, first);
      if (!taken) {
        error = taken.error();
        return false;
      }
      rest = rest.subspan(*taken);
      while (auto part = model.take_part()) take(*part);
    }
    return true;
  }
  bool write_at(std::uint64_t position, std::string_view text) {
    const auto done = model.seek(position);
    if (!done) {
      error = done.error();
      return false;
    }
    return write(text);
  }
  bool finish() {
    auto rest = model.finish();
    if (!rest) {
      error = rest.error();
      return false;
    }
    for (const auto& part : *rest) take(part);
    return true;
  }
  std::string object() const {
    std::string all;
    for (const auto& [number, text] : parts) all += text;
    return all;
  }

  WriteModel model;
  std::string expected;
  std::map<int, std::string> parts;
  WriteError error{};

 private:
  void take(const WriteModel::Part& part) {
    ASSERT_FALSE(parts.contains(part.number));
    auto& text = parts[part.number];
    for (const auto piece : part.pieces)
      text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    EXPECT_EQ(text.size(), part.size());
  }
};

std::string media(std::size_t size, unsigned seed = 1) {
  std::mt19937_64 random(seed);
  std::string text((size + 7) / 8 * 8, '\0');
  for (std::size_t at = 0; at < text.size(); at += 8) {
    const std::uint64_t word = random();
    std::memcpy(text.data() + at, &word, 8);
  }
  text.resize(size);
  return text;
}

constexpr WriteModel::Options small{.part_size = 5 * MiB, .faststart = Faststart::automatic};

TEST(WriteModel, empty_stream_is_one_empty_part) {
  Writer writer;
  ASSERT_TRUE(writer.finish());
  EXPECT_EQ(writer.parts, (std::map<int, std::string>{{1, ""}}));
}

TEST(WriteModel, less_than_a_part_is_one_part) {
  Writer writer(small);
  ASSERT_TRUE(writer.write(media(1000)));
  ASSERT_TRUE(writer.write_at(3, "abc"));
  ASSERT_TRUE(writer.finish());
  ASSERT_EQ(writer.parts.size(), 1u);
  EXPECT_EQ(writer.object(), writer.expected);
}

TEST(WriteModel, stream_that_nobody_rewrites_keeps_no_part_back) {
  Writer writer(small);
  ASSERT_TRUE(writer.write(media(23 * MiB)));
  EXPECT_EQ(writer.parts.size(), 4u);
  EXPECT_LE(writer.model.retained(), 5 * MiB);
  ASSERT_TRUE(writer.finish());
  EXPECT_EQ(writer.parts.size(), 5u);
  EXPECT_TRUE(writer.object() == writer.expected);
}

TEST(WriteModel, head_can_be_rewritten_until_the_end) {
  Writer writer(small);
  writer.model.set_rewritable();
  ASSERT_TRUE(writer.write(media(18 * MiB)));
  EXPECT_FALSE(writer.parts.contains(1));
  ASSERT_TRUE(writer.write_at(32, "sixteen bytes...") && writer.write_at(5 * MiB - 3, "end"));
  ASSERT_TRUE(writer.write_at(18 * MiB, "more"));
  ASSERT_TRUE(writer.finish());
  EXPECT_TRUE(writer.object() == writer.expected);
}

// A reserved index of an hour takes almost 8 MiB of the file's begin.
TEST(WriteModel, head_is_longer_than_a_part_where_a_muxer_goes_back_and_parts_may_differ) {
  const WriteModel::Options options{.part_size = 5 * MiB, .head_size = 8 * MiB};
  Writer writer(options);
  writer.model.set_rewritable();
  ASSERT_TRUE(writer.write(media(20 * MiB)));
  ASSERT_TRUE(writer.write_at(8 * MiB - 3, "end"));
  ASSERT_TRUE(writer.finish());
  EXPECT_EQ(writer.parts[1].size(), 8 * MiB);
  EXPECT_EQ(writer.parts[2].size(), 5 * MiB);
  EXPECT_TRUE(writer.object() == writer.expected);

  Writer plain(options);
  ASSERT_TRUE(plain.write(media(20 * MiB)));
  EXPECT_EQ(plain.parts[1].size(), 5 * MiB);

  Writer equal({.part_size = 5 * MiB, .head_size = 8 * MiB, .faststart = Faststart::off});
  equal.model.set_rewritable();
  ASSERT_TRUE(equal.write(media(12 * MiB)));
  ASSERT_TRUE(equal.finish());
  EXPECT_EQ(equal.parts[1].size(), 5 * MiB);
}

TEST(WriteModel, more_than_the_parts_of_an_upload_hold_is_an_error_with_its_place) {
  Writer writer({.part_size = 5 * MiB, .faststart = Faststart::off, .max_parts = 3});
  ASSERT_TRUE(writer.write(media(15 * MiB)));
  const auto text = media(1);
  const auto done = writer.model.write(bytes_of(text), true);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, WriteError::Kind::too_long);
  EXPECT_EQ(done.error().position, 15 * MiB);
}

TEST(WriteModel, riff_header_is_kept_though_its_muxer_never_asks) {
  Writer writer(small);
  ASSERT_TRUE(writer.write("RIFF" + media(12 * MiB)));
  ASSERT_TRUE(writer.write_at(4, "size"));
  ASSERT_TRUE(writer.finish());
  EXPECT_TRUE(writer.object() == writer.expected);
}

TEST(WriteModel, rewrite_of_what_was_sent_is_an_error_with_its_place) {
  Writer writer(small);
  writer.model.set_rewritable();
  ASSERT_TRUE(writer.write(media(18 * MiB)));
  EXPECT_FALSE(writer.write_at(7 * MiB, "x"));
  EXPECT_EQ(writer.error.kind, WriteError::Kind::rewrite);
  EXPECT_EQ(writer.error.position, 7 * MiB);
  // Also when it begins in the head and reaches past it.
  EXPECT_FALSE(writer.write_at(5 * MiB - 1, "xx"));
  EXPECT_EQ(writer.error.position, 5 * MiB);
}

TEST(WriteModel, part_being_filled_can_be_rewritten) {
  Writer writer(small);
  ASSERT_TRUE(writer.write(media(18 * MiB)));
  ASSERT_TRUE(writer.write_at(15 * MiB, "first byte of the last part"));
  ASSERT_TRUE(writer.write_at(18 * MiB - 5, "over the end"));
  ASSERT_TRUE(writer.finish());
  EXPECT_TRUE(writer.object() == writer.expected);
}

TEST(WriteModel, matroska_keeps_the_cluster_whose_size_is_to_come) {
  Writer writer(small);
  writer.model.set_rewritable();
  ASSERT_TRUE(writer.write("\x1a\x45\xdf\xa3" + media(6 * MiB)));
  std::uint64_t cluster = 0;
  for (const std::size_t size : {3 * MiB, 12 * MiB, 100 * std::uint64_t{1}, 17 * MiB}) {
    cluster = writer.model.size();
    ASSERT_TRUE(writer.write("\x1f\x43\xb6\x75????????"));
    ASSERT_TRUE(writer.write(media(size)));
    EXPECT_LE(writer.model.retained(), 5 * MiB + (size / (5 * MiB) + 2) * 5 * MiB);
    ASSERT_TRUE(writer.write_at(cluster + 4, "the size"));
    ASSERT_TRUE(writer.model.seek(writer.model.size()));
  }
  ASSERT_TRUE(writer.write_at(100, "duration"));
  ASSERT_TRUE(writer.finish());
  EXPECT_TRUE(writer.object() == writer.expected);
}

TEST(WriteModel, cluster_of_more_than_32_mib_and_four_parts_is_not_kept_whole) {
  Writer writer(small);
  writer.model.set_rewritable();
  ASSERT_TRUE(writer.write("\x1a\x45\xdf\xa3" + media(6 * MiB)));
  const auto cluster = writer.model.size();
  ASSERT_TRUE(writer.write("\x1f\x43\xb6\x75????????"));
  ASSERT_TRUE(writer.write(media(30 * MiB)));
  ASSERT_TRUE(writer.write_at(cluster + 4, "the size"));
  ASSERT_TRUE(writer.model.seek(writer.model.size()));
  ASSERT_TRUE(writer.write(media(20 * MiB)));
  EXPECT_LE(writer.model.retained(), 5 * MiB + 40 * MiB);
  EXPECT_FALSE(writer.write_at(cluster + 4, "the size"));
}

TEST(WriteModel, what_is_skipped_reads_as_zeros) {
  Writer writer(small);
  writer.model.set_rewritable();
  ASSERT_TRUE(writer.write("abc"));
  ASSERT_TRUE(writer.write_at(5 * MiB - 1, "over the part"));
  ASSERT_TRUE(writer.write_at(9 * MiB, "end"));
  ASSERT_TRUE(writer.write_at(100, "head"));
  ASSERT_TRUE(writer.finish());
  EXPECT_TRUE(writer.object() == writer.expected);
}

TEST(WriteModel, jump_far_past_the_end_is_an_error) {
  Writer writer(small);
  ASSERT_TRUE(writer.write("abc"));
  EXPECT_FALSE(writer.model.seek(5 * MiB + 4));
}

TEST(WriteModel, random_rewrites_inside_of_the_head_and_the_open_part) {
  std::mt19937 random(7);
  for (int round = 0; round < 5; round++) {
    Writer writer(small);
    writer.model.set_rewritable();
    for (int i = 0; i < 20; i++) {
      ASSERT_TRUE(writer.write_at(writer.model.size(), media(random() % (2 * MiB), random())));
      const auto text = media(random() % 5000, random());
      const bool in_head = random() % 2 == 0;
      const std::uint64_t open = writer.model.size() / (5 * MiB) * (5 * MiB);
      const std::uint64_t first = in_head ? 0 : open;
      const std::uint64_t last =
          in_head ? std::min(5 * MiB, writer.model.size()) : writer.model.size();
      if (last - first <= text.size()) continue;
      ASSERT_TRUE(writer.write_at(first + random() % (last - first - text.size()), text));
    }
    ASSERT_TRUE(writer.finish());
    EXPECT_TRUE(writer.object() == writer.expected);
  }
}

TEST(WriteModel, equal_parts_when_moov_stays_last) {
  Writer writer({.part_size = 5 * MiB, .faststart = Faststart::off});
  writer.model.set_rewritable();
  ASSERT_TRUE(writer.write(media(22 * MiB)));
  ASSERT_TRUE(writer.finish());
  for (int n = 1; n <= 4; n++) EXPECT_EQ(writer.parts[n].size(), 5 * MiB);
}

// What mp4mux sends: ftyp, free + mdat as a placeholder, media, moov, and then the size of mdat.
class Mp4 : public Writer {
 public:
  using Writer::Writer;

  void begin(std::size_t media_size) {
    model.set_rewritable();
    ASSERT_TRUE(write(ftyp));
    ASSERT_TRUE(write(box("free", "") + number(0, 4) + "mdat"));
    payload = media(media_size, 5);
    ASSERT_TRUE(write(payload));
  }
  void end(const std::string& boxes, bool finalise = true) {
    ASSERT_TRUE(write(boxes));
    if (finalise) {
      ASSERT_TRUE(write_at(ftyp.size(), box("free", "") + number(payload.size() + 8, 4) + "mdat"));
    }
  }

  const std::string ftyp = box("ftyp", "mp42xxxxisom");
  std::string payload;
};

TEST(WriteModel, moov_comes_first_and_its_offsets_find_the_media) {
  for (const std::size_t size : {std::size_t{1000}, std::size_t{17} << 20}) {
    Mp4 mp4(small);
    mp4.begin(size);
    const std::vector<std::uint64_t> chunks{36, 500, 35 + size};
    const std::string boxes = movie({offsets(chunks, false)}) + box("uuid", "xmp");
    mp4.end(boxes);
    ASSERT_TRUE(mp4.finish());
    EXPECT_TRUE(mp4.model.moved_moov());
    const std::string object = mp4.object();
    EXPECT_EQ(object.size(), mp4.expected.size());
    EXPECT_EQ(object.size(), mp4.model.size());
    EXPECT_TRUE(object.starts_with(mp4.ftyp + boxes.substr(0, 8)));
    EXPECT_TRUE(object.ends_with(mp4.payload));
    const auto moved = read_offsets(object.substr(mp4.ftyp.size(), boxes.size()));
    for (std::size_t i = 0; i < chunks.size(); i++)
      EXPECT_EQ(object[moved[i]], mp4.expected[chunks[i]]);
    EXPECT_EQ(mp4.parts.size(), size < 5 * MiB ? 1u : 4u);
  }
}

TEST(WriteModel, moov_that_is_not_confirmed_stays_where_it_is) {
  Mp4 unfinished(small);
  unfinished.begin(6 * MiB);
  unfinished.end(movie({offsets({36}, false)}), false);
  ASSERT_TRUE(unfinished.finish());
  EXPECT_TRUE(unfinished.object() == unfinished.expected);

  Mp4 odd(small);  // a chunk that is not in the media
  odd.begin(6 * MiB);
  odd.end(movie({offsets({3}, false)}));
  ASSERT_TRUE(odd.finish());
  EXPECT_TRUE(odd.object() == odd.expected);
  EXPECT_FALSE(odd.model.moved_moov());
}

TEST(WriteModel, media_that_looks_like_moov_is_media) {
  Mp4 mp4(small);
  mp4.begin(6 * MiB);
  const std::string fake = movie({offsets({36}, false)});
  ASSERT_TRUE(mp4.write(fake));  // a sample of the media that is a movie
  ASSERT_TRUE(mp4.write(media(6 * MiB, 9)));
  mp4.payload = mp4.expected.substr(36);
  mp4.end(movie({offsets({36}, false)}));
  ASSERT_TRUE(mp4.finish());
  EXPECT_TRUE(mp4.object() == mp4.expected);
}

TEST(WriteModel, held_bytes_can_be_rewritten) {
  Mp4 mp4(small);
  mp4.begin(6 * MiB);
  std::string boxes = movie({offsets({36}, false)}) + box("uuid", "before");
  const auto at = mp4.model.size();
  mp4.end(boxes);
  ASSERT_TRUE(mp4.write_at(at + boxes.size() - 6, "after!"));
  ASSERT_TRUE(mp4.finish());
  EXPECT_TRUE(mp4.model.moved_moov());
  EXPECT_NE(mp4.object().find("after!"), std::string::npos);
}

TEST(WriteModel, required_faststart_that_is_impossible_is_an_error) {
  Mp4 mp4({.part_size = 5 * MiB, .faststart = Faststart::required});
  mp4.begin(6 * MiB);
  mp4.end(movie({offsets({3}, false)}));
  EXPECT_FALSE(mp4.finish());
  EXPECT_EQ(mp4.error.kind, WriteError::Kind::moov);

  Writer other({.part_size = 5 * MiB, .faststart = Faststart::required});
  other.model.set_rewritable();
  ASSERT_TRUE(other.write("no movie at all"));
  EXPECT_TRUE(other.finish());
}

TEST(WriteModel, switched_off_faststart_leaves_the_file_as_the_muxer_wrote_it) {
  Mp4 mp4({.part_size = 5 * MiB, .faststart = Faststart::off});
  mp4.begin(6 * MiB);
  mp4.end(movie({offsets({36}, false)}));
  ASSERT_TRUE(mp4.finish());
  EXPECT_TRUE(mp4.object() == mp4.expected);
}

}  // namespace
