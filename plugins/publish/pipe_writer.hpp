// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstdint>
#include <span>
#include <tl/expected.hpp>

namespace clips::publish {

// Writes to a file descriptor that belongs to somebody else: a pipe, socket, terminal or file.
// A reader that is gone is an error (EPIPE) and never a SIGPIPE, a reader that does not read never
// blocks past interrupt(), and the descriptor's own flags, which other processes may share, stay
// as they are.
class PipeWriter {
 public:
  // `fd` stays the caller's and open. The error is an errno.
  static tl::expected<PipeWriter, int> open(int fd);
  PipeWriter(PipeWriter&& other) noexcept;
  PipeWriter& operator=(PipeWriter&&) = delete;
  ~PipeWriter();

  // ECANCELED: interrupted; `written` bytes of all pieces are out.
  struct Failure {
    int code;
    std::size_t written;
  };
  tl::expected<void, Failure> write(std::span<const iovec> pieces);

  // From any thread: a write under way or to come ends with ECANCELED until resume().
  void interrupt() noexcept;
  void resume() noexcept;

 private:
  PipeWriter() = default;
  ssize_t write_some(std::span<iovec> pieces) const noexcept;

  enum class Kind { pipe, socket, other };
  Kind kind_ = Kind::other;
  int fd_ = -1;
  bool owned_ = false;
  int wake_ = -1;  // an eventfd, readable while interrupted
};

}  // namespace clips::publish
