// SPDX-License-Identifier: LGPL-2.1-or-later
#include "atomic_file.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <utility>

namespace clips::publish {
namespace {

// Muxers write frame by frame: gather up to this much, as filesink does with 64 KiB.
constexpr std::size_t gather_limit = 256 * 1024;
// As many writers of one target at a time as can have a hidden file.
constexpr int hidden_slots = 64;

struct EvpFree {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) {
    if (!context_ || !EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr))
      throw std::bad_alloc();
  }
  void add(const void* data, std::size_t size) {
    EVP_DigestUpdate(context_.get(), data, size);
    bytes_ += size;
  }
  std::uint64_t bytes() const { return bytes_; }
  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned length = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &length);
    std::string text;
    for (unsigned i = 0; i < length; i++) {
      std::array<char, 3> two{};
      std::snprintf(two.data(), two.size(), "%02x", digest[i]);
      text += two.data();
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, EvpFree> context_;
  std::uint64_t bytes_ = 0;
};

tl::unexpected<FileError> fail(FileError::Kind kind, int code = errno) {
  return tl::unexpected(FileError{kind, code});
}

// FNV-1a, 64 bits: only tells hidden names of different targets apart.
std::uint64_t name_hash(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

std::string hidden_name(std::string_view name, int slot) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), ".clips-publish-%016llx-%02d",
                static_cast<unsigned long long>(name_hash(name)), slot);
  return text.data();
}

// Takes a hidden file out that nobody holds a lock on any more; true if the name may be free now.
bool remove_if_abandoned(int directory, const std::string& name) {
  const int fd = openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return errno == ENOENT;
  bool gone = false;
  struct stat held {
  }, named{};
  if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &held) == 0 && S_ISREG(held.st_mode)) {
    // The lock is on the file, not on the name: look whether it still is the one of that name.
    if (fstatat(directory, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0)
      gone = errno == ENOENT;
    else if (named.st_ino != held.st_ino || named.st_dev != held.st_dev)
      gone = true;
    else
      gone = unlinkat(directory, name.c_str(), 0) == 0;
  }
  close(fd);
  return gone;
}

bool lacks_tmpfile(int code) {
  return code == EOPNOTSUPP || code == EISDIR || code == EINVAL || code == ENOENT;
}

std::string proc_path(int fd) {
  return "/proc/self/fd/" + std::to_string(fd);
}

FileResult<std::string> follow_links(std::string path) {
  for (int depth = 0; depth < 40; depth++) {
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0 || !S_ISLNK(status.st_mode)) return path;
    std::array<char, PATH_MAX> link{};
    const ssize_t length = readlink(path.c_str(), link.data(), link.size());
    if (length <= 0) return fail(FileError::Kind::open);
    const std::string to(link.data(), static_cast<std::size_t>(length));
    const std::size_t slash = path.rfind('/');
    path = to.front() == '/' || slash == std::string::npos ? to : path.substr(0, slash + 1) + to;
  }
  return fail(FileError::Kind::open, ELOOP);
}

FileResult<> write_all(int fd, std::span<const iovec> pieces, std::uint64_t position) {
  std::vector<iovec> left(pieces.begin(), pieces.end());
  std::span<iovec> rest(left);
  while (true) {
    while (!rest.empty() && rest.front().iov_len == 0) rest = rest.subspan(1);
    if (rest.empty()) return {};
    const int count = static_cast<int>(std::min<std::size_t>(rest.size(), IOV_MAX));
    const ssize_t written = pwritev(fd, rest.data(), count, static_cast<off_t>(position));
    if (written < 0) {
      if (errno == EINTR) continue;
      return fail(FileError::Kind::write);
    }
    position += static_cast<std::uint64_t>(written);
    auto done = static_cast<std::size_t>(written);
    while (done > 0) {
      const std::size_t taken = std::min(done, rest.front().iov_len);
      rest.front().iov_base = static_cast<std::byte*>(rest.front().iov_base) + taken;
      rest.front().iov_len -= taken;
      done -= taken;
      if (rest.front().iov_len == 0) rest = rest.subspan(1);
    }
  }
}

int sync_file(int fd) {
  int result;
  do result = fsync(fd);
  while (result != 0 && errno == EINTR);
  return result;
}

}  // namespace

