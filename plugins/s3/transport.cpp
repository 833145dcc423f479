// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transport.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <new>

#include "text.hpp"

namespace clips::s3 {

namespace {

// Replies that are not handed on are errors and listings.
constexpr std::size_t kLargestReply = 16 << 20;
constexpr std::uint64_t kBulk = 256 << 10;
// Stays in the second level cache, between the copy into it and the one out of it.
constexpr long kUploadBuffer = 256 << 10;
constexpr long kReceiveBuffer = 128 << 10;
constexpr long kIdleConnections = 32;
constexpr auto kLongestPoll = std::chrono::seconds(60);

void initialise_curl() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

HttpFailure classify(CURLcode code) {
  switch (code) {
    case CURLE_OK:
      return HttpFailure::none;
    case CURLE_COULDNT_RESOLVE_HOST:
      return HttpFailure::resolve;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
      return HttpFailure::proxy;
    case CURLE_COULDNT_CONNECT:
      return HttpFailure::connect;
    case CURLE_OPERATION_TIMEDOUT:
      return HttpFailure::timeout;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return HttpFailure::tls;
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION:
    case CURLE_OUT_OF_MEMORY:
      return HttpFailure::settings;
    default:
      return HttpFailure::broken;
  }
}

long milliseconds(std::chrono::nanoseconds time) {
  return std::max<long>(1, std::chrono::ceil<std::chrono::milliseconds>(time).count());
}

}  // namespace

struct Transport::Transfer {
  Id id = 0;
  CURL* easy = nullptr;
  curl_slist* header_list = nullptr;
  HttpRequest request;
  std::function<void(HttpReply)> done;
  HttpReply reply;
  bool bulk = false;
  bool refused = false;
  bool headers_told = false;
  // Where in the body libcurl reads next.
  std::size_t piece = 0;
  std::size_t offset = 0;
  std::array<char, CURL_ERROR_SIZE> message{};

  ~Transfer() {
    curl_easy_cleanup(easy);
    curl_slist_free_all(header_list);
  }

  bool succeeded() const { return reply.status >= 200 && reply.status < 300; }

  void add_header(const std::string& line) {
    curl_slist* longer = curl_slist_append(header_list, line.c_str());
    if (!longer) throw std::bad_alloc();
    header_list = longer;
  }

  std::size_t read(char* out, std::size_t room) {
    std::size_t copied = 0;
    while (copied < room && piece < request.body.pieces.size()) {
      const auto rest = request.body.pieces[piece].subspan(offset);
      const std::size_t take = std::min(rest.size(), room - copied);
      if (take) std::memcpy(out + copied, rest.data(), take);
      copied += take;
      offset += take;
      if (offset == request.body.pieces[piece].size()) {
        ++piece;
        offset = 0;
      }
    }
    return copied;
  }

  bool seek(std::uint64_t position) {
    for (piece = 0; piece < request.body.pieces.size(); ++piece) {
      const std::size_t size = request.body.pieces[piece].size();
      if (position < size) break;
      position -= size;
    }
    offset = static_cast<std::size_t>(position);
    return piece < request.body.pieces.size() || position == 0;
  }

