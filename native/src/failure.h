// SPDX-License-Identifier: Apache-2.0
// Every failure of the addon, as one clear error. Thrown as C++, turned into a JS Error at the boundary (guarded.h).
#pragma once

#include <stdexcept>
#include <string>

namespace sallyport {

struct FailureDetails {
  std::string feature;
  std::string remedy;
  std::string verifier_log;
};

class Failure : public std::runtime_error {
 public:
  Failure(std::string code, const std::string& message, FailureDetails details);

  const std::string code;
  const FailureDetails details;
};

// "Cannot <what>: <strerror>", with the code and remedy that fit the errno.
Failure system_failure(const std::string& what, int error, const std::string& feature = "");

std::string error_text(int error);
std::string kernel_release();

}  // namespace sallyport