struct AtomicFile::Hash {
  Sha256 digest;
  bool in_order = true;
};

AtomicFile::AtomicFile() = default;

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : hash_(std::move(other.hash_)),
      directory_(std::exchange(other.directory_, -1)),
      fd_(std::exchange(other.fd_, -1)),
      name_(std::move(other.name_)),
      hidden_name_(std::exchange(other.hidden_name_, {})),
      directory_can_sync_(other.directory_can_sync_),
      position_(other.position_),
      size_(other.size_),
      pending_(std::move(other.pending_)) {}

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  if (this != &other) {
    std::destroy_at(this);
    std::construct_at(this, std::move(other));
  }
  return *this;
}

AtomicFile::~AtomicFile() {
  discard();
}

void AtomicFile::discard() noexcept {
  // Out of the directory before the lock goes with the descriptor.
  if (!hidden_name_.empty()) unlinkat(directory_, hidden_name_.c_str(), 0);
  hidden_name_.clear();
  if (fd_ >= 0) close(fd_);
  if (directory_ >= 0) close(directory_);
  fd_ = directory_ = -1;
}

FileResult<AtomicFile> AtomicFile::create(std::string target, bool anonymous) {
  auto path = follow_links(std::move(target));
  if (!path) return tl::unexpected(path.error());

  AtomicFile file;
  const std::size_t slash = path->rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path->substr(0, slash + 1);
  file.name_ = slash == std::string::npos ? *path : path->substr(slash + 1);
  if (file.name_.empty() || file.name_ == "." || file.name_ == "..")
    return fail(FileError::Kind::not_a_file, EISDIR);

  file.directory_ = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file.directory_ < 0 && errno == EACCES) {
    // A folder to drop files into, not to list: it can be used but not synced by itself.
    file.directory_ = open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    file.directory_can_sync_ = false;
  }
  if (file.directory_ < 0) {
    const bool missing = errno == ENOENT || errno == ENOTDIR;
    return fail(missing ? FileError::Kind::missing_directory : FileError::Kind::open);
  }

  struct stat status {};
  if (fstatat(file.directory_, file.name_.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!S_ISREG(status.st_mode))
      return fail(FileError::Kind::not_a_file, S_ISDIR(status.st_mode) ? EISDIR : ENODEV);
  } else if (errno != ENOENT) {
    return fail(FileError::Kind::open);
  }

  errno = EOPNOTSUPP;
  if (anonymous) file.fd_ = openat(file.directory_, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
  if (file.fd_ >= 0 && access(proc_path(file.fd_).c_str(), F_OK) != 0) {
    // Without /proc it could never be given a name.
    close(std::exchange(file.fd_, -1));
    errno = EOPNOTSUPP;
  }
  if (file.fd_ < 0) {
    if (!lacks_tmpfile(errno)) return fail(FileError::Kind::open);
    if (auto made = file.give_hidden_name(false); !made) return tl::unexpected(made.error());
  }
  return file;
}

