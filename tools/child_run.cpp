// SPDX-License-Identifier: LGPL-2.1-or-later
#include "child_run.hpp"

#include <fcntl.h>
#include <gio/gio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "common/handles.hpp"
#include "interrupts.hpp"
#include "text.hpp"

namespace clips::tool {

namespace {

using Json = nlohmann::ordered_json;

// What an interrupted run has promised, and a little.
constexpr guint patience_ms = 2500;

struct ObjectUnref {
  void operator()(void* object) const noexcept { g_object_unref(object); }
};
template <typename T>
using ObjectPtr = std::unique_ptr<T, ObjectUnref>;

Problem child_problem(std::string code, std::string message) {
  Problem problem;
  problem.domain = "core";
  problem.code = std::move(code);
  problem.message = std::move(message);
  return problem;
}

std::string secret_word_variable(std::size_t index);

class ChildRun {
 public:
  explicit ChildRun(const ChildOptions& options) : options_(options) {}

  ChildResult run();

 private:
  tl::expected<ObjectPtr<GSubprocess>, Problem> start();
  void read_line();
  void take(std::string_view line);
  void stop(int signal);
  void finish();
  void leave_one();

  const ChildOptions& options_;
  ChildResult result_;
  std::unique_ptr<GMainLoop, decltype(&g_main_loop_unref)> loop_{g_main_loop_new(nullptr, FALSE),
                                                                 g_main_loop_unref};
  ObjectPtr<GSubprocess> process_;
  ObjectPtr<GDataInputStream> lines_;
  int open_ = 2;  // the output and the process itself
  int signal_ = 0;
  bool timed_out_ = false;
  guint kill_timer_ = 0;
};

tl::expected<ObjectPtr<GSubprocess>, Problem> ChildRun::start() {
  const ObjectPtr<GSubprocessLauncher> launcher(
      g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE));
  // A group of its own: Control-C in a terminal reaches the child once, through us.
  g_subprocess_launcher_set_child_setup(
      launcher.get(), [](gpointer) { setpgid(0, 0); }, nullptr, nullptr);
  if (options_.file) {
    const int copy = fcntl(options_.file->descriptor(), F_DUPFD_CLOEXEC, 3);
    if (copy < 0) return tl::unexpected(child_problem("open", std::strerror(errno)));
    g_subprocess_launcher_take_fd(launcher.get(), copy, 3);
  }
  std::vector<std::string> words = {"/proc/self/exe"};
  for (const std::string& word : options_.words) {
    words.push_back(redact(word));
    if (words.back() != word)
      g_subprocess_launcher_setenv(launcher.get(), secret_word_variable(words.size() - 1).c_str(),
                                   word.c_str(), TRUE);
    // Behind the command, in front of what is no option.
    if (words.size() == 2) words.insert(words.end(), {"--progress=json", "--die-with-parent"});
  }
  std::vector<const gchar*> arguments;
  for (const std::string& word : words) arguments.push_back(word.c_str());
  arguments.push_back(nullptr);
  GError* raw = nullptr;
  ObjectPtr<GSubprocess> process(
      g_subprocess_launcher_spawnv(launcher.get(), arguments.data(), &raw));
  if (process) return process;
  const ErrorPtr error(raw);
  return tl::unexpected(child_problem("start", one_line(error->message)));
}

void ChildRun::leave_one() {
  if (--open_ == 0) g_main_loop_quit(loop_.get());
}

void ChildRun::read_line() {
  g_data_input_stream_read_line_async(
      lines_.get(), G_PRIORITY_DEFAULT, nullptr,
      [](GObject*, GAsyncResult* read, gpointer data) {
        auto* self = static_cast<ChildRun*>(data);
        gsize length = 0;
        const GString_ line(
            g_data_input_stream_read_line_finish(self->lines_.get(), read, &length, nullptr));
        if (!line) {
          self->leave_one();
          return;
        }
        self->take({line.get(), length});
        self->read_line();
      },
      this);
}

void ChildRun::take(std::string_view line) {
  Json event = Json::parse(line, nullptr, false);
  if (!event.is_object() || !event.contains("event")) return;
  if (options_.on_event) options_.on_event(event);
  const Json& name = event["event"];
  const auto text = [&](const char* key) {
    return event.contains(key) && event[key].is_string() ? event[key].get<std::string>() : "";
  };
  if (name == "published") {
    event.erase("event");
    result_.published.push_back(std::move(event));
  } else if (name == "warning") {
    result_.warnings.push_back(text("message"));
  } else if (name == "error") {
    Problem problem;
    problem.source = text("source");
    problem.domain = text("domain");
    problem.code = text("code");
    problem.message = text("message");
    result_.problem = problem;
  } else if (name == "done") {
    result_.done = std::move(event);
  }
}

void ChildRun::stop(int signal) {
  if (!process_) return;
  g_subprocess_send_signal(process_.get(), signal);
  if (kill_timer_ != 0) return;
  kill_timer_ = g_timeout_add(
      patience_ms,
      [](gpointer data) -> gboolean {
        auto* self = static_cast<ChildRun*>(data);
        self->kill_timer_ = 0;
        g_subprocess_force_exit(self->process_.get());
        return G_SOURCE_REMOVE;
      },
      this);
}

void ChildRun::finish() {
  if (g_subprocess_get_if_exited(process_.get())) {
    result_.exit_code = g_subprocess_get_exit_status(process_.get());
  } else {
    const int signal = g_subprocess_get_term_sig(process_.get());
    result_.exit_code = static_cast<int>(ExitCode::failed);
    result_.problem =
        child_problem("crashed", "The run was ended by signal " + std::to_string(signal) + " (" +
                                     g_strsignal(signal) + ").");
  }
  if (timed_out_ && result_.exit_code != 0) {
    result_.exit_code = static_cast<int>(ExitCode::failed);
    result_.problem =
        child_problem("time-limit", "The run was stopped after its time limit of " +
                                        std::to_string(options_.time_limit_s) + " s.");
  }
  if (signal_ != 0 && result_.exit_code != 0) result_.exit_code = 128 + signal_;
  if (result_.exit_code == 0) {
    result_.problem.reset();
    return;
  }
  if (!result_.problem)
    result_.problem =
        child_problem("exit", "The run ended with exit code " + std::to_string(result_.exit_code) +
                                  " and did not say why.");
  result_.problem->exit = static_cast<ExitCode>(result_.exit_code);
}

ChildResult ChildRun::run() {
  auto process = start();
  if (!process) {
    result_.problem = process.error();
    result_.exit_code = static_cast<int>(ExitCode::failed);
    return std::move(result_);
  }
  process_ = std::move(*process);
  lines_.reset(g_data_input_stream_new(g_subprocess_get_stdout_pipe(process_.get())));
  read_line();
  g_subprocess_wait_async(
      process_.get(), nullptr,
      [](GObject* object, GAsyncResult* waited, gpointer data) {
        g_subprocess_wait_finish(G_SUBPROCESS(object), waited, nullptr);
        static_cast<ChildRun*>(data)->leave_one();
      },
      this);
  guint limit = 0;
  if (options_.time_limit_s > 0) {
    limit = g_timeout_add_seconds(
        options_.time_limit_s,
        [](gpointer data) -> gboolean {
          auto* self = static_cast<ChildRun*>(data);
          self->timed_out_ = true;
          self->stop(SIGTERM);
          return G_SOURCE_REMOVE;
        },
        this);
  }
  const auto interrupt = [this](int signal) {
    signal_ = signal;
    stop(signal);
  };
  Interrupts::listen(interrupt);
  // One that came before.
  if (const int signal = Interrupts::received(); signal != 0 && signal_ == 0) interrupt(signal);
  g_main_loop_run(loop_.get());
  // From here on the caller asks Interrupts::received(); without a listener a signal would end us.
  Interrupts::listen([](int) {});
  if (limit != 0 && !timed_out_) g_source_remove(limit);
  if (kill_timer_ != 0) g_source_remove(kill_timer_);
  finish();
  return std::move(result_);
}

// Everybody may read the words of a process, its environment only its owner.
std::string secret_word_variable(std::size_t index) {
  return "GST_CLIPS_SECRET_WORD_" + std::to_string(index);
}

}  // namespace

