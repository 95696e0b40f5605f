// SPDX-License-Identifier: Apache-2.0
#include "netns.h"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>

#include "failure.h"
#include "handles.h"

namespace sallyport {

void enter_netns(const std::string& path) {
  const Fd netns(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!netns) throw system_failure("open " + path, errno, "network namespace");
  if (setns(netns.get(), CLONE_NEWNET) != 0) throw system_failure("enter " + path, errno, "network namespace");
}

}  // namespace sallyport
