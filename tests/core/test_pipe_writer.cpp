// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include "pipe_writer.hpp"

namespace {

using clips::publish::PipeWriter;
using std::chrono::milliseconds;

struct Ends {
  int read = -1;
  int write = -1;
  ~Ends() {
    if (read >= 0) close(read);
    close(write);
  }
};

// A pipe and a stream socket: the two things a reader can hang on.
class PipeWriterTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    int fds[2];
    if (GetParam()) {
      ASSERT_EQ(pipe(fds), 0);
    } else {
      ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    }
    ends.read = fds[0];
    ends.write = fds[1];
  }
  Ends ends;
};

INSTANTIATE_TEST_SUITE_P(Kind, PipeWriterTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "pipe" : "socket"; });

TEST_P(PipeWriterTest, all_bytes_arrive_in_order) {
  std::string first(300000, 'a'), second(5, 'b');
  std::string got;
  std::thread reader([&] {
    char block[4096];
    while (got.size() < first.size() + second.size()) {
      const ssize_t n = read(ends.read, block, sizeof block);
      if (n <= 0) break;
      got.append(block, static_cast<std::size_t>(n));
    }
  });
  auto writer = PipeWriter::open(ends.write);
  ASSERT_TRUE(writer);
  const iovec pieces[] = {
      {first.data(), first.size()}, {nullptr, 0}, {second.data(), second.size()}};
  EXPECT_TRUE(writer->write(pieces));
  reader.join();
  EXPECT_TRUE(got == first + second);
}

TEST_P(PipeWriterTest, reader_gone_is_an_error_and_no_signal) {
  // The default action would end the test program.
  signal(SIGPIPE, SIG_DFL);
  auto writer = PipeWriter::open(ends.write);
  ASSERT_TRUE(writer);
  close(std::exchange(ends.read, -1));
  char byte = 0;
  const iovec piece{&byte, 1};
  const auto done = writer->write({&piece, 1});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, EPIPE);
  sigset_t pending;
  sigpending(&pending);
  EXPECT_EQ(sigismember(&pending, SIGPIPE), 0);
}

TEST_P(PipeWriterTest, interrupt_ends_a_write_to_a_reader_that_sleeps) {
  auto writer = PipeWriter::open(ends.write);
  ASSERT_TRUE(writer);
  std::string data(8 << 20, 'x');
  std::thread other([&] {
    std::this_thread::sleep_for(milliseconds(50));
    writer->interrupt();
  });
  const iovec piece{data.data(), data.size()};
  const auto begin = std::chrono::steady_clock::now();
  const auto done = writer->write({&piece, 1});
  other.join();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, milliseconds(1000));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ECANCELED);
  EXPECT_GT(done.error().written, 0u);
  // And it goes on where it was after resume().
  writer->resume();
  std::size_t got = 0;
  std::thread reader([&] {
    std::string block(1 << 16, 0);
    while (got < data.size()) {
      const ssize_t n = read(ends.read, block.data(), block.size());
      if (n <= 0) break;
      got += static_cast<std::size_t>(n);
    }
  });
  const iovec rest{data.data() + done.error().written, data.size() - done.error().written};
  EXPECT_TRUE(writer->write({&rest, 1}));
  reader.join();
  EXPECT_EQ(got, data.size());
}

TEST_P(PipeWriterTest, flags_of_the_descriptor_stay_as_they_are) {
  const int before = fcntl(ends.write, F_GETFL);
  auto writer = PipeWriter::open(ends.write);
  ASSERT_TRUE(writer);
  EXPECT_EQ(fcntl(ends.write, F_GETFL), before);
}

TEST(PipeWriter, what_cannot_be_written_is_refused) {
  EXPECT_EQ(PipeWriter::open(987654).error(), EBADF);
  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(PipeWriter::open(fd).error(), EBADF);
  close(fd);
}

}  // namespace
