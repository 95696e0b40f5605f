// SPDX-License-Identifier: Apache-2.0
#include "relay.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "failure.h"

namespace sallyport {

namespace {

constexpr int kRoundsMax = 8;  // in one turn: JavaScript wants to run, too
constexpr auto kTurnMax = std::chrono::milliseconds(20);
constexpr size_t kOutcomeBytesMax = 128;  // of a CommandComplete
constexpr size_t kReadyBytes = 6;         // type, length, status
constexpr size_t kNone = static_cast<size_t>(-1);

// Why a flow goes back.
constexpr const char* kUnknown = "unknown";
constexpr const char* kAnswer = "answer";
constexpr const char* kEnded = "ended";
constexpr const char* kOver = "over";
constexpr const char* kFull = "full";
constexpr const char* kUnrecorded = "unrecorded";

size_t bucket_of(Clock::duration took) {
  const auto us = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
  return us == 0 ? 0 : std::min<size_t>(31, static_cast<size_t>(64 - __builtin_clzll(us)));
}

// Of a ReadyForQuery: idle, in a transaction, in one that failed.
bool is_status(char status) {
  return status == 'I' || status == 'T' || status == 'E';
}

}  // namespace

struct Relay::Flow {
  Loan loan;
  Totals totals;
  Groups in_flight;
  std::vector<uint64_t> spelled;  // by permit: the action that has its operation, before its decision; 0: none yet
  std::vector<AnswerRecord> answers;
  std::string from_client, from_server;
  std::string to_client, to_server;
  size_t passing = 0;
  char status = 0;
  bool was_idle = false;
  std::optional<size_t> left;
  uint32_t client_events = 0, server_events = 0;
  bool is_given_back = false;  // and not watched any more
};

Relay::Relay(Owner owner) : owner_(std::move(owner)), epoll_(epoll_create1(EPOLL_CLOEXEC)), buffer_(kReadBytes, '\0') {
  if (!epoll_) throw system_failure("make an epoll descriptor", errno);
}

Relay::~Relay() = default;

Relay::Flow* Relay::find(Id id) const {
  const auto found = flows_.find(id);
  return found == flows_.end() ? nullptr : found->second.get();
}

Relay::Id Relay::lend(Loan loan) {
  Id id = ++last_id_;
  while (flows_.count(id) > 0) id = ++last_id_;  // they begin anew after four billion
  auto flow = std::make_unique<Flow>();
  flow->totals.asked.resize(loan.permits.size());
  flow->spelled.resize(loan.permits.size());
  flow->loan = std::move(loan);
  const auto add = [&](int fd, Side side, uint32_t& events) {
    events = EPOLLIN;
    epoll_event event{};
    event.events = events;
    event.data.u64 = (static_cast<uint64_t>(id) << 1) | static_cast<uint64_t>(side);
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) throw system_failure("watch a socket", errno);
  };
  add(flow->loan.client_fd, Side::kClient, flow->client_events);
  try {
    add(flow->loan.server_fd, Side::kServer, flow->server_events);
  } catch (...) {
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, flow->loan.client_fd, nullptr);
    throw;
  }
  flows_.emplace(id, std::move(flow));
  return id;
}

std::unique_ptr<Returned> Relay::take(Id id) {
  demand_rest();
  const auto found = flows_.find(id);
  if (found == flows_.end()) return nullptr;
  const std::unique_ptr<Flow> flow = std::move(found->second);
  flows_.erase(found);
  if (!flow->is_given_back) unwatch(*flow);
  auto returned = std::make_unique<Returned>();
  returned->tail = std::move(flow->loan.tail);
  returned->totals = std::move(flow->totals);
  returned->in_flight = std::move(flow->in_flight);
  returned->answers = std::move(flow->answers);
  returned->from_client = std::move(flow->from_client);
  returned->from_server = std::move(flow->from_server);
  returned->to_client = std::move(flow->to_client);
  returned->to_server = std::move(flow->to_server);
  returned->passing = flow->passing;
  returned->status = flow->status;
  returned->was_idle = flow->was_idle;
  returned->left = flow->left;
  return returned;
}

bool Relay::settle(Id id) {
  demand_rest();
  Flow* flow = find(id);
  if (flow == nullptr || flow->answers.empty()) return true;
  begin_block(*flow);
  return record(*flow) == nullptr;
}

