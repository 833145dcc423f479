// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// An HTTP server on loopback whose every reply a test decides: also those that no real server
// gives.
class HttpServer {
 public:
  struct Request {
    std::string method, target, body;
    std::map<std::string, std::string> headers;  // names in lower case
  };
  struct Reply {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    std::optional<std::size_t> cut_after = {};  // so many bytes of the body, then a reset
    bool silent = false;                        // no reply; the connection stays open
    bool dropped = false;                       // no reply; the connection is reset
  };
  using Handler = std::function<Reply(const Request&)>;

  enum class Keep { requests, nothing };  // for requests()

  explicit HttpServer(Handler handler, Keep keep = Keep::requests)
      : handler_(std::move(handler)), keep_(keep) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    socklen_t size = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    listen(listener_, 64);
    thread_ = std::thread([this] { accept_all(); });
  }

  ~HttpServer() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
      for (const int fd : open_) shutdown(fd, SHUT_RDWR);
    }
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    for (auto& connection : connections_) connection.thread.join();
    close(listener_);
  }

  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(port_); }

  std::vector<Request> requests() {
    std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  struct Connection {
    std::thread thread;
    bool over = false;
  };

  void accept_all() {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      std::lock_guard lock(mutex_);
      if (fd < 0 || stop_) {
        if (fd >= 0) close(fd);
        return;
      }
      connections_.remove_if([](Connection& connection) {
        if (connection.over) connection.thread.join();
        return connection.over;
      });
      open_.push_back(fd);
      Connection& connection = connections_.emplace_back();
      connection.thread = std::thread([this, fd, &connection] { serve(fd, connection); });
    }
  }

  void serve(int fd, Connection& connection) {
    std::string input;
    while (one_request(fd, input)) {
    }
    std::lock_guard lock(mutex_);
    std::erase(open_, fd);
    close(fd);
    connection.over = true;
  }

  static bool more(int fd, std::string& input) {
    char buffer[65536];
    const ssize_t count = recv(fd, buffer, sizeof buffer, 0);
    if (count <= 0) return false;
    input.append(buffer, static_cast<std::size_t>(count));
    return true;
  }

  static void reset(int fd) {
    const linger at_once{1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }

  bool one_request(int fd, std::string& input) {
    std::size_t end;
    while ((end = input.find("\r\n\r\n")) == std::string::npos) {
      if (!more(fd, input)) return false;
    }
    Request request;
    std::size_t line_begin = 0;
    while (line_begin < end) {
      const std::size_t line_end = input.find("\r\n", line_begin);
      const std::string line = input.substr(line_begin, line_end - line_begin);
      if (line_begin == 0) {
        const auto blank = line.find(' ');
        request.method = line.substr(0, blank);
        request.target = line.substr(blank + 1, line.rfind(' ') - blank - 1);
      } else {
        const auto colon = line.find(':');
        std::string name = line.substr(0, colon);
        for (char& c : name) c = static_cast<char>(tolower(c));
        request.headers[name] = line.substr(std::min(line.size(), colon + 2));
      }
      line_begin = line_end + 2;
    }
    input.erase(0, end + 4);
    const auto length = request.headers.find("content-length");
    const std::size_t size = length == request.headers.end() ? 0 : std::stoul(length->second);
    while (input.size() < size) {
      if (!more(fd, input)) return false;
    }
    request.body = input.substr(0, size);
    input.erase(0, size);
    if (keep_ == Keep::requests) {
      std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    const Reply reply = handler_(request);
    if (reply.silent) {
      // Until the client or the end of the test closes it.
      std::string rest;
      while (more(fd, rest)) {
      }
      return false;
    }
    if (reply.dropped) {
      reset(fd);
      return false;
    }
    std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " X\r\n";
    for (const auto& [name, value] : reply.headers) text += name + ": " + value + "\r\n";
    if (request.method != "HEAD") {
      text += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
    }
    text += "\r\n";
    if (request.method != "HEAD") text += reply.body.substr(0, reply.cut_after.value_or(text.npos));
    std::size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t count = send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return false;
      sent += static_cast<std::size_t>(count);
    }
    if (reply.cut_after) {
      // What was sent should arrive before the reset takes it back.
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      reset(fd);
      return false;
    }
    return true;
  }

  const Handler handler_;
  const Keep keep_;
  int listener_ = -1;
  int port_ = 0;
  std::mutex mutex_;
  bool stop_ = false;
  std::vector<int> open_;
  std::vector<Request> requests_;
  std::list<Connection> connections_;
  std::thread thread_;
};
