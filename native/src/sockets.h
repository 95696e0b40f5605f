// SPDX-License-Identifier: Apache-2.0
// The socket calls that Node lacks, and the accept loop that claims origins. No BPF object here
// beyond the Interceptor that is handed in.
#pragma once

#include <napi.h>

#include <optional>
#include <string>
#include <vector>

#include "address.h"
#include "handles.h"
#include "interceptor.h"

namespace sallyport {

struct Peer {
  pid_t pid;
  uid_t uid;
  gid_t gid;
  std::optional<std::string> cgroup;
};

// Each is documented in index.d.ts. All throw Failure.
Peer peer_of(int fd);
int listen_in(const std::optional<std::string>& netns, const std::string& address, uint16_t port, int backlog);
int bind_in(const std::optional<std::string>& netns, const std::string& address, uint16_t port);
uint64_t netns_cookie(int fd);
uint64_t own_netns_cookie();
bool notify(const std::string& state, const std::vector<int>& fds);
Endpoint remote_endpoint(int fd);
// The SYN of an accepted connection, which its listener kept; none if it did not, or if it was read before.
std::optional<sallyport_origin_key> syn_of(int fd, uint64_t netns_cookie);

struct Accepted {
  Fd fd;
  Endpoint source;
  std::optional<sallyport_origin> origin;
};

// Takes connections from one listening descriptor, which stays its owner's.
class Acceptor {
 public:
  Acceptor(Interceptor& interceptor, int listen_fd);
  // The next connection that waits; none when the queue is empty for now.
  std::optional<Accepted> next();

 private:
  bool shed_one();

  Interceptor& interceptor_;
  const int listen_fd_;
  const uint64_t netns_cookie_;
  Fd spare_;
};

}  // namespace sallyport
