// SPDX-License-Identifier: Apache-2.0
#include "loading.h"

#include <bpf/libbpf.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>

#include "failure.h"

namespace sallyport {

namespace {

constexpr size_t kLogBytesMax = 256 * 1024;  // the verifier can write megabytes; its end tells why
constexpr int kLogLines = 12;

thread_local std::string* log_sink = nullptr;

int collect(enum libbpf_print_level level, const char* format, va_list arguments) {
  if (log_sink == nullptr || level == LIBBPF_DEBUG) return 0;
  char* text = nullptr;
  const int length = vasprintf(&text, format, arguments);
  if (length < 0) return 0;
  log_sink->append(text, static_cast<size_t>(length));
  std::free(text);
  if (log_sink->size() > kLogBytesMax) log_sink->erase(0, log_sink->size() - kLogBytesMax);
  return length;
}

// Collects what libbpf says during one call, on this thread, instead of letting it go to stderr.
class LogCapture {
 public:
  LogCapture() {
    libbpf_set_print(collect);
    log_sink = &text;
  }
  ~LogCapture() { log_sink = nullptr; }
  std::string text;
};

std::string between(const std::string& text, const std::string& from, const std::string& to) {
  const size_t start = text.find(from);
  if (start == std::string::npos) return "";
  const size_t begin = start + from.size();
  const size_t end = text.find(to, begin);
  return text.substr(begin, end == std::string::npos ? end : end - begin);
}

std::string last_lines(const std::string& text, int lines) {
  size_t from = text.find_last_not_of('\n');
  if (from == std::string::npos) return "";
  const size_t end = from + 1;
  for (; lines > 0 && from != std::string::npos && from > 0; lines--) from = text.rfind('\n', from - 1);
  return text.substr(from == std::string::npos ? 0 : from + 1, end - (from == std::string::npos ? 0 : from + 1));
}

// A long log has lost its beginning.
std::string verifier_log_of(const std::string& text) {
  constexpr char kBegin[] = "-- BEGIN PROG LOAD LOG --";
  const size_t end = text.find("-- END PROG LOAD LOG --");
  if (end == std::string::npos) return "";
  const size_t begin = text.rfind(kBegin, end);
  return begin == std::string::npos ? text.substr(0, end)
                                    : text.substr(begin + sizeof kBegin, end - begin - sizeof kBegin);
}

std::string feature_of(const std::string& log, const bpf_object* object) {
  const std::string program = between(log, "prog '", "'");
  if (const bpf_program* found = bpf_object__find_program_by_name(object, program.c_str()))
    return bpf_program__section_name(found);
  const std::string map = between(log, "map '", "'");
  return map.empty() ? "BPF object" : "map " + map;
}

}  // namespace

void load_object(bpf_object* object) {
  LogCapture log;
  const int error = -bpf_object__load(object);
  if (error == 0) return;
  const std::string feature = feature_of(log.text, object);
  // A signal came in while the verifier worked, more often than libbpf tries by itself.
  if (error == EAGAIN || error == EINTR) throw Interrupted(feature, error);
  const std::string verifier = last_lines(verifier_log_of(log.text), kLogLines);
  const std::string found = " (errno " + std::to_string(error) + ", kernel " + kernel_release() + ")";
  if (log.text.find("parameter mismatch") != std::string::npos)
    throw Failure(
        "LAYOUT", "Cannot adopt " + feature + ": it was pinned with another shape" + found,
        {feature, "Remove the pins of the other version with `sallyport down --remove`, then start again.", ""});
  if (!verifier.empty())
    throw Failure(
        "VERIFIER", "Cannot load " + feature + ": the verifier refused it" + found,
        {feature, "Sallyport needs Linux 6.1 or newer; report this log with the kernel's version.", verifier});
  if (error == EPERM || error == EACCES) throw system_failure("load " + feature, error, feature);
  throw Failure("KERNEL_FEATURE", "Cannot load " + feature + ": " + error_text(error) + found,
                {feature, "Sallyport needs Linux 6.1 or newer with CONFIG_CGROUP_BPF, CONFIG_BPF_SYSCALL and BTF.",
                 last_lines(log.text, kLogLines)});
}

}  // namespace sallyport
