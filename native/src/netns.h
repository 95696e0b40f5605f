// SPDX-License-Identifier: Apache-2.0
// Runs something inside another network namespace, on a thread of its own: setns() moves only the
// thread that calls it, and this one then ends.
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <thread>

namespace sallyport {

// Moves the calling thread. Throws Failure.
void enter_netns(const std::string& path);

// `body` must not touch JS. Without a path it runs here.
template <typename Body>
auto in_netns(const std::optional<std::string>& path, Body body) -> decltype(body()) {
  if (!path) return body();
  decltype(body()) result{};
  std::exception_ptr failure;
  std::thread([&] {
    try {
      enter_netns(*path);
      result = body();
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
  return result;
}

}  // namespace sallyport
