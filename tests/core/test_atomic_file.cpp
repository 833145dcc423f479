// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "atomic_file.hpp"

namespace {

namespace fs = std::filesystem;
using clips::publish::AtomicFile;
using clips::publish::FileError;

// Every case runs with files that have no name (O_TMPFILE) and with hidden names.
class AtomicFileTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    std::string name = fs::temp_directory_path() / "clips-atomic-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder = name;
  }
  void TearDown() override { fs::remove_all(folder); }

  AtomicFile create(const fs::path& path) {
    auto file = AtomicFile::create(path, GetParam());
    EXPECT_TRUE(file.has_value());
    return std::move(*file);
  }
  FileError create_error(const fs::path& path) {
    auto file = AtomicFile::create(path, GetParam());
    EXPECT_FALSE(file.has_value());
    return file ? FileError{} : file.error();
  }
  static void write(AtomicFile& file, std::string text) {
    const iovec piece{text.data(), text.size()};
    ASSERT_TRUE(file.write({&piece, 1}).has_value());
  }
  static std::string read(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  std::vector<std::string> listing() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder))
      names.push_back(entry.path().filename());
    return names;
  }
  std::vector<std::string> hidden() const {
    auto names = listing();
    std::erase_if(names, [](const auto& name) { return !name.starts_with(".clips-publish-"); });
    return names;
  }

  fs::path folder;
};

INSTANTIATE_TEST_SUITE_P(Naming, AtomicFileTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "anonymous" : "hidden_name"; });

TEST_P(AtomicFileTest, is_not_visible_before_publish) {
  auto file = create(folder / "a");
  write(file, "hello");
  EXPECT_FALSE(fs::exists(folder / "a"));
  const auto published = file.publish();
  ASSERT_TRUE(published);
  EXPECT_EQ(published->bytes, 5u);
  EXPECT_EQ(published->sha256, "");
  EXPECT_EQ(read(folder / "a"), "hello");
  EXPECT_EQ(listing().size(), 1u);
}

TEST_P(AtomicFileTest, leaves_nothing_when_dropped) {
  {
    auto file = create(folder / "a");
    write(file, std::string(1 << 20, 'x'));
  }
  EXPECT_TRUE(listing().empty());
}

TEST_P(AtomicFileTest, old_content_stays_until_the_new_is_whole) {
  std::ofstream(folder / "a") << "old";
  auto file = create(folder / "a");
  write(file, "new");
  EXPECT_EQ(read(folder / "a"), "old");
  ASSERT_TRUE(file.publish());
  EXPECT_EQ(read(folder / "a"), "new");
  EXPECT_EQ(listing().size(), 1u);
}

TEST_P(AtomicFileTest, rewrites_holes_and_gathered_writes_land_where_they_belong) {
  std::string expected(100, '\0');
  auto file = create(folder / "a");
  write(file, std::string(40, 'a'));
  ASSERT_TRUE(file.seek(90));
  write(file, "0123456789");
  ASSERT_TRUE(file.seek(8));
  write(file, "rewritten");
  EXPECT_EQ(file.position(), 17u);
  expected.replace(0, 40, 40, 'a');
  expected.replace(90, 10, "0123456789");
  expected.replace(8, 9, "rewritten");
  const auto published = file.publish();
  ASSERT_TRUE(published);
  EXPECT_EQ(published->bytes, 100u);
  EXPECT_EQ(read(folder / "a"), expected);
}

TEST_P(AtomicFileTest, many_pieces_and_sizes_keep_their_order) {
  std::string expected;
  auto file = create(folder / "a");
  for (int i = 0; i < 300; i++) {
    std::string first(static_cast<std::size_t>(i * 977 % 90000), static_cast<char>('a' + i % 26));
    std::string second(static_cast<std::size_t>(i % 7), static_cast<char>('A' + i % 26));
    const iovec pieces[] = {{first.data(), first.size()}, {second.data(), second.size()}};
    ASSERT_TRUE(file.write(pieces));
    expected += first + second;
    ASSERT_EQ(file.position(), expected.size());
  }
  ASSERT_TRUE(file.publish());
  EXPECT_TRUE(read(folder / "a") == expected);
}

