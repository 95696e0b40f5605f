// SPDX-License-Identifier: Apache-2.0
#include "sock_diag.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <vector>

#include "failure.h"
#include "handles.h"
#include "netns.h"

namespace sallyport {

namespace {

constexpr size_t kReadBytes = 64 * 1024;
constexpr int kPassesMax = 3;  // a dump that changed while it was read is read again

// Every state but TIME_WAIT and the requests that are no sockets yet: those have no cgroup.
constexpr uint32_t kStates = 0xfff & ~(1u << TCP_TIME_WAIT);

struct Request {
  nlmsghdr header;
  inet_diag_req_v2 body;
};

class Diagnosis {
 public:
  Diagnosis() : fd_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)) {
    if (!fd_) throw system_failure("ask for sockets", errno, "sock_diag");
  }

  // False: something changed meanwhile, so that the answer may have holes.
  bool dump(uint8_t family, uint8_t protocol, const std::function<void(const inet_diag_msg&, uint64_t)>& each) {
    Request request = request_of(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, family, protocol);
    request.body.idiag_states = kStates;
    send(request);
    bool whole = true;
    for (;;) {
      size_t left = receive();
      for (auto* one = reinterpret_cast<nlmsghdr*>(buffer_.data()); NLMSG_OK(one, left); one = NLMSG_NEXT(one, left)) {
        if ((one->nlmsg_flags & NLM_F_DUMP_INTR) != 0) whole = false;
        if (one->nlmsg_type == NLMSG_DONE) return whole;
        if (one->nlmsg_type == NLMSG_ERROR) {
          const int error = error_of(one);
          if (error == ENOENT) return true;  // no such protocol in this kernel
          throw system_failure("list sockets", error, "sock_diag");
        }
        const auto* found = static_cast<const inet_diag_msg*>(NLMSG_DATA(one));
        each(*found, cgroup_of(one));
      }
    }
  }

  // 0 or an errno.
  int destroy(uint8_t protocol, const inet_diag_msg& socket) {
    Request request = request_of(SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK, socket.idiag_family, protocol);
    request.body.idiag_states = 1u << socket.idiag_state;
    request.body.id = socket.id;
    send(request);
    receive();
    const auto* answer = reinterpret_cast<const nlmsghdr*>(buffer_.data());
    return answer->nlmsg_type == NLMSG_ERROR ? error_of(answer) : 0;
  }

 private:
  static Request request_of(uint16_t type, uint16_t flags, uint8_t family, uint8_t protocol) {
    Request request{};
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = type;
    request.header.nlmsg_flags = flags;
    request.body.sdiag_family = family;
    request.body.sdiag_protocol = protocol;
    return request;
  }

  static int error_of(const nlmsghdr* message) { return -static_cast<const nlmsgerr*>(NLMSG_DATA(message))->error; }

  static uint64_t cgroup_of(const nlmsghdr* message) {
    const auto* found = static_cast<const inet_diag_msg*>(NLMSG_DATA(message));
    const auto* attribute = reinterpret_cast<const rtattr*>(found + 1);
    for (size_t left = message->nlmsg_len - NLMSG_LENGTH(sizeof *found); RTA_OK(attribute, left);
         attribute = RTA_NEXT(attribute, left)) {
      if (attribute->rta_type != INET_DIAG_CGROUP_ID) continue;
      uint64_t cgroup_id = 0;
      std::memcpy(&cgroup_id, RTA_DATA(attribute), sizeof cgroup_id);
      return cgroup_id;
    }
    return 0;
  }

  void send(const Request& request) {
    if (::send(fd_.get(), &request, sizeof request, 0) < 0) throw system_failure("ask for sockets", errno, "sock_diag");
  }

  size_t receive() {
    for (;;) {
      const ssize_t bytes = recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
      if (bytes >= 0) return static_cast<size_t>(bytes);
      if (errno != EINTR) throw system_failure("read the list of sockets", errno, "sock_diag");
    }
  }

  Fd fd_;
  std::vector<char> buffer_ = std::vector<char>(kReadBytes);
};

bool is_connected(const inet_diag_msg& socket) {
  return socket.idiag_state != TCP_LISTEN && socket.idiag_state != TCP_CLOSE;
}

// The other end, as the destination table would name it.
Reach peer_of(const inet_diag_msg& socket, uint8_t protocol) {
  sockaddr_storage name{};
  name.ss_family = socket.idiag_family;
  if (socket.idiag_family == AF_INET)
    std::memcpy(&reinterpret_cast<sockaddr_in&>(name).sin_addr, socket.id.idiag_dst, sizeof(in_addr));
  else
    std::memcpy(&reinterpret_cast<sockaddr_in6&>(name).sin6_addr, socket.id.idiag_dst, sizeof(in6_addr));
  return {endpoint_of(name).address, 128, ntohs(socket.id.idiag_dport), protocol};
}

bool covers(const Reach& reach, const Reach& peer) {
  if (reach.protocol != peer.protocol || (reach.port != 0 && reach.port != peer.port)) return false;
  // A short IPv6 prefix says nothing about IPv4, as in the kernel's table.
  if (is_ipv4(reach.address) != is_ipv4(peer.address)) return false;
  for (uint32_t bit = 0; bit < reach.prefix; bit++)
    if (((reach.address.bytes[bit / 8] ^ peer.address.bytes[bit / 8]) & (0x80u >> (bit % 8))) != 0) return false;
  return true;
}

bool is_closed(const Closed& closed, const Reach& peer) {
  const auto reaches = [&](const Reach& reach) { return covers(reach, peer); };
  return std::any_of(closed.gone.begin(), closed.gone.end(), reaches) &&
         std::none_of(closed.kept.begin(), closed.kept.end(), reaches);
}

// One family and protocol. False: the dump had holes.
bool destroy_some(Destroyed& sum, uint8_t family, uint8_t protocol, const std::set<uint64_t>& cgroup_ids, Which which,
                  const std::optional<Closed>& only) {
  Diagnosis diagnosis;
  std::vector<inet_diag_msg> doomed;
  const bool whole = diagnosis.dump(family, protocol, [&](const inet_diag_msg& socket, uint64_t cgroup_id) {
    if (cgroup_ids.count(cgroup_id) == 0 || (which == Which::kConnected && !is_connected(socket))) return;
    if (!only || is_closed(*only, peer_of(socket, protocol))) doomed.push_back(socket);
  });
  for (const inet_diag_msg& socket : doomed) {
    const int error = diagnosis.destroy(protocol, socket);
    if (error == 0)
      sum.destroyed++;
    else if (error != ENOENT)  // that one went by itself
      sum.unable++;
  }
  return whole;
}

}  // namespace

bool can_destroy_sockets() {
  inet_diag_msg nowhere{};  // there is no socket of port 0
  nowhere.idiag_family = AF_INET;
  nowhere.id.idiag_cookie[0] = nowhere.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  return Diagnosis().destroy(IPPROTO_TCP, nowhere) != EOPNOTSUPP;
}

Destroyed destroy_sockets(const std::optional<std::string>& netns, const std::set<uint64_t>& cgroup_ids, Which which,
                          const std::optional<Closed>& only) {
  return in_netns(netns, [&] {
    Destroyed sum;
    for (const uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP})
      for (const uint8_t family : {AF_INET, AF_INET6})
        for (int pass = 0; pass < kPassesMax; pass++)
          if (destroy_some(sum, family, protocol, cgroup_ids, which, only)) break;
    return sum;
  });
}

}  // namespace sallyport