  void header_line(std::string_view line) {
    if (line.starts_with("HTTP/")) {
      // Also after an interim reply such as 100 Continue.
      reply.headers.clear();
      return;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return;
    reply.headers.push_back(
        {std::string(trim(line.substr(0, colon))), std::string(trim(line.substr(colon + 1)))});
  }

  bool tell_headers() {
    if (headers_told) return true;
    headers_told = true;
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    reply.status = static_cast<int>(status);
    if (request.on_headers && !request.on_headers(reply.status, reply.headers)) refused = true;
    return !refused;
  }

  bool data(std::span<const std::byte> bytes) {
    if (!tell_headers()) return false;
    reply.received += bytes.size();
    if (request.on_data && succeeded()) {
      if (!request.on_data(bytes)) refused = true;
      return !refused;
    }
    if (reply.body.size() + bytes.size() > kLargestReply) return false;
    reply.body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return true;
  }

  // libcurl calls these on the I/O thread; nothing may be thrown through its frames.
  static std::size_t on_read(char* out, std::size_t size, std::size_t count, void* self) noexcept {
    return static_cast<Transfer*>(self)->read(out, size * count);
  }
  static int on_seek(void* self, curl_off_t position, int origin) noexcept {
    if (origin != SEEK_SET || position < 0) return CURL_SEEKFUNC_CANTSEEK;
    return static_cast<Transfer*>(self)->seek(static_cast<std::uint64_t>(position))
               ? CURL_SEEKFUNC_OK
               : CURL_SEEKFUNC_FAIL;
  }
  static std::size_t on_header(char* text, std::size_t size, std::size_t count,
                               void* self) noexcept {
    try {
      static_cast<Transfer*>(self)->header_line({text, size * count});
    } catch (const std::bad_alloc&) {
      return 0;
    }
    return size * count;
  }
  static std::size_t on_write(char* bytes, std::size_t size, std::size_t count,
                              void* self) noexcept {
    try {
      const std::span data(reinterpret_cast<const std::byte*>(bytes), size * count);
      return static_cast<Transfer*>(self)->data(data) ? size * count : 0;
    } catch (const std::bad_alloc&) {
      return 0;
    }
  }

  void prepare() {
    const std::uint64_t size = request.body.size();
    bulk = size >= kBulk || request.on_data;
    const auto set = [this](CURLoption option, auto value) {
      curl_easy_setopt(easy, option, value);
    };
    set(CURLOPT_PRIVATE, this);
    set(CURLOPT_ERRORBUFFER, message.data());
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PATH_AS_IS, 1L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_BUFFERSIZE, kReceiveBuffer);
    set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request.connect_timeout));
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, (milliseconds(request.stall_timeout) + 999) / 1000);
    if (request.total_timeout.count()) {
      set(CURLOPT_TIMEOUT_MS, milliseconds(request.total_timeout));
    }
#if LIBCURL_VERSION_NUM >= 0x075700
    // A name server that is silent must not hold up the end of a cancelled transfer.
    set(CURLOPT_QUICK_EXIT, 1L);
#endif
#if LIBCURL_VERSION_NUM >= 0x075500
    set(CURLOPT_PROTOCOLS_STR, "http,https");
#else
    set(CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    if (!request.ca_file.empty()) set(CURLOPT_CAINFO, request.ca_file.c_str());
    if (request.direct) set(CURLOPT_PROXY, "");
    set(CURLOPT_HEADERFUNCTION, &on_header);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_WRITEFUNCTION, &on_write);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_READFUNCTION, &on_read);
    set(CURLOPT_READDATA, this);
    set(CURLOPT_SEEKFUNCTION, &on_seek);
    set(CURLOPT_SEEKDATA, this);

    // Waiting for "100 Continue" costs a round trip with every part.
    add_header("Expect:");
    if (request.method == "HEAD") {
      set(CURLOPT_NOBODY, 1L);
    } else if (request.method == "PUT") {
      set(CURLOPT_UPLOAD, 1L);
      set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(size));
    } else if (request.method == "POST") {
      set(CURLOPT_POST, 1L);
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(size));
      // Else libcurl adds a form's type, and a multipart object would get it.
      if (find_header(request.headers, "Content-Type").empty()) add_header("Content-Type:");
    } else if (request.method != "GET") {
      set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    if (size >= kBulk) set(CURLOPT_UPLOAD_BUFFERSIZE, kUploadBuffer);
    for (const Header& header : request.headers) {
      // "Name;" is how libcurl sends a header without a value.
      add_header(header.value.empty() ? header.name + ";" : header.name + ": " + header.value);
    }
    set(CURLOPT_HTTPHEADER, header_list);
  }
};

Transport::Transport(std::uint64_t max_bandwidth) : max_bandwidth_(max_bandwidth) {
  initialise_curl();
  multi_ = curl_multi_init();
  if (!multi_) throw std::bad_alloc();
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kIdleConnections);
  thread_ = std::thread([this] { run(); });
}

Transport::~Transport() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
  }
  curl_multi_wakeup(multi_);
  thread_.join();
  curl_multi_cleanup(multi_);
}

