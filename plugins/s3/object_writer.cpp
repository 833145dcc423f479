// SPDX-License-Identifier: LGPL-2.1-or-later
#include "object_writer.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <thread>
#include <utility>

namespace clips::s3 {
namespace {

// A clean-up that a dead network delays longer than that is given up; the client's own budget of
// retries ends before.
constexpr auto kCleanupLimit = std::chrono::seconds(90);
// How long the end of the process waits for clean-ups.
constexpr auto kExitPatience = std::chrono::seconds(5);

struct Cleanups {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t running = 0;
};

// Seconds since 1970 of an ISO 8601 time in UTC.
std::optional<std::time_t> parse_time(const std::string& text) {
  std::tm time{};
  if (std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%d", &time.tm_year, &time.tm_mon, &time.tm_mday,
                  &time.tm_hour, &time.tm_min, &time.tm_sec) != 6)
    return std::nullopt;
  time.tm_year -= 1900;
  time.tm_mon -= 1;
  return timegm(&time);
}

// Never destroyed: threads may still use it while the process ends.
Cleanups& cleanups() {
  static Cleanups* const all = [] {
    std::atexit([] { wait_for_cleanup(kExitPatience); });
    return new Cleanups;
  }();
  return *all;
}

}  // namespace

std::size_t wait_for_cleanup(std::chrono::milliseconds patience) {
  Cleanups& all = cleanups();
  std::unique_lock lock(all.mutex);
  all.changed.wait_for(lock, patience, [&] { return all.running == 0; });
  return all.running;
}

CallId ClientStore::put(Headers headers, Body body, Completion<Stored> done) {
  return client_->put_object(object_, std::move(headers), std::move(body), std::move(done));
}

CallId ClientStore::create(Headers headers, Completion<std::string> done) {
  return client_->create_multipart_upload(object_, std::move(headers), std::move(done));
}

CallId ClientStore::part(std::string upload_id, int number, Headers headers, Body body,
                         Completion<Part> done) {
  return client_->upload_part(object_, std::move(upload_id), number, std::move(headers),
                              std::move(body), std::move(done));
}

CallId ClientStore::complete(std::string upload_id, std::vector<Part> parts, Headers headers,
                             Completion<Stored> done) {
  return client_->complete_multipart_upload(object_, std::move(upload_id), std::move(parts),
                                            std::move(headers), std::move(done));
}

CallId ClientStore::abort(std::string upload_id, Completion<bool> done) {
  return client_->abort_multipart_upload(object_, std::move(upload_id), std::move(done));
}

CallId ClientStore::list(Completion<std::vector<Upload>> done) {
  return client_->list_multipart_uploads(
      object_.bucket, object_.key,
      [key = object_.key, done = std::move(done)](Result<std::vector<Upload>> uploads) {
        if (uploads)
          std::erase_if(*uploads, [&](const Upload& upload) { return upload.key != key; });
        done(std::move(uploads));
      });
}

