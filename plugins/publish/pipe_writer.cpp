// SPDX-License-Identifier: LGPL-2.1-or-later
#include "pipe_writer.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

namespace clips::publish {
namespace {

// Holds SIGPIPE off this thread and takes out one that a write caused, so that neither the process
// dies nor an application's own handler is disturbed.
class SigpipeBlocked {
 public:
  SigpipeBlocked() noexcept {
    sigemptyset(&sigpipe_);
    sigaddset(&sigpipe_, SIGPIPE);
    sigset_t pending;
    sigemptyset(&pending);
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
  }
  ~SigpipeBlocked() {
    const int saved = errno;
    const timespec now{};
    if (!was_pending_)
      while (sigtimedwait(&sigpipe_, nullptr, &now) < 0 && errno == EINTR) continue;
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = saved;
  }
  SigpipeBlocked(const SigpipeBlocked&) = delete;
  SigpipeBlocked& operator=(const SigpipeBlocked&) = delete;

 private:
  sigset_t sigpipe_;
  sigset_t before_;
  bool was_pending_ = false;
};

}  // namespace

tl::expected<PipeWriter, int> PipeWriter::open(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return tl::unexpected(errno);
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return tl::unexpected(errno);
  if ((flags & O_ACCMODE) == O_RDONLY) return tl::unexpected(EBADF);

  PipeWriter writer;
  writer.fd_ = fd;
  if (S_ISFIFO(status.st_mode)) {
    writer.kind_ = Kind::pipe;
    // A second, non-blocking way into the same pipe. Without /proc (or if the reader is gone, or
    // by permission) writes are kept to what poll() promises room for.
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    const int own = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (own >= 0) {
      writer.fd_ = own;
      writer.owned_ = true;
    }
  } else if (S_ISSOCK(status.st_mode)) {
    writer.kind_ = Kind::socket;
  }
  writer.wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (writer.wake_ < 0) return tl::unexpected(errno);
  return writer;
}

PipeWriter::PipeWriter(PipeWriter&& other) noexcept
    : kind_(other.kind_),
      fd_(std::exchange(other.fd_, -1)),
      owned_(std::exchange(other.owned_, false)),
      wake_(std::exchange(other.wake_, -1)) {}

PipeWriter::~PipeWriter() {
  if (owned_) close(fd_);
  if (wake_ >= 0) close(wake_);
}

void PipeWriter::interrupt() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t ignored = ::write(wake_, &one, sizeof one);
}

void PipeWriter::resume() noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t ignored = read(wake_, &count, sizeof count);
}

ssize_t PipeWriter::write_some(std::span<iovec> pieces) const noexcept {
  const auto count = std::min<std::size_t>(pieces.size(), IOV_MAX);
  if (kind_ == Kind::socket) {
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    return sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  const SigpipeBlocked blocked;
  if (kind_ == Kind::pipe && !owned_)
    return ::write(fd_, pieces.front().iov_base,
                   std::min<std::size_t>(pieces.front().iov_len, PIPE_BUF));
  return writev(fd_, pieces.data(), static_cast<int>(count));
}

tl::expected<void, PipeWriter::Failure> PipeWriter::write(std::span<const iovec> pieces) {
  std::vector<iovec> left(pieces.begin(), pieces.end());
  std::span<iovec> rest(left);
  std::size_t total = 0;
  while (true) {
    while (!rest.empty() && rest.front().iov_len == 0) rest = rest.subspan(1);
    if (rest.empty()) return {};
    pollfd fds[] = {{fd_, POLLOUT, 0}, {wake_, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return tl::unexpected(Failure{errno, total});
    }
    if (fds[1].revents != 0) return tl::unexpected(Failure{ECANCELED, total});
    const ssize_t written = write_some(rest);
    if (written < 0) {
      if (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK) continue;
      return tl::unexpected(Failure{errno, total});
    }
    auto done = static_cast<std::size_t>(written);
    total += done;
    while (done > 0) {
      const std::size_t taken = std::min(done, rest.front().iov_len);
      rest.front().iov_base = static_cast<std::byte*>(rest.front().iov_base) + taken;
      rest.front().iov_len -= taken;
      done -= taken;
      if (rest.front().iov_len == 0) rest = rest.subspan(1);
    }
  }
}

}  // namespace clips::publish