FileResult<> AtomicFile::give_hidden_name(bool link) {
  // The lock stays with the file through link and rename; without flock() there is no tidying up
  // after killed processes, and nothing else is lost.
  if (link) flock(fd_, LOCK_EX | LOCK_NB);
  for (int slot = 0; slot < hidden_slots; slot++) {
    const std::string name = hidden_name(name_, slot);
    for (int attempt = 0; attempt < 8; attempt++) {
      if (link) {
        if (linkat(AT_FDCWD, proc_path(fd_).c_str(), directory_, name.c_str(), AT_SYMLINK_FOLLOW) ==
            0) {
          hidden_name_ = name;
          return {};
        }
      } else {
        fd_ = openat(directory_, name.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);
        if (fd_ >= 0) {
          // Between these two lines another writer may have taken it for abandoned.
          struct stat status {};
          const bool locked = flock(fd_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
          if (locked && fstat(fd_, &status) == 0 && status.st_nlink > 0) {
            hidden_name_ = name;
            return {};
          }
          close(std::exchange(fd_, -1));
          continue;
        }
      }
      if (errno != EEXIST) return fail(link ? FileError::Kind::publish : FileError::Kind::open);
      if (!remove_if_abandoned(directory_, name)) break;
    }
  }
  return fail(link ? FileError::Kind::publish : FileError::Kind::open, EBUSY);
}

void AtomicFile::want_sha256() {
  hash_ = std::make_unique<Hash>();
}

FileResult<> AtomicFile::write_through(std::span<const iovec> pieces) {
  std::uint64_t bytes = 0;
  for (const iovec& piece : pieces) bytes += piece.iov_len;
  if (hash_ && hash_->in_order) {
    if (hash_->digest.bytes() == position_) {
      for (const iovec& piece : pieces) hash_->digest.add(piece.iov_base, piece.iov_len);
    } else {
      hash_->in_order = false;
    }
  }
  if (auto done = write_all(fd_, pieces, position_); !done) return done;
  position_ += bytes;
  size_ = std::max(size_, position_);
  return {};
}

FileResult<> AtomicFile::flush() {
  if (pending_.empty()) return {};
  position_ -= pending_.size();
  const iovec all{pending_.data(), pending_.size()};
  auto done = write_through({&all, 1});
  pending_.clear();
  return done;
}

FileResult<> AtomicFile::write(std::span<const iovec> pieces) {
  std::size_t bytes = 0;
  for (const iovec& piece : pieces) bytes += piece.iov_len;
  if (pending_.size() + bytes > gather_limit) {
    if (auto done = flush(); !done) return done;
  }
  if (bytes >= gather_limit / 4) return flush().and_then([&] { return write_through(pieces); });
  for (const iovec& piece : pieces) {
    const auto* from = static_cast<const std::byte*>(piece.iov_base);
    pending_.insert(pending_.end(), from, from + piece.iov_len);
  }
  position_ += bytes;
  return {};
}

FileResult<> AtomicFile::seek(std::uint64_t position) {
  if (position == position_) return {};
  if (position > static_cast<std::uint64_t>(INT64_MAX)) return fail(FileError::Kind::write, EFBIG);
  auto done = flush();
  position_ = position;
  return done;
}

FileResult<> AtomicFile::restart() {
  pending_.clear();
  if (hash_) want_sha256();
  position_ = size_ = 0;
  if (ftruncate(fd_, 0) != 0) return fail(FileError::Kind::write);
  return {};
}

FileResult<std::string> AtomicFile::sha256() {
  if (!hash_) return std::string();
  if (hash_->in_order && hash_->digest.bytes() == size_) return hash_->digest.hex();
  Sha256 digest;
  std::vector<std::byte> block(std::size_t{1} << 20);
  while (digest.bytes() < size_) {
    const ssize_t got = pread(fd_, block.data(), block.size(), static_cast<off_t>(digest.bytes()));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail(FileError::Kind::write, got == 0 ? EIO : errno);
    digest.add(block.data(), static_cast<std::size_t>(got));
  }
  return digest.hex();
}

FileResult<AtomicFile::Published> AtomicFile::publish() {
  if (auto done = flush(); !done) return tl::unexpected(done.error());
  auto digest = sha256();
  if (!digest) return tl::unexpected(digest.error());
  // First the content, then the name: the other way round a power cut could show an empty file.
  if (sync_file(fd_) != 0) return fail(FileError::Kind::write);

  bool named = false;
  if (hidden_name_.empty()) {
    named =
        linkat(AT_FDCWD, proc_path(fd_).c_str(), directory_, name_.c_str(), AT_SYMLINK_FOLLOW) == 0;
    if (!named && errno != EEXIST) return fail(FileError::Kind::publish);
    if (!named) {
      if (auto made = give_hidden_name(true); !made) return tl::unexpected(made.error());
    }
  }
  if (!named) {
    struct stat status {};
    if (fstatat(directory_, name_.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        !S_ISREG(status.st_mode))
      return fail(FileError::Kind::not_a_file, S_ISDIR(status.st_mode) ? EISDIR : ENODEV);
    if (renameat(directory_, hidden_name_.c_str(), directory_, name_.c_str()) != 0)
      return fail(FileError::Kind::publish);
    hidden_name_.clear();
  }
  const int synced = directory_can_sync_ ? sync_file(directory_) : syncfs(fd_);
  // Some filesystems cannot sync a directory (EINVAL): there it is as durable as they make it.
  if (synced != 0 && errno != EINVAL) return fail(FileError::Kind::publish);
  Published published{size_, std::move(*digest)};
  discard();
  return published;
}

}  // namespace clips::publish