// What the writer's thread and the store's share. Completions hold it, it does not hold the store:
// the store's thread could else come to end itself. Calls to the store are made with the mutex
// held; it calls back from its own thread only.
class ObjectWriter::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(Store* store, Options options, std::function<void(const PartDone&)> part_done)
      : store_(store), options_(std::move(options)), part_done_(std::move(part_done)) {}

  // Ready once there is room to go on with a part (`ahead`: to begin with one, which does not wait
  // for a transfer to end); an error once the upload has failed.
  tl::expected<Wait, Error> wait_for_room(bool ahead) CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    // But for what is written ahead the part that is being filled is one of them. But one is always
    // filled while one is sent.
    const std::size_t most = std::max(options_.max_inflight, 2U);
    while (!ahead && !failure_ && !interrupted_ && queue_.size() + in_flight_ >= most)
      changed_.wait(mutex_);
    if (failure_) return tl::unexpected(*failure_);
    return interrupted_ ? Wait::interrupted : Wait::ready;
  }

  // A part with what can be computed of it without the lock, on the writer's thread.
  struct Job {
    int number;
    Body body;
    std::string checksum;
  };

  Job make_job(const Store& store, WriteModel::Part part) const {
    Job job{part.number, {}, checksum_of(options_.checksum, part.pieces)};
    job.body.pieces = std::move(part.pieces);
    job.body.owner = std::move(part.owner);
    store.prepare(job.body);
    return job;
  }

  void submit(Job job) CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    queue_.push_back(std::move(job));
    pump();
  }

  void submit_last(std::vector<Job> jobs) CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    std::move(jobs.begin(), jobs.end(), std::back_inserter(queue_));
    finishing_ = true;
    pump();
  }

  tl::expected<std::optional<Stored>, Error> wait_for_end() CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    while (!stored_ && !failure_ && !interrupted_) changed_.wait(mutex_);
    if (stored_) return stored_;
    if (failure_) return tl::unexpected(*failure_);
    return std::optional<Stored>();
  }

  // The writer's own fault: nothing more is sent, and what was sent is taken back.
  void give_up() CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    fail(Error{.kind = ErrorKind::cancelled});
  }

  void set_interrupted(bool interrupted) CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    interrupted_ = interrupted;
    changed_.notify_all();
  }

  void close(Unfinished unfinished) CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    part_done_ = nullptr;
    if (stored_) return;
    keep_ = unfinished == Unfinished::keep;
    if (!failure_) fail(Error{.kind = ErrorKind::cancelled});
    clean_up();
  }

  // True when nothing is left to do at the store.
  bool wait_until_clean(std::chrono::steady_clock::time_point until) CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    while (!is_clean()) {
      if (changed_.wait_until(mutex_, until) == std::cv_status::timeout) break;
    }
    return is_clean();
  }

  // No call to the store from now on.
  void detach() CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    store_ = nullptr;
  }

  std::string upload_id() CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return upload_id_;
  }

  Progress progress() CLIPS_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    Progress progress;
    progress.bytes_stored = bytes_stored_;
    progress.parts_stored = parts_.size();
    progress.parts_in_flight = in_flight_;
    return progress;
  }

 private:
  Headers checksum_headers(const Job& job) const {
    if (job.checksum.empty()) return {};
    return {{checksum_names(options_.checksum).header, job.checksum}};
  }

  Headers final_headers() const {
    return options_.if_none_match ? Headers{{"If-None-Match", "*"}} : Headers{};
  }

  // Starts whatever can be started.
  void pump() CLIPS_REQUIRES(mutex_) {
    if (failure_ || stored_ || !store_) return;
    if (upload_id_.empty()) {
      if (creating_ || put_) return;
      if (finishing_ && queue_.size() == 1 && queue_.front().number == 1)
        start_put();
      else if (!queue_.empty())
        start_create();
      return;
    }
    while (!queue_.empty() && in_flight_ < options_.max_inflight) start_part();
    if (finishing_ && queue_.empty() && in_flight_ == 0 && !completing_) start_complete();
  }

  void start_put() CLIPS_REQUIRES(mutex_) {
    Job job = std::move(queue_.front());
    queue_.pop_front();
    put_ = true;
    in_flight_++;
    Headers headers = options_.headers;
    for (auto& header : checksum_headers(job)) headers.push_back(std::move(header));
    for (auto& header : final_headers()) headers.push_back(std::move(header));
    const auto bytes = job.body.size();
    const auto call = next_call_++;
    calls_[call] = store_->put(std::move(headers), std::move(job.body),
                               [core = shared_from_this(), call, bytes](Result<Stored> result) {
                                 const MutexLock lock(core->mutex_);
                                 core->calls_.erase(call);
                                 core->in_flight_--;
                                 core->put_ = false;
                                 if (result) core->bytes_stored_ += bytes;
                                 core->ended(std::move(result));
                               });
  }

  void start_create() CLIPS_REQUIRES(mutex_) {
    creating_ = true;
    const auto begun = std::chrono::steady_clock::now();
    const auto retries = store_->retries();
    Headers headers = options_.headers;
    if (options_.checksum != Checksum::none) {
      headers.push_back({"x-amz-checksum-algorithm", checksum_names(options_.checksum).algorithm});
      // The only type that Amazon has for CRC-64/NVME.
      if (options_.checksum == Checksum::crc64nvme)
        headers.push_back({"x-amz-checksum-type", "FULL_OBJECT"});
    }
    // Never cancelled: only its reply tells the identifier that has to be aborted.
    store_->create(std::move(headers),
                   [core = shared_from_this(), begun, retries](Result<std::string> result) {
                     const MutexLock lock(core->mutex_);
                     core->creating_ = false;
                     if (result) {
                       core->upload_id_ = std::move(*result);
                     } else if (!core->failure_) {
                       core->failure_ = std::move(result.error());
                     }
                     if (core->store_ && core->store_->retries() != retries)
                       core->sweep(std::chrono::steady_clock::now() - begun);
                     core->pump();
                     core->clean_up();
                     core->changed_.notify_all();
                   });
  }

  // A Create that was sent again may have begun an upload whose identifier was lost with the reply.
  // It is told by its key and by its time: begun not after ours, and not before we asked.
  void sweep(std::chrono::steady_clock::duration asked_for) CLIPS_REQUIRES(mutex_) {
    sweeping_++;
    const auto window = std::chrono::duration_cast<std::chrono::seconds>(asked_for).count() + 2;
    store_->list([core = shared_from_this(), window](Result<std::vector<Upload>> uploads) {
      const MutexLock lock(core->mutex_);
      if (uploads && core->store_) core->sweep_all(*uploads, window);
      core->sweeping_--;
      core->changed_.notify_all();
    });
  }

  void sweep_all(const std::vector<Upload>& uploads, std::time_t window) CLIPS_REQUIRES(mutex_) {
    std::time_t ours = std::time(nullptr);
    for (const Upload& upload : uploads)
      if (upload.upload_id == upload_id_) ours = parse_time(upload.initiated).value_or(ours);
    for (const Upload& upload : uploads) {
      const auto begun = parse_time(upload.initiated);
      if (upload.upload_id == upload_id_ || !begun) continue;
      if (*begun < ours - window || *begun > ours + 1) continue;
      sweeping_++;
      store_->abort(upload.upload_id, [core = shared_from_this()](Result<bool>) {
        const MutexLock lock(core->mutex_);
        core->sweeping_--;
        core->changed_.notify_all();
      });
    }
  }

  void start_part() CLIPS_REQUIRES(mutex_) {
    Job job = std::move(queue_.front());
    queue_.pop_front();
    in_flight_++;
    const auto call = next_call_++;
    const auto number = job.number;
    const auto bytes = job.body.size();
    Headers headers = checksum_headers(job);
    calls_[call] = store_->part(upload_id_, number, std::move(headers), std::move(job.body),
                                [core = shared_from_this(), call, number, bytes,
                                 checksum = std::move(job.checksum)](Result<Part> result) mutable {
                                  core->part_ended(call, number, bytes, std::move(checksum),
                                                   std::move(result));
                                });
  }

  void part_ended(CallId call, int number, std::uint64_t bytes, std::string checksum,
                  Result<Part> result) CLIPS_EXCLUDES(mutex_) {
    std::function<void(const PartDone&)> tell;
    PartDone done{number, bytes, result ? result->etag : std::string()};
    {
      const MutexLock lock(mutex_);
      calls_.erase(call);
      in_flight_--;
      if (result) {
        result->number = number;
        result->size = bytes;
        if (!checksum.empty())
          result->checksums = {{checksum_names(options_.checksum).element, std::move(checksum)}};
        parts_.push_back(std::move(*result));
        bytes_stored_ += bytes;
        tell = part_done_;
      } else if (!failure_) {
        fail(std::move(result.error()));
      }
      pump();
      clean_up();
      changed_.notify_all();
    }
    if (tell) tell(done);
  }

  void start_complete() CLIPS_REQUIRES(mutex_) {
    completing_ = true;
    std::sort(parts_.begin(), parts_.end(),
              [](const Part& a, const Part& b) { return a.number < b.number; });
    const auto call = next_call_++;
    calls_[call] = store_->complete(upload_id_, parts_, final_headers(),
                                    [core = shared_from_this(), call](Result<Stored> result) {
                                      const MutexLock lock(core->mutex_);
                                      core->calls_.erase(call);
                                      core->ended(std::move(result));
                                    });
  }

  void ended(Result<Stored> result) CLIPS_REQUIRES(mutex_) {
    if (result) {
      stored_ = std::move(*result);
    } else if (!failure_) {
      failure_ = std::move(result.error());
    }
    clean_up();
    changed_.notify_all();
  }

  void fail(Error error) CLIPS_REQUIRES(mutex_) {
    failure_ = std::move(error);
    queue_.clear();
    if (store_)
      for (const auto& [call, id] : calls_) store_->cancel(id);
    clean_up();
    changed_.notify_all();
  }

  bool is_clean() const CLIPS_REQUIRES(mutex_) {
    if (sweeping_ > 0) return false;
    if (stored_) return true;
    return failure_ && calls_.empty() && !creating_ && (upload_id_.empty() || keep_ || aborted_);
  }

  // After a failure, as soon as no part is on its way that could come after the abort.
  void clean_up() CLIPS_REQUIRES(mutex_) {
    if (!failure_ || stored_ || !store_ || keep_ || aborting_) return;
    if (!calls_.empty() || creating_ || upload_id_.empty()) return;
    aborting_ = true;
    store_->abort(upload_id_, [core = shared_from_this()](Result<bool>) {
      const MutexLock lock(core->mutex_);
      core->aborted_ = true;
      core->changed_.notify_all();
    });
  }

  Mutex mutex_;  // guards all below; the store's and the writer's thread take it
  ConditionVariable changed_;
  Store* store_ CLIPS_GUARDED_BY(mutex_);
  const Options options_;
  std::function<void(const PartDone&)> part_done_ CLIPS_GUARDED_BY(mutex_);
  std::deque<Job> queue_ CLIPS_GUARDED_BY(mutex_);
  unsigned in_flight_ CLIPS_GUARDED_BY(mutex_) = 0;
  std::map<std::uint64_t, CallId> calls_ CLIPS_GUARDED_BY(mutex_);
  std::uint64_t next_call_ CLIPS_GUARDED_BY(mutex_) = 0;
  std::string upload_id_ CLIPS_GUARDED_BY(mutex_);
  std::vector<Part> parts_ CLIPS_GUARDED_BY(mutex_);
  std::uint64_t bytes_stored_ CLIPS_GUARDED_BY(mutex_) = 0;
  std::optional<Stored> stored_ CLIPS_GUARDED_BY(mutex_);
  std::optional<Error> failure_ CLIPS_GUARDED_BY(mutex_);
  bool finishing_ CLIPS_GUARDED_BY(mutex_) = false;
  bool creating_ CLIPS_GUARDED_BY(mutex_) = false;
  bool put_ CLIPS_GUARDED_BY(mutex_) = false;
  bool completing_ CLIPS_GUARDED_BY(mutex_) = false;
  bool aborting_ CLIPS_GUARDED_BY(mutex_) = false;
  bool aborted_ CLIPS_GUARDED_BY(mutex_) = false;
  bool keep_ CLIPS_GUARDED_BY(mutex_) = false;
  unsigned sweeping_ CLIPS_GUARDED_BY(mutex_) = 0;
  bool interrupted_ CLIPS_GUARDED_BY(mutex_) = false;
};

