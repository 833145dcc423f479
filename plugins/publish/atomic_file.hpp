// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace clips::publish {

// What went wrong, in terms that a caller can turn into a sentence.
struct FileError {
  enum class Kind {
    missing_directory,  // the target's directory does not exist
    not_a_file,         // the target is a directory, device, FIFO or socket
    open,               // the directory takes no new file: permission, read-only, bad name
    write,              // while writing, syncing or reading back
    publish,            // the last step: giving the file its name
  };
  Kind kind;
  int code;  // errno
};

template <typename T = void>
using FileResult = tl::expected<T, FileError>;

// A file that appears under its name only when it is complete and on the disk.
//
// The bytes go to a file without a name (O_TMPFILE), so that nothing is left of a process that is
// killed. publish() syncs it and links it to its name; where that name is taken, it is linked to a
// hidden name first and renamed over the old file, which readers therefore see until the new one
// is whole. Filesystems without O_TMPFILE get the hidden name from the start. A hidden name is
// `.clips-publish-<16 hex digits of the target's name>-<slot>`, and its file is locked (flock) by
// its writer for as long as that lives: one that is not locked was left by a killed process and
// is taken out by the next writer of the same target.
//
// Not thread-safe; one writer.
class AtomicFile {
 public:
  // A symbolic link is followed: the file that it names is replaced, the link stays.
  // `anonymous` false keeps to hidden names, as filesystems without O_TMPFILE make it do.
  static FileResult<AtomicFile> create(std::string target, bool anonymous = true);

  AtomicFile(AtomicFile&&) noexcept;
  AtomicFile& operator=(AtomicFile&&) noexcept;
  ~AtomicFile();  // drops what was not published

  // Writes at position() and moves it on.
  FileResult<> write(std::span<const iovec> pieces);
  // The next write goes there; past the end leaves a hole of zeros.
  FileResult<> seek(std::uint64_t position);
  // Empties the file.
  FileResult<> restart();

  std::uint64_t position() const { return position_; }

  struct Published {
    std::uint64_t bytes;
    std::string sha256;  // lower-case hex; empty unless asked for
  };
  // Durable and visible when it returns. The object is spent afterwards.
  FileResult<Published> publish();

  // From now on publish() also gives the SHA-256. It is taken while writing; only if the writer
  // went back is the file read once more at the end. Call it before the first write.
  void want_sha256();

 private:
  AtomicFile();
  FileResult<> flush();
  FileResult<> write_through(std::span<const iovec> pieces);
  FileResult<> give_hidden_name(bool link);
  FileResult<std::string> sha256();
  void discard() noexcept;

  struct Hash;
  std::unique_ptr<Hash> hash_;
  int directory_ = -1;
  int fd_ = -1;
  std::string name_;
  std::string hidden_name_;  // empty while the file has no name
  bool directory_can_sync_ = true;
  std::uint64_t position_ = 0;
  std::uint64_t size_ = 0;
  std::vector<std::byte> pending_;  // small writes gathered; they end at position_
};

}  // namespace clips::publish