const Tail* Relay::tail(Id id) const {
  const Flow* flow = find(id);
  return flow == nullptr ? nullptr : &flow->loan.tail;
}

const Totals* Relay::totals(Id id) const {
  const Flow* flow = find(id);
  return flow == nullptr ? nullptr : &flow->totals;
}

void Relay::turn() {
  const Clock::time_point until = Clock::now() + kTurnMax;
  for (int round = 0; round < kRoundsMax; round++) {
    if (at_ == ready_) {
      at_ = 0;
      ready_ = std::max(0, epoll_wait(epoll_.get(), events_, kEventsMax, 0));
      if (ready_ == 0) return;
    }
    while (at_ < ready_) {
      const epoll_event event = events_[at_++];
      hear(static_cast<Id>(event.data.u64 >> 1), static_cast<Side>(event.data.u64 & 1), event.events);
      if (Clock::now() > until) return;  // the owner may be asked about many groups
    }
  }
}

void Relay::hear(Id id, Side side, uint32_t events) {
  Flow* flow = find(id);
  if (flow == nullptr || flow->is_given_back) return;  // in this round
  const bool is_client = side == Side::kClient;
  const int fd = is_client ? flow->loan.client_fd : flow->loan.server_fd;
  std::string& to_this = is_client ? flow->to_client : flow->to_server;
  const std::string& to_other = is_client ? flow->to_server : flow->to_client;
  const char* why = nullptr;
  if (!to_this.empty() && !send(fd, to_this, {}))
    why = kEnded;
  else if (to_other.empty())
    why = is_client ? hear_client(id, *flow) : hear_server(*flow);
  else if ((events & (EPOLLERR | EPOLLHUP)) != 0)
    why = kEnded;  // would be said for ever, and nobody reads
  if (why == nullptr) return watch(id, *flow);
  unwatch(*flow);
  flow->is_given_back = true;
  owner_.give_back(id, why);
}

// False: the peer has ended. `bytes`: what waits to be looked at, until the next call; empty: nothing new.
bool Relay::read(int fd, std::string& unread, std::string_view& bytes) {
  const size_t kept = unread.size();
  std::memcpy(buffer_.data(), unread.data(), kept);
  const ssize_t count = recv(fd, buffer_.data() + kept, buffer_.size() - kept, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
    bytes = {};
    return true;
  }
  if (count <= 0) return false;
  unread.clear();
  bytes = std::string_view(buffer_.data(), kept + static_cast<size_t>(count));
  return true;
}

// False: the peer takes nothing any more. What the kernel has no room for waits.
bool Relay::send(int fd, std::string& waiting, std::string_view bytes) {
  if (waiting.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == static_cast<ssize_t>(bytes.size())) return true;
    const bool is_full = sent < 0 && (errno == EAGAIN || errno == EINTR);
    waiting.assign(bytes.substr(sent < 0 ? 0 : static_cast<size_t>(sent)));
    return sent >= 0 || is_full;
  }
  const ssize_t sent = ::send(fd, waiting.data(), waiting.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  const bool is_full = sent < 0 && (errno == EAGAIN || errno == EINTR);
  if (sent > 0) waiting.erase(0, static_cast<size_t>(sent));
  waiting += bytes;
  return sent >= 0 || is_full;
}

const char* Relay::hear_client(Id id, Flow& flow) {
  std::string_view bytes;
  if (!read(flow.loan.client_fd, flow.from_client, bytes)) return kEnded;
  if (bytes.empty()) return nullptr;
  size_t carried = 0;
  const char* why = carry(id, flow, bytes, carried);
  const std::string_view rest = bytes.substr(carried);
  if (!rest.empty()) flow.from_client.assign(rest);
  if (why == nullptr && rest.size() == kReadBytes) why = kFull;  // a group that one read cannot hold
  return why;
}