ObjectWriter::ObjectWriter(std::shared_ptr<Store> store, Options options,
                           std::function<void(const PartDone&)> part_done)
    : model_(options.model, std::make_shared<ChunkPool>()),
      store_(std::move(store)),
      core_(std::make_shared<Core>(store_.get(), std::move(options), std::move(part_done))) {}

ObjectWriter::~ObjectWriter() {
  close(Unfinished::abort, std::chrono::milliseconds(0), nullptr);
}

tl::expected<std::optional<std::size_t>, WriteFailure> ObjectWriter::write(
    std::span<const std::byte> data, bool new_buffer) {
  const auto room = core_->wait_for_room(data.size() <= model_.room_ahead());
  if (!room) return tl::unexpected(WriteFailure(room.error()));
  if (*room == Wait::interrupted) return std::optional<std::size_t>();
  const auto taken = model_.write(data, new_buffer);
  if (!taken) {
    core_->give_up();
    return tl::unexpected(WriteFailure(taken.error()));
  }
  written_ = model_.size();
  retained_ = model_.retained();
  while (auto part = model_.take_part()) core_->submit(core_->make_job(*store_, std::move(*part)));
  return std::optional<std::size_t>(*taken);
}

tl::expected<void, WriteFailure> ObjectWriter::seek(std::uint64_t position) {
  const auto done = model_.seek(position);
  if (done) return {};
  core_->give_up();
  return tl::unexpected(WriteFailure(done.error()));
}

