// SPDX-License-Identifier: Apache-2.0
#include "sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "failure.h"
#include "netns.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77  // Linux 6.5
#endif
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71  // Linux 5.14
#endif

namespace sallyport {

namespace {

constexpr size_t kSynBytesMax = 120;   // IPv4 and TCP headers, each with all the options that fit
constexpr size_t kNotifyFdsMax = 253;  // SCM_MAX_FD of the kernel

Fd pidfd_of_peer(int fd, pid_t pid) {
  int pidfd = -1;
  socklen_t length = sizeof pidfd;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) == 0) return Fd(pidfd);
  if (errno != ENOPROTOOPT) return Fd();  // the process is gone
  // Before Linux 6.5 there is only the pid, which may have been given to another process since connect().
  return Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

bool is_alive(int pidfd) {
  pollfd poll_fd{pidfd, POLLIN, 0};
  return ::poll(&poll_fd, 1, 0) == 0;  // readable once the process has ended
}

std::optional<std::string> cgroup_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/cgroup");
  for (std::string line; std::getline(file, line);)
    if (line.compare(0, 3, "0::") == 0) return line.substr(3);
  return std::nullopt;
}

void set_option(int fd, int level, int option, const char* name) {
  const int on = 1;
  if (setsockopt(fd, level, option, &on, sizeof on) != 0) throw system_failure(std::string("set ") + name, errno);
}

struct SocketName {
  sockaddr_storage name{};
  socklen_t length = sizeof(sockaddr_in);
};

SocketName name_of(const std::string& text, uint16_t port) {
  const sallyport_address address = address_from_text(text);
  SocketName socket_name;
  if (is_ipv4(address)) {
    auto& four = reinterpret_cast<sockaddr_in&>(socket_name.name);
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    std::memcpy(&four.sin_addr, address.bytes + 12, 4);
  } else {
    auto& six = reinterpret_cast<sockaddr_in6&>(socket_name.name);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    std::memcpy(&six.sin6_addr, address.bytes, 16);
    socket_name.length = sizeof six;
  }
  return socket_name;
}

// A bound, non-blocking socket; SO_REUSEADDR only for streams, where it steals nothing.
Fd bind_here(const std::string& text, uint16_t port, int type) {
  const SocketName name = name_of(text, port);
  Fd fd(socket(name.name.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) throw system_failure("make a socket", errno);
  if (type == SOCK_STREAM) {
    set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR");
    set_option(fd.get(), IPPROTO_TCP, TCP_SAVE_SYN, "TCP_SAVE_SYN");
  }
  if (name.name.ss_family == AF_INET6) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, "IPV6_V6ONLY");
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&name.name), name.length) != 0)
    throw system_failure("bind " + text + " port " + std::to_string(port), errno);
  return fd;
}

}  // namespace

Peer peer_of(int fd) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
    throw system_failure("read SO_PEERCRED", errno);
  Peer peer{credentials.pid, credentials.uid, credentials.gid, std::nullopt};
  const Fd pidfd = pidfd_of_peer(fd, peer.pid);
  if (!pidfd) return peer;
  std::optional<std::string> cgroup = cgroup_of(peer.pid);
  if (is_alive(pidfd.get())) peer.cgroup = std::move(cgroup);  // so the pid was still its own when it was read
  return peer;
}

int listen_in(const std::optional<std::string>& netns, const std::string& address, uint16_t port, int backlog) {
  return in_netns(netns, [&] {
    Fd fd = bind_here(address, port, SOCK_STREAM);
    if (listen(fd.get(), backlog) != 0)
      throw system_failure("listen on " + address + " port " + std::to_string(port), errno);
    return fd.release();
  });
}

int bind_in(const std::optional<std::string>& netns, const std::string& address, uint16_t port) {
  return in_netns(netns, [&] { return bind_here(address, port, SOCK_DGRAM).release(); });
}

uint64_t netns_cookie(int fd) {
  uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) != 0)
    throw system_failure("read SO_NETNS_COOKIE", errno, "SO_NETNS_COOKIE");
  return cookie;
}