std::vector<char*> words_of_process(int count, char* words[]) {
  std::vector<char*> all(words, words + count);
  for (std::size_t i = 1; i < all.size(); ++i) {
    const std::string variable = secret_word_variable(i);
    const gchar* secret = g_getenv(variable.c_str());
    if (!secret) continue;
    all[i] = g_strdup(secret);  // for as long as the process lives
    g_unsetenv(variable.c_str());
  }
  return all;
}

tl::expected<NamelessFile, Problem> NamelessFile::create(bool on_disk) {
  const int descriptor = on_disk ? open(g_get_tmp_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
                                 : memfd_create("gst-clips", MFD_CLOEXEC);
  if (descriptor >= 0) return NamelessFile(descriptor);
  Problem problem =
      child_problem("open-write", std::string("Could not make a temporary file in ") +
                                      g_get_tmp_dir() + ": " + std::strerror(errno) + ".");
  problem.domain = "resource";
  return tl::unexpected(problem);
}

NamelessFile::NamelessFile(NamelessFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

NamelessFile::~NamelessFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

std::string NamelessFile::text() const {
  std::string all;
  char block[65536];
  off_t at = 0;
  ssize_t count = 0;
  while ((count = pread(descriptor_, block, sizeof block, at)) > 0) {
    all.append(block, static_cast<std::size_t>(count));
    at += count;
  }
  return all;
}

ChildResult run_child(const ChildOptions& options) {
  return ChildRun(options).run();
}

}  // namespace clips::tool
