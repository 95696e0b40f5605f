// SPDX-License-Identifier: Apache-2.0
// Stands between the relay and the kernel (ld --wrap): says what it did, at the moment it does it, and lets calls fail,
// be interrupted or do less than they were asked for, as a kernel may.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>

extern "C" {
ssize_t __real_send(int fd, const void* bytes, size_t length, int flags);
ssize_t __real_recv(int fd, void* bytes, size_t length, int flags);
ssize_t __real_write(int fd, const void* bytes, size_t length);
int __real_ftruncate(int fd, off_t size);
}

namespace fuzz {

// What a call is to do: -1: fail with `error`; otherwise do at most so much of it.
struct Fate {
  ssize_t most = -1;
  int error = 0;
};

struct Watcher {
  virtual ~Watcher() = default;
  virtual Fate sends(int fd, std::string_view bytes) = 0;
  virtual void sent(int fd, std::string_view bytes) = 0;
  virtual Fate receives(int fd, size_t room) = 0;
  virtual void received(int fd, size_t count) = 0;
  virtual Fate writes(int fd, size_t length) = 0;
  virtual Fate truncates(int fd, uint64_t size) = 0;
};

inline Watcher* watcher = nullptr;

}  // namespace fuzz

extern "C" {

inline __attribute__((used)) ssize_t __wrap_send(int fd, const void* bytes, size_t length, int flags) {
  const std::string_view all(static_cast<const char*>(bytes), length);
  const fuzz::Fate fate = fuzz::watcher->sends(fd, all);
  if (fate.most < 0) {
    errno = fate.error;
    return -1;
  }
  const ssize_t sent = __real_send(fd, bytes, static_cast<size_t>(fate.most), flags);
  const int error = errno;
  if (sent > 0) fuzz::watcher->sent(fd, all.substr(0, static_cast<size_t>(sent)));
  errno = error;
  return sent;
}

inline __attribute__((used)) ssize_t __wrap_recv(int fd, void* bytes, size_t length, int flags) {
  const fuzz::Fate fate = fuzz::watcher->receives(fd, length);
  if (fate.most < 0) {
    errno = fate.error;
    return -1;
  }
  const ssize_t count = __real_recv(fd, bytes, static_cast<size_t>(fate.most), flags);
  const int error = errno;
  if (count > 0) fuzz::watcher->received(fd, static_cast<size_t>(count));
  errno = error;
  return count;
}

inline __attribute__((used)) ssize_t __wrap_write(int fd, const void* bytes, size_t length) {
  const fuzz::Fate fate = fuzz::watcher->writes(fd, length);
  if (fate.most >= 0) return __real_write(fd, bytes, static_cast<size_t>(fate.most));
  errno = fate.error;
  return -1;
}

inline __attribute__((used)) int __wrap_ftruncate(int fd, off_t size) noexcept {
  const fuzz::Fate fate = fuzz::watcher->truncates(fd, static_cast<uint64_t>(size));
  if (fate.most >= 0) return __real_ftruncate(fd, size);
  errno = fate.error;
  return -1;
}
}
