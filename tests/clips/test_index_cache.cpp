// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Indexes that are kept: found again as they were, and whatever else lies in the folder does no
// harm.
#include <glib.h>
#include <glib/gstdio.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "indexcache.hpp"
#include "mp4index.hpp"

using namespace clips::cut;

namespace {

// The payload of the smallest moov that is a movie: one track of three sounds.
Bytes small_moov() {
  ByteWriter w;
  const auto mvhd = w.full_box(fourcc("mvhd"), 0, 0);
  w.zeros(8);
  w.u32(1000);
  w.u32(60);
  w.zeros(80);
  w.end(mvhd);
  const auto trak = w.box(fourcc("trak"));
  const auto tkhd = w.full_box(fourcc("tkhd"), 0, 3);
  w.zeros(8);
  w.u32(1);
  w.zeros(68);
  w.end(tkhd);
  const auto mdia = w.box(fourcc("mdia"));
  const auto mdhd = w.full_box(fourcc("mdhd"), 0, 0);
  w.zeros(8);
  w.u32(48000);
  w.u32(3072);
  w.zeros(4);
  w.end(mdhd);
  const auto hdlr = w.full_box(fourcc("hdlr"), 0, 0);
  w.zeros(4);
  w.u32(fourcc("soun"));
  w.zeros(13);
  w.end(hdlr);
  const auto minf = w.box(fourcc("minf"));
  const auto stbl = w.box(fourcc("stbl"));
  const auto stsd = w.full_box(fourcc("stsd"), 0, 0);
  w.u32(1);
  const auto entry = w.box(fourcc("mp4a"));
  w.zeros(6);
  w.u16(1);
  w.zeros(20);
  w.end(entry);
  w.end(stsd);
  const auto stts = w.full_box(fourcc("stts"), 0, 0);
  w.u32(1);
  w.u32(3);
  w.u32(1024);
  w.end(stts);
  const auto stsc = w.full_box(fourcc("stsc"), 0, 0);
  w.u32(1);
  w.u32(1);
  w.u32(3);
  w.u32(1);
  w.end(stsc);
  const auto stsz = w.full_box(fourcc("stsz"), 0, 0);
  w.u32(100);
  w.u32(3);
  w.end(stsz);
  const auto stco = w.full_box(fourcc("stco"), 0, 0);
  w.u32(1);
  w.u32(40);
  w.end(stco);
  w.end(stbl);
  w.end(minf);
  w.end(mdia);
  w.end(trak);
  return std::move(w.out);
}

KnownIndex known(const std::string& identity = "etag:1") {
  auto movie = parse_moov(std::make_shared<const Bytes>(small_moov()), 1000);
  EXPECT_TRUE(movie) << movie.error().message;
  return {identity, 1000, std::make_shared<const Movie>(std::move(*movie))};
}

class IndexFolder : public testing::Test {
 protected:
  void SetUp() override {
    gchar* made = g_dir_make_tmp("clips-index-XXXXXX", nullptr);
    ASSERT_TRUE(made);
    folder_ = made;
    g_free(made);
  }
  void TearDown() override {
    g_remove(path().c_str());
    g_rmdir(folder_.c_str());
  }
  std::string path() const { return folder_ + "/" + index_file_name(uri_); }
  Bytes content() const {
    std::ifstream file(path(), std::ios::binary);
    return Bytes(std::istreambuf_iterator<char>(file), {});
  }
  void put(ByteView bytes) const {
    std::ofstream(path(), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  std::string folder_;
  const std::string uri_ = "https://host/film.mp4?token=secret";
};

TEST_F(IndexFolder, an_index_is_found_again_as_it_was) {
  write_index_file(folder_, uri_, known());
  const auto found = read_index_file(folder_, uri_);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->identity, "etag:1");
  EXPECT_EQ(found->size, 1000u);
  ASSERT_EQ(found->movie->tracks.size(), 1u);
  EXPECT_EQ(found->movie->tracks[0].samples.count(), 3u);
  EXPECT_EQ(found->movie->tracks[0].samples.at(2).offset, 240u);
  EXPECT_FALSE(read_index_file(folder_, "https://host/other.mp4"));
}

TEST_F(IndexFolder, a_file_of_another_source_is_not_taken) {
  write_index_file(folder_, "https://host/other.mp4", known());
  const std::string other = folder_ + "/" + index_file_name("https://host/other.mp4");
  ASSERT_EQ(g_rename(other.c_str(), path().c_str()), 0);
  EXPECT_FALSE(read_index_file(folder_, uri_));
}

TEST_F(IndexFolder, nothing_of_the_address_stands_in_it) {
  write_index_file(folder_, uri_, known());
  const Bytes bytes = content();
  const std::string text(bytes.begin(), bytes.end());
  EXPECT_EQ(text.find("secret"), std::string::npos);
  EXPECT_EQ(text.find("host"), std::string::npos);
}

TEST_F(IndexFolder, a_damaged_file_gives_nothing) {
  write_index_file(folder_, uri_, known());
  const Bytes whole = content();
  ASSERT_GT(whole.size(), 100u);
  for (size_t i = 0; i < whole.size(); ++i) {
    Bytes bad = whole;
    bad[i] ^= 0x41;
    put(bad);
    EXPECT_FALSE(read_index_file(folder_, uri_)) << "byte " << i;
  }
  for (size_t length = 0; length < whole.size(); length += 7) {
    put(ByteView(whole).first(length));
    EXPECT_FALSE(read_index_file(folder_, uri_)) << "length " << length;
  }
}

TEST_F(IndexFolder, what_cannot_be_written_is_no_failure) {
  write_index_file("/proc/nowhere", uri_, known());
  EXPECT_FALSE(read_index_file("/proc/nowhere", uri_));
}

TEST(IndexCache, forgets_what_was_used_least) {
  IndexCache cache;
  for (size_t i = 0; i < IndexCache::kEntries; ++i) cache.store("u" + std::to_string(i), known());
  EXPECT_TRUE(cache.find("u0"));
  cache.store("one more", known());
  EXPECT_TRUE(cache.find("u0"));
  EXPECT_FALSE(cache.find("u1"));
  cache.store("u0", known("etag:2"));
  EXPECT_EQ(cache.find("u0")->identity, "etag:2");
  cache.forget("u0");
  EXPECT_FALSE(cache.find("u0"));
  cache.store("without", known(""));
  EXPECT_FALSE(cache.find("without"));
}

TEST(IndexCache, signatures_are_no_part_of_the_key) {
  EXPECT_EQ(index_key("https://b/k?X-Amz-Signature=abc"), "https://b/k");
  EXPECT_EQ(index_key("https://b/k?id=7"), "https://b/k?id=7");
}

}  // namespace
