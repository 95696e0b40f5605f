// SPDX-License-Identifier: Apache-2.0
// The short way: carries groups of messages that a standing permit covers, and their answers, between two sockets, with
// each decision in the recording before its bytes leave. It decides nothing. Whatever it does not know word by word
// (another statement, an error, a notice, an end) goes back to the TypeScript session, with the flow, in the state in
// which it stands.
//
// It runs on the thread of JavaScript, between its turns: what TypeScript takes back is back at once, so that a policy
// that changed, a cut or a revocation never races with a forward. Sockets and file stay their owners'; the relay only
// reads and writes them while they are lent. ARCHITECTURE.md, "The short way", says more.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "groups.h"
#include "handles.h"
#include "records.h"
#include "standing.h"

namespace sallyport {

// Since the flow was lent.
struct Totals {
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t asks = 0;
  uint64_t rows = 0;            // of answers that are in the recording
  std::vector<uint64_t> asked;  // by permit
  // Answers by the time that they took: [n] those below 2^n microseconds.
  uint64_t took[32] = {};
};

struct Loan {
  int client_fd = -1;
  int server_fd = -1;
  Tail tail;
  uint64_t last_ask_id = 0;
  Clock::time_point until;
  std::vector<std::shared_ptr<const StandingPermit>> permits;
};

// What stands when a flow is taken back.
struct Returned {
  Tail tail;
  Totals totals;
  Groups in_flight;
  std::vector<AnswerRecord> answers;     // not in the recording yet
  std::string from_client, from_server;  // read, and not looked at
  std::string to_client, to_server;      // allowed to go, and not taken by the kernel yet
  size_t passing = 0;                    // bytes of a row that still pass as they are
  char status = 0;                       // of the last ReadyForQuery; 0: there was none
  bool was_idle = false;                 // some ReadyForQuery said that no transaction was open
  std::optional<size_t> left;            // the permit of the last answered group that leaves something
};

class Relay {
 public:
  using Id = uint32_t;
  struct Owner {
    // The flow has to be taken back; until then nothing moves in it. Called once, outside of every other call.
    std::function<void(Id, const char* why)> give_back;
    // Whether this text or value may be recorded as it is. Asked where is_suspicious() or is_suspicious_text() say so,
    // amid the work on a flow: nothing can be taken or settled meanwhile.
    std::function<bool(Id, size_t permit, std::string_view)> vouch;
    // Whether this group may go, whose permit is worth nothing without a word to each (is_asked). Of one that may,
    // nobody is asked again, but where the disk does not take it; called as vouch() is.
    std::function<bool(Id, size_t permit, uint64_t ask_id, std::string_view group)> decide;
  };

  explicit Relay(Owner owner);
  ~Relay();
  // Becomes readable when there is work for turn().
  int fd() const { return epoll_.get(); }
  void turn();

  // Throws Failure.
  Id lend(Loan loan);
  // Undefined: nobody knows of such a flow. Throws Failure while the owner is asked.
  std::unique_ptr<Returned> take(Id id);
  // Writes answers that wait. False: they still do. Throws Failure while the owner is asked.
  bool settle(Id id);
  const Tail* tail(Id id) const;
  const Totals* totals(Id id) const;

 private:
  static constexpr int kEventsMax = 64;
  enum class Side : uint64_t { kClient = 0, kServer = 1 };
  struct Flow;

  Flow* find(Id id) const;
  void hear(Id id, Side side, uint32_t events);
  const char* hear_client(Id id, Flow& flow);
  const char* hear_server(Flow& flow);
  const char* carry(Id id, Flow& flow, std::string_view bytes, size_t& carried);
  void begin_block(const Flow& flow);
  bool has_room(const Flow& flow) const;
  const char* record(Flow& flow);
  const char* pass_answers(Flow& flow, std::string_view bytes, size_t& passed);
  size_t permit_for(Id id, Flow& flow, std::string_view bytes, Fit& best);
  bool may_record(Id id, const Flow& flow, size_t permit);
  bool may_go(Id id, const Flow& flow, size_t permit, uint64_t ask_id, std::string_view group);
  template <typename Ask>
  bool ask(Ask question);
  void demand_rest() const;
  void finish(Flow& flow);
  bool read(int fd, std::string& unread, std::string_view& bytes);
  bool send(int fd, std::string& waiting, std::string_view bytes);
  void watch(Id id, Flow& flow);
  void unwatch(Flow& flow);

  Owner owner_;
  Fd epoll_;
  Id last_id_ = 0;
  std::unordered_map<Id, std::unique_ptr<Flow>> flows_;
  epoll_event events_[kEventsMax];
  int ready_ = 0;  // in events_
  int at_ = 0;     // what is left comes first in the next turn, or whoever comes last would wait for ever
  std::string buffer_;
  Block block_;
  Match match_;
  DayClock day_;
  bool is_asking_ = false;  // the owner is asked
};

}  // namespace sallyport