uint64_t own_netns_cookie() {
  const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) throw system_failure("make a socket", errno);
  return netns_cookie(fd.get());
}

bool notify(const std::string& state, const std::vector<int>& fds) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || *path == '\0') return false;
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const size_t path_bytes = std::strlen(path);
  if (path_bytes >= sizeof name.sun_path || fds.size() > kNotifyFdsMax)
    throw system_failure("notify the service manager", EINVAL);
  std::memcpy(name.sun_path, path, path_bytes);
  if (path[0] == '@') name.sun_path[0] = '\0';

  iovec text{const_cast<char*>(state.data()), state.size()};
  msghdr message{};
  message.msg_name = &name;
  message.msg_namelen = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_bytes);
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  std::vector<char> control(CMSG_SPACE(fds.size() * sizeof(int)));
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  }
  const Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd || sendmsg(fd.get(), &message, MSG_NOSIGNAL) < 0) throw system_failure("notify the service manager", errno);
  return true;
}

Endpoint remote_endpoint(int fd) {
  sockaddr_storage name{};
  socklen_t length = sizeof name;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&name), &length) != 0)
    throw system_failure("read the peer's address", errno);
  return endpoint_of(name);
}

// tcp(7), TCP_SAVED_SYN: the headers of IP and TCP. Options of IP never come here: the egress filter drops them.
std::optional<sallyport_origin_key> syn_of(int fd, uint64_t netns_cookie) {
  union {
    iphdr four;
    ip6_hdr six;
    uint8_t bytes[kSynBytesMax];
  } syn{};
  socklen_t length = sizeof syn;
  if (getsockopt(fd, IPPROTO_TCP, TCP_SAVED_SYN, &syn, &length) != 0) return std::nullopt;
  sallyport_origin_key key{};
  key.netns_cookie = netns_cookie;
  size_t header = sizeof syn.six;
  if (syn.four.version == 4) {
    header = syn.four.ihl * 4u;
    key.address = address_from_ipv4(syn.four.saddr);
  } else {
    std::memcpy(key.address.bytes, &syn.six.ip6_src, sizeof key.address.bytes);
  }
  tcphdr tcp{};
  if (length < header + sizeof tcp) return std::nullopt;
  std::memcpy(&tcp, syn.bytes + header, sizeof tcp);
  key.port = ntohs(tcp.source);
  key.sequence_be = tcp.seq;
  return key;
}

// Accepted sockets have the options from their listener, which may come from an older version.
Acceptor::Acceptor(Interceptor& interceptor, int listen_fd)
    : interceptor_(interceptor),
      listen_fd_(listen_fd),
      netns_cookie_(netns_cookie(listen_fd)),
      spare_(open("/dev/null", O_RDONLY | O_CLOEXEC)) {
  set_option(listen_fd, IPPROTO_TCP, TCP_NODELAY, "TCP_NODELAY");
  set_option(listen_fd, IPPROTO_TCP, TCP_SAVE_SYN, "TCP_SAVE_SYN");
}

std::optional<Accepted> Acceptor::next() {
  for (;;) {
    sockaddr_storage name{};
    socklen_t length = sizeof name;
    Fd fd(accept4(listen_fd_, reinterpret_cast<sockaddr*>(&name), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      const std::optional<sallyport_origin_key> syn = syn_of(fd.get(), netns_cookie_);
      return Accepted{std::move(fd), endpoint_of(name), syn ? interceptor_.claim(*syn) : std::nullopt};
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if ((errno == EMFILE || errno == ENFILE) && shed_one()) continue;
    return std::nullopt;
  }
}

// Out of descriptors, a waiting connection would wake the loop for ever. The spare one is
// given up to accept and close it, so that its client learns at once.
bool Acceptor::shed_one() {
  spare_ = Fd();
  const bool shed = static_cast<bool>(Fd(accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC)));
  spare_ = Fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
  return shed;
}

}  // namespace sallyport
