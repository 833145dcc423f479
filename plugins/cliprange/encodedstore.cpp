// SPDX-License-Identifier: LGPL-2.1-or-later
#include "encodedstore.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace clips::cut {

namespace {

constexpr size_t kMemory = 16 << 20;

tl::unexpected<Error> trouble(const char* what) {
  return fail(Fault::Read, "Could not keep the encoded pictures in a temporary file.",
              std::string(what) + ": " + strerror(errno));
}

}  // namespace

EncodedStore::~EncodedStore() {
  if (file_ >= 0) close(file_);
}

Result<uint64_t> EncodedStore::append(ByteView bytes) {
  if (file_ < 0 && memory_.size() + bytes.size() <= kMemory) {
    const uint64_t at = memory_.size();
    memory_.insert(memory_.end(), bytes.begin(), bytes.end());
    return at;
  }
  if (file_ < 0) {
    std::error_code error;
    auto folder = std::filesystem::temp_directory_path(error);
    if (error) folder = "/tmp";
    std::string name = (folder / "clipexport-XXXXXX").string();
    file_ = mkostemp(name.data(), O_CLOEXEC);
    if (file_ < 0) return trouble(name.c_str());
    unlink(name.c_str());
  }
  const uint64_t at = memory_.size() + file_size_;
  while (!bytes.empty()) {
    const ssize_t n = pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(file_size_));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return trouble("write");
    file_size_ += static_cast<uint64_t>(n);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return at;
}

Result<Bytes> EncodedStore::read(uint64_t offset, size_t length) const {
  Bytes bytes(length);
  size_t done = 0;
  if (offset < memory_.size()) {
    done = static_cast<size_t>(std::min<uint64_t>(length, memory_.size() - offset));
    std::copy_n(memory_.begin() + static_cast<ptrdiff_t>(offset), done, bytes.begin());
  }
  while (done < length) {
    const ssize_t n = pread(file_, bytes.data() + done, length - done,
                            static_cast<off_t>(offset + done - memory_.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return trouble("read");
    done += static_cast<size_t>(n);
  }
  return bytes;
}

}  // namespace clips::cut