// Decide is done, or asked for; record, then forward. `carried`: what needs nobody any more.
const char* Relay::carry(Id id, Flow& flow, std::string_view bytes, size_t& carried) {
  const Clock::time_point now = Clock::now();
  if (now > flow.loan.until) return kOver;
  const char* why = nullptr;
  const uint64_t at_ms = day_.ms_at(now);
  size_t asked = 0;
  size_t end = 0;
  begin_block(flow);
  while (end < bytes.size()) {
    if (flow.in_flight.size() >= kInFlightMax) {
      why = kFull;
      break;
    }
    Fit best = Fit::kNo;
    const size_t permit = permit_for(id, flow, bytes.substr(end), best);
    if (best == Fit::kMore) break;
    if (best == Fit::kNo) {
      why = kUnknown;
      break;
    }
    const uint64_t ask_id = flow.loan.last_ask_id + asked + 1;
    const std::string_view group = bytes.substr(end, match_.bytes);
    const StandingPermit& standing = *flow.loan.permits[permit];
    const Block::Mark before = block_.mark();
    const uint64_t spelled = flow.spelled[permit];
    const std::string_view text = standing.text.empty() ? match_.text
                                  : spelled == 0        ? standing.text
                                                        : std::string_view();
    block_.action(at_ms, ask_id, text, match_.values, standing.action, spelled);
    block_.decision(at_ms, ask_id, standing.decision, spelled == 0 ? 0 : spelled + 1);
    // Room first: the owner counts each yes, also one of which nothing comes.
    why = !has_room(flow) ? kOver : !may_go(id, flow, permit, ask_id, group) ? kUnknown : nullptr;
    if (why != nullptr) {
      block_.cut(before);
      break;
    }
    if (spelled == 0) flow.spelled[permit] = before.sequence + 1;
    asked++;
    flow.in_flight.push({permit, ask_id, match_.bytes, now}, group);
    end += match_.bytes;
  }
  if (asked == 0) return why;
  if (const char* failed = record(flow)) {
    flow.in_flight.drop_back(asked);
    return failed;
  }
  flow.totals.asks += asked;
  flow.totals.bytes_in += end;
  flow.loan.last_ask_id += asked;
  for (size_t left = asked; left > 0; left--)
    flow.totals.asked[flow.in_flight.at(flow.in_flight.size() - left).permit]++;
  carried = end;
  if (!send(flow.loan.server_fd, flow.to_server, bytes.substr(0, end))) return kEnded;
  return why;
}

// With the answers that wait.
void Relay::begin_block(const Flow& flow) {
  block_.begin(flow.loan.tail);
  for (const AnswerRecord& answer : flow.answers) block_.answer(answer);
}

// For the block as it is.
bool Relay::has_room(const Flow& flow) const {
  return flow.loan.tail.size + block_.size() <= flow.loan.tail.size_max;
}

// Why not, where it is not in the file.
const char* Relay::record(Flow& flow) {
  if (!has_room(flow)) return kOver;
  if (!block_.write(flow.loan.tail)) return kUnrecorded;
  for (const AnswerRecord& answer : flow.answers) flow.totals.rows += answer.rows;
  flow.answers.clear();
  return nullptr;
}

// The permit that covers the group in front, where nothing in its open places speaks against recording it.
size_t Relay::permit_for(Id id, Flow& flow, std::string_view bytes, Fit& best) {
  best = Fit::kNo;
  for (size_t at = 0; at < flow.loan.permits.size(); at++) {
    const Fit found = fit(*flow.loan.permits[at], bytes, match_);
    if (found == Fit::kYes) {
      best = may_record(id, flow, at) ? Fit::kYes : Fit::kNo;
      return at;
    }
    if (found == Fit::kMore) best = Fit::kMore;
  }
  return kNone;
}

bool Relay::may_record(Id id, const Flow& flow, size_t permit) {
  const StandingPermit& standing = *flow.loan.permits[permit];
  const auto vouched = [&](std::string_view text) { return ask([&] { return owner_.vouch(id, permit, text); }); };
  if (standing.text.empty()) return !is_suspicious_text(match_.text, standing.is_wordless) || vouched(match_.text);
  for (const Value& one : match_.values) {
    if (one.is_null) continue;
    NumberRoom room;
    const std::string_view value = text_of(one, room);
    if (!is_printable(value) || (is_suspicious(value) && !vouched(value))) return false;
  }
  return true;
}

bool Relay::may_go(Id id, const Flow& flow, size_t permit, uint64_t ask_id, std::string_view group) {
  return !flow.loan.permits[permit]->is_asked || ask([&] { return owner_.decide(id, permit, ask_id, group); });
}

template <typename Ask>
bool Relay::ask(Ask question) {
  is_asking_ = true;
  const bool is_yes = question();
  is_asking_ = false;
  return is_yes;
}

// The flow that is asked about, and the block that grows, are in use until the answer is there.
void Relay::demand_rest() const {
  if (!is_asking_) return;
  throw Failure("SYSTEM", "Cannot take or settle a flow while the relay asks about one", {"", "Do so afterwards.", ""});
}