TEST_P(AtomicFileTest, sha256_is_that_of_the_file_with_and_without_rewrites) {
  auto in_order = create(folder / "a");
  in_order.want_sha256();
  write(in_order, "ab");
  write(in_order, "c");
  // FIPS 180-2, appendix B.1
  EXPECT_EQ(in_order.publish()->sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  auto rewritten = create(folder / "b");
  rewritten.want_sha256();
  write(rewritten, "xbc");
  ASSERT_TRUE(rewritten.seek(0));
  write(rewritten, "a");
  EXPECT_EQ(rewritten.publish()->sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_P(AtomicFileTest, restart_forgets_what_was_written) {
  auto file = create(folder / "a");
  write(file, std::string(600000, 'x'));
  ASSERT_TRUE(file.restart());
  write(file, "y");
  EXPECT_EQ(file.publish()->bytes, 1u);
  EXPECT_EQ(read(folder / "a"), "y");
}

TEST_P(AtomicFileTest, empty_file_is_published) {
  ASSERT_TRUE(create(folder / "a").publish());
  EXPECT_EQ(fs::file_size(folder / "a"), 0u);
}

TEST_P(AtomicFileTest, mode_follows_the_umask) {
  const mode_t before = umask(027);
  auto file = create(folder / "a");
  umask(before);
  ASSERT_TRUE(file.publish());
  EXPECT_EQ(fs::status(folder / "a").permissions(), static_cast<fs::perms>(0640));
}

TEST_P(AtomicFileTest, hostile_names_are_taken_as_they_are) {
  const std::vector<std::string> names = {
      "a\nb", "%n%s", "-rf", "\xff\xfe", "a b'\"!*", ".hidden", std::string(255, 'n')};
  for (const std::string& name : names) {
    auto file = create(folder / name);
    write(file, name);
    ASSERT_TRUE(file.publish());
    EXPECT_EQ(read(folder / name), name);
  }
  EXPECT_EQ(listing().size(), names.size());
}

TEST_P(AtomicFileTest, symbolic_link_stays_and_what_it_names_is_replaced) {
  fs::create_directory(folder / "real");
  std::ofstream(folder / "real" / "a") << "old";
  fs::create_symlink("real/a", folder / "link");
  auto file = create(folder / "link");
  write(file, "new");
  ASSERT_TRUE(file.publish());
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read(folder / "real" / "a"), "new");
}

TEST_P(AtomicFileTest, what_is_not_a_file_is_never_replaced) {
  EXPECT_EQ(create_error(folder).kind, FileError::Kind::not_a_file);
  EXPECT_EQ(create_error(folder / "").kind, FileError::Kind::not_a_file);
  ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(create_error(folder / "fifo").kind, FileError::Kind::not_a_file);
  EXPECT_EQ(create_error("/dev/null").kind, FileError::Kind::not_a_file);
  // It appears while the file is written.
  auto file = create(folder / "late");
  fs::create_directory(folder / "late");
  const auto published = file.publish();
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().kind, FileError::Kind::not_a_file);
}

TEST_P(AtomicFileTest, missing_directory_and_link_loop_are_told_apart) {
  EXPECT_EQ(create_error(folder / "none" / "a").kind, FileError::Kind::missing_directory);
  fs::create_symlink("loop", folder / "loop");
  EXPECT_EQ(create_error(folder / "loop").code, ELOOP);
  EXPECT_EQ(create_error(folder / std::string(256, 'n')).code, ENAMETOOLONG);
}

TEST_P(AtomicFileTest, file_left_by_a_killed_writer_is_taken_out_by_the_next) {
  std::ofstream(folder / "a") << "old";
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto file = AtomicFile::create(folder / "a", false);
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_EQ(hidden().size(), 1u);
  EXPECT_EQ(read(folder / "a"), "old");
  auto file = create(folder / "a");
  write(file, "new");
  ASSERT_TRUE(file.publish());
  EXPECT_EQ(read(folder / "a"), "new");
  EXPECT_TRUE(hidden().empty());
}

TEST_P(AtomicFileTest, writers_of_one_name_do_not_disturb_each_other) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; i++) {
        auto file = create(folder / "a");
        write(file,
              std::string(1000 * static_cast<std::size_t>(t + 1), static_cast<char>('0' + t)));
        const auto published = file.publish();
        ASSERT_TRUE(published) << published.error().code;
        const std::string seen = read(folder / "a");
        ASSERT_FALSE(seen.empty());
        EXPECT_EQ(seen.size(), 1000u * static_cast<std::size_t>(seen[0] - '0' + 1));
        EXPECT_EQ(seen.find_first_not_of(seen[0]), std::string::npos);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(listing().size(), 1u);
}

TEST(AtomicFileNames, anonymous_file_of_a_killed_writer_leaves_nothing) {
  std::string name = fs::temp_directory_path() / "clips-atomic-XXXXXX";
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  const int probe = open(name.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (probe < 0) {
    fs::remove_all(name);
    GTEST_SKIP() << "the filesystem of " << name << " has no O_TMPFILE";
  }
  close(probe);
  const pid_t child = fork();
  if (child == 0) {
    auto file = AtomicFile::create(name + "/a");
    kill(getpid(), SIGKILL);
  }
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(fs::is_empty(name));
  fs::remove_all(name);
}

}  // namespace