void Transport::post(Task task) {
  {
    MutexLock lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  curl_multi_wakeup(multi_);
}

Transport::Id Transport::start(HttpRequest request, std::function<void(HttpReply)> done) {
  auto transfer = std::make_unique<Transfer>();
  transfer->id = next_id_++;
  transfer->request = std::move(request);
  transfer->done = std::move(done);
  transfer->easy = curl_easy_init();
  if (!transfer->easy) throw std::bad_alloc();
  transfer->prepare();
  const Id id = transfer->id;
  curl_multi_add_handle(multi_, transfer->easy);
  transfers_.emplace(id, std::move(transfer));
  share_bandwidth();
  return id;
}

void Transport::cancel(Id id) {
  const auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  curl_multi_remove_handle(multi_, found->second->easy);
  transfers_.erase(found);
  share_bandwidth();
}

Transport::Id Transport::call_at(Clock::time_point when, Task task) {
  const Id id = next_id_++;
  timers_.emplace(std::pair(when, id), std::move(task));
  timer_times_.emplace(id, when);
  return id;
}

void Transport::drop_timer(Id id) {
  const auto found = timer_times_.find(id);
  if (found == timer_times_.end()) return;
  timers_.erase({found->second, id});
  timer_times_.erase(found);
}

void Transport::run_tasks() {
  for (;;) {
    std::deque<Task> tasks;
    {
      MutexLock lock(mutex_);
      tasks.swap(tasks_);
    }
    if (tasks.empty()) return;
    for (Task& task : tasks) {
      task();
      // What it holds goes now, not after its neighbours ran.
      task = nullptr;
    }
  }
}

void Transport::run_timers() {
  const auto now = Clock::now();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    auto timer = timers_.extract(timers_.begin());
    timer_times_.erase(timer.key().second);
    timer.mapped()();
  }
}

void Transport::finish(Transfer& transfer, HttpReply reply) {
  curl_off_t sent = 0;
  curl_easy_getinfo(transfer.easy, CURLINFO_SIZE_UPLOAD_T, &sent);
  reply.sent = static_cast<std::uint64_t>(sent);
  const auto done = std::move(transfer.done);
  cancel(transfer.id);
  done(std::move(reply));
}

void Transport::collect_finished() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    char* self = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &self);
    Transfer& transfer = *reinterpret_cast<Transfer*>(self);
    HttpReply reply;
    if (code == CURLE_OK) transfer.tell_headers();  // a reply without a body
    reply = std::move(transfer.reply);
    reply.failure = transfer.refused ? HttpFailure::refused : classify(code);
    if (reply.failure != HttpFailure::none && reply.failure != HttpFailure::refused) {
      reply.failure_text = transfer.message[0] ? transfer.message.data() : curl_easy_strerror(code);
    }
    finish(transfer, std::move(reply));
  }
}

// Each bulk transfer gets the same share. libcurl reads the limit anew while it transfers.
void Transport::share_bandwidth() {
  if (!max_bandwidth_) return;
  const auto count = std::count_if(transfers_.begin(), transfers_.end(),
                                   [](const auto& entry) { return entry.second->bulk; });
  const auto share = static_cast<curl_off_t>(std::max<std::uint64_t>(
      1, max_bandwidth_ / static_cast<std::uint64_t>(std::max<long>(1, static_cast<long>(count)))));
  for (const auto& [id, transfer] : transfers_) {
    if (!transfer->bulk) continue;
    curl_easy_setopt(transfer->easy, CURLOPT_MAX_SEND_SPEED_LARGE, share);
    curl_easy_setopt(transfer->easy, CURLOPT_MAX_RECV_SPEED_LARGE, share);
  }
}

void Transport::run() {
  for (;;) {
    run_tasks();
    {
      MutexLock lock(mutex_);
      if (stop_ && tasks_.empty()) break;
    }
    run_timers();
    int running = 0;
    curl_multi_perform(multi_, &running);
    collect_finished();
    auto wait = std::chrono::nanoseconds(kLongestPoll);
    if (!timers_.empty()) wait = timers_.begin()->first.first - Clock::now();
    if (wait.count() > 0) {
      wait = std::min(wait, std::chrono::nanoseconds(kLongestPoll));
      curl_multi_poll(multi_, nullptr, 0, static_cast<int>(milliseconds(wait)), nullptr);
    }
  }
  // Completions may post and start; all of it ends here.
  while (!transfers_.empty()) {
    HttpReply reply;
    reply.failure = HttpFailure::cancelled;
    finish(*transfers_.begin()->second, std::move(reply));
    run_tasks();
  }
}

}  // namespace clips::s3