const char* Relay::hear_server(Flow& flow) {
  std::string_view bytes;
  if (!read(flow.loan.server_fd, flow.from_server, bytes)) return kEnded;
  if (bytes.empty()) return nullptr;
  size_t passed = 0;
  const char* why = pass_answers(flow, bytes, passed);
  flow.from_server.assign(bytes.substr(passed));
  if (passed == 0) return why;
  flow.totals.bytes_out += passed;
  if (!send(flow.loan.client_fd, flow.to_client, bytes.substr(0, passed))) return kEnded;
  return why;
}

const char* Relay::pass_answers(Flow& flow, std::string_view bytes, size_t& passed) {
  while (passed < bytes.size()) {
    const std::string_view rest = bytes.substr(passed);
    if (flow.passing > 0) {
      const size_t now = std::min(flow.passing, rest.size());
      flow.passing -= now;
      passed += now;
      continue;
    }
    if (flow.in_flight.empty()) return kAnswer;
    if (rest.size() < kHeaderBytes) return nullptr;
    InFlight& head = flow.in_flight.front();
    const StandingPermit& permit = *flow.loan.permits[head.permit];
    const size_t length = static_cast<size_t>(big_endian(rest.data() + 1)) + 1;
    if (length < kHeaderBytes || length > 0x7fffffff) return kAnswer;
    if (head.step < permit.answer.size()) {
      const std::string& expected = permit.answer[head.step];
      const size_t here = std::min(rest.size(), expected.size());
      if (rest.substr(0, here) != std::string_view(expected).substr(0, here)) return kAnswer;
      if (here < expected.size()) return nullptr;
      head.step++;
      passed += expected.size();
    } else if (rest[0] == 'D' && permit.has_rows && !head.is_complete) {
      head.rows++;
      head.row_bytes += length;
      flow.passing = length;
    } else if (rest[0] == 'C' && !head.is_complete) {
      if (length < kHeaderBytes + 1 || length > kOutcomeBytesMax) return kAnswer;
      if (rest.size() < length) return nullptr;
      const std::string_view tag = rest.substr(kHeaderBytes, length - kHeaderBytes - 1);
      if (rest[length - 1] != '\0' || !is_printable(tag)) return kAnswer;
      head.outcome.assign(tag);
      head.is_complete = true;
      passed += length;
    } else if (rest[0] == 'Z' && head.is_complete) {
      if (length != kReadyBytes) return kAnswer;
      if (rest.size() < length) return nullptr;
      if (!is_status(rest[kHeaderBytes])) return kAnswer;
      flow.status = rest[kHeaderBytes];
      flow.was_idle = flow.was_idle || flow.status == 'I';
      finish(flow);
      passed += length;
    } else {
      return kAnswer;
    }
  }
  return nullptr;
}

// Its answer is recorded with the next decision, or when TypeScript finds the flow idle.
void Relay::finish(Flow& flow) {
  InFlight& head = flow.in_flight.front();
  const Clock::time_point now = Clock::now();
  flow.totals.took[bucket_of(now - head.since)]++;
  flow.answers.push_back({head.ask_id, head.rows, head.row_bytes, day_.ms_at(now), std::move(head.outcome)});
  if (flow.loan.permits[head.permit]->leaves) flow.left = head.permit;
  flow.in_flight.pop_front();
}

// A side is read while the other takes what it brings.
void Relay::watch(Id id, Flow& flow) {
  const auto change = [&](int fd, Side side, uint32_t& events, bool reads, bool writes) {
    const uint32_t wanted = (reads ? EPOLLIN : 0u) | (writes ? EPOLLOUT : 0u);
    if (wanted == events) return;
    events = wanted;
    epoll_event event{};
    event.events = wanted;
    event.data.u64 = (static_cast<uint64_t>(id) << 1) | static_cast<uint64_t>(side);
    epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
  };
  change(flow.loan.client_fd, Side::kClient, flow.client_events, flow.to_server.empty(), !flow.to_client.empty());
  change(flow.loan.server_fd, Side::kServer, flow.server_events, flow.to_client.empty(), !flow.to_server.empty());
}

void Relay::unwatch(Flow& flow) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, flow.loan.client_fd, nullptr);
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, flow.loan.server_fd, nullptr);
}

}  // namespace sallyport