tl::expected<std::optional<ObjectWriter::Finished>, WriteFailure> ObjectWriter::finish() {
  if (!finishing_) {
    auto rest = model_.finish();
    if (!rest) {
      core_->give_up();
      return tl::unexpected(WriteFailure(rest.error()));
    }
    finishing_ = true;
    written_ = model_.size();
    retained_ = 0;
    std::vector<Core::Job> jobs;
    for (auto& part : *rest) jobs.push_back(core_->make_job(*store_, std::move(part)));
    core_->submit_last(std::move(jobs));
  }
  auto stored = core_->wait_for_end();
  if (!stored) return tl::unexpected(WriteFailure(stored.error()));
  if (!*stored) return std::optional<Finished>();
  return std::optional<Finished>({std::move(**stored), model_.size(), model_.moved_moov()});
}

void ObjectWriter::interrupt() {
  core_->set_interrupted(true);
}
void ObjectWriter::resume() {
  core_->set_interrupted(false);
}

void ObjectWriter::close(Unfinished unfinished, std::chrono::milliseconds patience,
                         std::shared_ptr<const void> owner) {
  if (std::exchange(closed_, true)) return;
  core_->close(unfinished);
  if (core_->wait_until_clean(std::chrono::steady_clock::now() + patience)) {
    core_->detach();
    store_.reset();
    return;
  }
  Cleanups& all = cleanups();
  {
    const std::lock_guard lock(all.mutex);
    all.running++;
  }
  std::thread([core = core_, store = std::move(store_), owner = std::move(owner)]() mutable {
    core->wait_until_clean(std::chrono::steady_clock::now() + kCleanupLimit);
    core->detach();
    store.reset();
    owner.reset();
    Cleanups& done = cleanups();
    const std::lock_guard lock(done.mutex);
    done.running--;
    done.changed.notify_all();
  }).detach();
}

std::string ObjectWriter::upload_id() const {
  return core_->upload_id();
}

ObjectWriter::Progress ObjectWriter::progress() const {
  Progress progress = core_->progress();
  progress.bytes_written = written_;
  progress.bytes_retained = retained_;
  return progress;
}

}  // namespace clips::s3
