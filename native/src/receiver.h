// SPDX-License-Identifier: Apache-2.0
// Reads many sockets for JavaScript: each into a buffer of its owner's, one after the other, as JavaScript asks for the
// next. A stream of Node's takes its own way through the loop, a stream's state machine and a tick for each read; here
// a turn of the loop is one call, and a read costs little more than recv(2). It goes in rounds: what is ready is found
// out, then read. Owns no socket.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <unordered_map>

#include "handles.h"

namespace sallyport {

class Receiver {
 public:
  using Id = uint32_t;
  // What one read has brought. `count` 0: the peer has ended, or the connection broke with `error` (errno); it is
  // watched no more.
  struct Received {
    Id id;
    uint32_t count;
    uint32_t error;
  };

  Receiver();
  // Becomes readable when there is something for next().
  int fd() const { return epoll_.get(); }

  // Reads `fd` into these bytes, which stay in place until unwatch(). Throws Failure.
  Id watch(int fd, uint8_t* bytes, size_t size);
  // From the next read on.
  void read_into(Id id, uint8_t* bytes, size_t size);
  void unwatch(Id id);

  // Begins a round, or goes on with one that was left: whoever comes last in it would else wait for ever.
  // False: nothing is ready.
  bool begin();
  // False: nothing more in this round. What stays unread is there in the next one.
  bool next(Received& received);

 private:
  struct Watched {
    int fd;
    uint8_t* bytes;
    size_t size;
  };
  static constexpr int kEventsMax = 64;

  Fd epoll_;
  Id last_id_ = 0;
  std::unordered_map<Id, Watched> watched_;
  std::unordered_map<int, Id> by_fd_;
  epoll_event events_[kEventsMax];
  int ready_ = 0;  // in events_
  int at_ = 0;
};

}  // namespace sallyport
