// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cache_cleaner.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

namespace clips::tool {

namespace {

// Where the kernel cannot say whether a file is being written, one changed so recently counts.
constexpr std::int64_t quiet_s = 60;

struct File {
  std::string name;
  ino_t inode;
  std::uint64_t bytes;
  std::int64_t modified;
  // Reading counts as use; access times are not kept everywhere.
  std::int64_t used;
  bool written;
};

std::uint64_t free_bytes(int directory) {
  struct statvfs disk {};
  if (fstatvfs(directory, &disk) != 0) return UINT64_MAX;
  return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
}

// Whether some process has the file open for writing: then the kernel grants no read lease.
bool is_being_written(int directory, const std::string& name, std::int64_t modified,
                      std::int64_t now) {
  const int file = openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return now - modified < quiet_s;
  const int granted = fcntl(file, F_SETLEASE, F_RDLCK);
  const int reason = errno;
  if (granted == 0) fcntl(file, F_SETLEASE, F_UNLCK);
  close(file);
  if (granted == 0) return false;
  return reason == EAGAIN || now - modified < quiet_s;
}

std::vector<File> read_folder(DIR* folder, std::int64_t now) {
  std::vector<File> files;
  while (const dirent* entry = readdir(folder)) {
    if (fnmatch("clip_*_*.mp4", entry->d_name, FNM_PERIOD) != 0) continue;
    struct stat status {};
    if (fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!S_ISREG(status.st_mode)) continue;
    files.push_back({entry->d_name, status.st_ino, static_cast<std::uint64_t>(status.st_size),
                     status.st_mtime, std::max(status.st_mtime, status.st_atime), false});
    files.back().written = is_being_written(dirfd(folder), files.back().name, status.st_mtime, now);
  }
  return files;
}

class Cleaner {
 public:
  Cleaner(int directory, bool dry_run, CacheStatistics& statistics)
      : directory_(directory),
        dry_run_(dry_run),
        free_bytes_(clips::tool::free_bytes(directory)),
        statistics_(statistics) {}

  // On the disk, as it is or as it would be.
  std::uint64_t free_bytes() const {
    return dry_run_ ? free_bytes_ + statistics_.freed_bytes : clips::tool::free_bytes(directory_);
  }

  // Whether the file is gone, by this call or by another's.
  bool remove(const File& file, std::uint64_t& counter) {
    struct stat status {};
    if (fstatat(directory_, file.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 &&
        errno == ENOENT)
      return true;
    // Another file has come under the name since it was looked at, or this one is written on.
    if (status.st_ino != file.inode || status.st_mtime != file.modified) return false;
    if (dry_run_ || unlinkat(directory_, file.name.c_str(), 0) == 0) {
      ++counter;
      statistics_.freed_bytes += file.bytes;
      return true;
    }
    if (errno == ENOENT) return true;
    if (statistics_.failed++ == 0) {
      statistics_.first_failure =
          "Could not remove " + file.name + ": " + std::strerror(errno) + ".";
    }
    return false;
  }

 private:
  int directory_;
  bool dry_run_;
  std::uint64_t free_bytes_;
  CacheStatistics& statistics_;
};

}  // namespace

nlohmann::ordered_json cache_statistics_json(const std::string& directory,
                                             const CacheStatistics& statistics) {
  return {{"directory", directory},
          {"examined", statistics.examined},
          {"expired", statistics.expired},
          {"evicted", statistics.evicted},
          {"spared", statistics.spared},
          {"failed", statistics.failed},
          {"freed_bytes", statistics.freed_bytes},
          {"kept_files", statistics.kept_files},
          {"kept_bytes", statistics.kept_bytes},
          {"free_bytes", statistics.free_bytes}};
}

tl::expected<CacheStatistics, std::string> clean_cache(const std::string& directory,
                                                       const CachePolicy& policy) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(directory.c_str()), closedir);
  if (!folder) {
    return tl::unexpected("Could not read the directory " + directory + ": " +
                          std::strerror(errno) + ".");
  }
  // One at a time: two that count the same clips would each remove what the other has made room
  // with. Where the file system knows no locks they still remove nothing that is not too much.
  flock(dirfd(folder.get()), LOCK_EX);
  // A writer that comes while a lease is tried for breaks it, which is told by this signal.
  std::signal(SIGIO, SIG_IGN);
  const std::int64_t now = std::time(nullptr);
  CacheStatistics statistics;
  Cleaner cleaner(dirfd(folder.get()), policy.dry_run, statistics);
  std::vector<File> files = read_folder(folder.get(), now);
  statistics.examined = files.size();
  statistics.spared = static_cast<std::uint64_t>(
      std::count_if(files.begin(), files.end(), [](const File& file) { return file.written; }));

  std::erase_if(files, [&](const File& file) {
    const bool old = now - file.modified > static_cast<std::int64_t>(policy.max_age_s);
    return old && !file.written && cleaner.remove(file, statistics.expired);
  });

  std::uint64_t bytes = 0;
  for (const File& file : files) bytes += file.bytes;
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) {
    return a.used != b.used ? a.used < b.used : a.name < b.name;
  });
  std::erase_if(files, [&](const File& file) {
    const bool needed = bytes > policy.max_bytes || cleaner.free_bytes() < policy.min_free_bytes;
    if (!needed || file.written || !cleaner.remove(file, statistics.evicted)) return false;
    bytes -= file.bytes;
    return true;
  });
  statistics.kept_files = files.size();
  statistics.kept_bytes = bytes;
  statistics.free_bytes = cleaner.free_bytes();
  return statistics;
}

}  // namespace clips::tool
