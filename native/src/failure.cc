// SPDX-License-Identifier: Apache-2.0
#include "failure.h"

#include <sys/utsname.h>

#include <cerrno>
#include <system_error>

namespace sallyport {

Failure::Failure(std::string code_, const std::string& message, FailureDetails details_)
    : std::runtime_error(message), code(std::move(code_)), details(std::move(details_)) {}

namespace {

struct Meaning {
  const char* code;
  const char* remedy;
};

Meaning meaning_of(int error) {
  switch (error) {
    case EPERM:
    case EACCES:
      return {"PRIVILEGE", "Run as root with CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and CAP_SYS_ADMIN."};
    case EADDRINUSE:
      return {"PORT_IN_USE", "Choose another port, or stop the process that holds this one."};
    case ENOSPC:
    case E2BIG:
      return {"MAP_FULL", "Remove entries first; the capacity of each map is stated in bpf/maps.h."};
    default:
      return {"SYSTEM", "See the errno in the message."};
  }
}

}  // namespace

std::string error_text(int error) {
  return std::generic_category().message(error);
}

Failure system_failure(const std::string& what, int error, const std::string& feature) {
  const Meaning meaning = meaning_of(error);
  return Failure(meaning.code, "Cannot " + what + ": " + error_text(error) + " (errno " + std::to_string(error) + ")",
                 {feature, meaning.remedy, ""});
}

std::string kernel_release() {
  utsname name{};
  uname(&name);
  return name.release;
}

}  // namespace sallyport
