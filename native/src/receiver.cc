// SPDX-License-Identifier: Apache-2.0
#include "receiver.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "failure.h"

namespace sallyport {

Receiver::Receiver() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_) throw system_failure("make an epoll descriptor", errno);
}

Receiver::Id Receiver::watch(int fd, uint8_t* bytes, size_t size) {
  Id id = ++last_id_;
  while (id == 0 || watched_.count(id) > 0) id = ++last_id_;  // they begin anew after four billion
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = id;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) throw system_failure("watch a socket", errno);
  watched_.emplace(id, Watched{fd, bytes, size});
  by_fd_[fd] = id;
  return id;
}

void Receiver::read_into(Id id, uint8_t* bytes, size_t size) {
  const auto found = watched_.find(id);
  if (found == watched_.end()) return;
  found->second.bytes = bytes;
  found->second.size = size;
}

void Receiver::unwatch(Id id) {
  const auto found = watched_.find(id);
  if (found == watched_.end()) return;
  const auto by_fd = by_fd_.find(found->second.fd);
  if (by_fd != by_fd_.end() && by_fd->second == id) {  // else it was closed, and the number is another socket's
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.fd, nullptr);
    by_fd_.erase(by_fd);
  }
  watched_.erase(found);
}

bool Receiver::begin() {
  if (at_ < ready_) return true;
  at_ = 0;
  ready_ = std::max(0, epoll_wait(epoll_.get(), events_, kEventsMax, 0));
  return ready_ > 0;
}

bool Receiver::next(Received& received) {
  while (at_ < ready_) {
    const Id id = static_cast<Id>(events_[at_++].data.u64);
    const auto found = watched_.find(id);
    if (found == watched_.end()) continue;  // since this round began
    const Watched& watched = found->second;
    const ssize_t count = recv(watched.fd, watched.bytes, watched.size, MSG_DONTWAIT);
    const int error = count < 0 ? errno : 0;
    if (error == EAGAIN || error == EINTR) continue;
    if (count <= 0) unwatch(id);
    received = {id, static_cast<uint32_t>(std::max<ssize_t>(0, count)), static_cast<uint32_t>(error)};
    return true;
  }
  return false;
}

}  // namespace sallyport
