// SPDX-License-Identifier: Apache-2.0
// One flow that is lent to the relay: the four ends, what was said on them, and what must hold of every call and of
// what is given back. The judge of all that is expect.h and file.h.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>

#include <cstring>

#include "../../../native/src/relay.h"
#include "expect.h"
#include "file.h"
#include "kernel.h"
#include "speech.h"
#include "stream.h"
#include "tally.h"

namespace fuzz {

using sallyport::Relay;
using sallyport::Returned;

// All fields of a Decision that names another for its grounds.
constexpr const char* kAllow = "\x10\x01";

class Flow {
 public:
  Flow(Tally& tally, uint64_t seed) : random(seed), tally_(tally), vouch_seed_(random.next()) {
    for (const Form& form : all_forms()) forms.push_back(&form);
    for (size_t at = forms.size(); at > 1; at--) std::swap(forms[at - 1], forms[random.below(at)]);
    forms.resize(random.between(1, forms.size()));
    spelled_.resize(forms.size());
    open(client);
    open(server);
    file_ = memfd_create("recording", MFD_CLOEXEC);
    fcntl(file_, F_SETFL, O_APPEND);  // as the recorder opens it
    const std::string before(random.below(100), '\xee');
    (void)!__real_write(file_, before.data(), before.size());
    chain_.size = before.size();
    for (size_t at = 0; at < 32; at++) chain_.link += static_cast<char>(random.next());
    chain_.sequence = random.next() >> random.between(20, 60);
    first_ask_ = random.next() >> random.between(20, 60);
    size_max_ = chain_.size + (random.chance(50) ? random.below(4000) : 4 << 20);
    is_short_lived_ = random.chance(20);
    trickles_ = random.chance(150) ? 300 : 20;
    disk_ = random.chance(150) ? 250 : 0;
    if (random.chance(100)) (random.chance(700) ? client : server).is_deaf = true;
  }

  ~Flow() {
    for (const int fd : {client.outer, client.inner, server.outer, server.inner, file_})
      if (fd >= 0) ::close(fd);
  }

  void lend(Relay& relay) {
    sallyport::Loan loan;
    loan.client_fd = client.inner;
    loan.server_fd = server.inner;
    loan.tail.fd = file_;
    loan.tail.size = chain_.size;
    loan.tail.size_max = size_max_;
    loan.tail.sequence = chain_.sequence;
    loan.tail.link = chain_.link;
    loan.last_ask_id = first_ask_;
    loan.until = std::chrono::steady_clock::now() +
                 (is_short_lived_ ? std::chrono::microseconds(random.below(300)) : std::chrono::hours(1));
    for (const Form* form : forms) loan.permits.push_back(form->permit);
    since_ms_ = now_ms();
    id = relay.lend(std::move(loan));
    is_lent = true;
  }

  // What the relay asks of its owner.
  bool vouch(size_t permit, std::string_view text) {
    if (!is_lent) fault("asks about a flow that is not lent");
    if (permit >= forms.size())
      fault("asks about a permit that is none");
    else if (!may_hold_finding(*forms[permit], text))
      fault("asks about what needs no asking");
    tally_.vouched++;
    return answer_of(text);
  }

  bool decide(size_t permit, uint64_t ask_id, std::string_view bytes) {
    if (!is_lent) fault("asks about a flow that is not lent");
    if (permit >= forms.size() || !forms[permit]->is_asked) {
      fault("asks about a group of a form that is allowed");
      return false;
    }
    const auto group = group_of(*forms[permit], bytes);
    if (!group || group->end != bytes.size())
      fault("asks about what is no group of the form");
    else if (!is_vouched(*forms[permit], *group, [&](std::string_view text) { return answer_of(text); }))
      fault("asks about a group that nobody vouched for");
    if (ask_id <= first_ask_) fault("asks with the id of another group");
    tally_.decided++;
    return answer_of(bytes);
  }

  void given_back(const char* why) {
    if (why_ != nullptr) fault("given back twice");
    if (!is_lent) fault("given back after it was taken");
    why_ = why;
    tally_.by_why[why]++;
  }
  bool is_given_back() const { return why_ != nullptr; }

  void take(Relay& relay) {
    const std::unique_ptr<Returned> returned = relay.take(id);
    is_lent = false;
    if (!returned) return fault("cannot be taken back");
    if (relay.take(id)) fault("can be taken back twice");
    check_file();
    check(*returned);
    tell();
  }

  // Between the calls.
  void check_file() {
    if (is_torn_) return;
    const auto records = chain_.read_on(file_);
    if (!records) return fault("the recording is not a chain of whole records");
    for (const Record& record : *records) check(record);
    if (decided_ != asked_) fault("an action without its decision");
  }

  Fate sends(bool is_to_server, std::string_view bytes) {
    if (!is_lent || is_given_back()) fault("sends on a flow that is not its own any more");
    if (bytes.empty()) fault("sends nothing");
    Stream& from = is_to_server ? client : server;
    if (from.passed + bytes.size() > from.read || from.said.compare(from.passed, bytes.size(), bytes) != 0)
      fault("sends other bytes than it has read");
    const size_t end = from.passed + bytes.size();
    if (is_to_server) {
      check_file();
      if (is_torn_) fault("sends behind a torn recording");
      if (end > covered_end()) fault("sends to the server what no permit covers");
      if (end > recorded_end()) fault("sends to the server what is not in the recording");
    } else if (end > answers_.end) {
      fault("sends to the client what is no answer of the form");
    }
    return trickle(bytes.size());
  }

  void sent(bool is_to_server, std::string_view bytes) { (is_to_server ? client : server).passed += bytes.size(); }

  Fate receives(size_t room) {
    if (!is_lent || is_given_back()) fault("reads a flow that is not its own any more");
    if (room == 0) fault("reads into no room, which looks like an end");
    return trickle(room);
  }

  void received(bool is_from_client, size_t count) {
    (is_from_client ? client : server).read += count;
    if (is_from_client) {
      while (true) {
        const size_t from = covered_end();
        auto group = covered(
            forms, std::string_view(client.said).substr(from, client.read - from),
            [&](std::string_view text) { return answer_of(text); },
            [&](std::string_view group) { return answer_of(group); });
        if (!group) break;
        group->start = from;
        group->end += from;
        groups_.push_back(std::move(*group));
      }
    } else {
      answers_.follow(std::string_view(server.said).substr(0, server.read),
                      [&](size_t at) { return at < asked_ ? forms[groups_[at].form] : nullptr; });
    }
  }

  Fate writes(size_t length) {
    if (!is_lent) fault("records for a flow that is not its own any more");
    if (is_torn_) fault("appends behind a torn record");
    if (length == 0) fault("writes nothing");
    if (!random.chance(disk_)) return {static_cast<ssize_t>(length)};
    if (random.chance(300)) return {-1, EINTR};
    has_failed_ = true;
    if (random.chance(500)) return {static_cast<ssize_t>(random.below(length))};
    return {-1, random.chance(500) ? ENOSPC : EIO};
  }

  Fate truncates(uint64_t size) {
    if (size != chain_.size) fault("cuts the recording at another place than its last whole block");
    if (random.chance(300)) {
      is_torn_ = true;
      return {-1, EPERM};
    }
    return {0};
  }

  // After the relay had its turn.
  void check_standing(Relay& relay) {
    check_file();
    if (is_lent && answers_.is_strange && !is_given_back())
      fault("keeps a flow whose server says what it does not know");
    if (is_lent && is_stranger_in_front() && !is_given_back())
      fault("keeps a flow whose client says what begins no group");
    if (!is_lent) return;
    const sallyport::Tail* tail = relay.tail(id);
    const sallyport::Totals* totals = relay.totals(id);
    if (tail == nullptr || totals == nullptr) return fault("does not know of a flow that it has");
    check(*tail);
    check(*totals);
  }

  void fault(const std::string& what) { tally_.fault(what); }
  size_t groups_at_server() const {
    size_t count = 0;
    while (count < groups_.size() && groups_[count].end <= client.heard) count++;
    return count;
  }
  const Form& form_of(size_t group) const { return *forms[groups_[group].form]; }
  int file() const { return file_; }
  bool is_quiet_kernel = false;  // calls do what they can

  Random random;
  Relay::Id id = 0;
  bool is_lent = false;
  std::vector<const Form*> forms;
  Stream client, server;
  size_t answered_by_script = 0;

 private:
  static uint64_t now_ms() {
    using namespace std::chrono;
    return static_cast<uint64_t>(duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count());
  }

  void open(Stream& stream) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
      return fault("cannot make sockets");
    stream.outer = ends[0];
    stream.inner = ends[1];
    const int tiny = 1;  // the kernel's minimum
    if (random.chance(300)) setsockopt(stream.inner, SOL_SOCKET, SO_SNDBUF, &tiny, sizeof tiny);
  }

  bool answer_of(std::string_view text) const {
    uint64_t value = vouch_seed_;
    for (const char c : text) value = mixed(value ^ static_cast<unsigned char>(c));
    return value % 4 != 0;
  }

  Fate trickle(size_t most) {
    if (is_quiet_kernel || !random.chance(trickles_)) return {static_cast<ssize_t>(most)};
    if (random.chance(300)) return {-1, random.chance(500) ? EAGAIN : EINTR};
    return {static_cast<ssize_t>(random.between(1, std::min<size_t>(most, random.chance(500) ? 7 : 700)))};
  }

  bool is_stranger_in_front() const {
    const size_t at = covered_end();
    return at < client.read && client.said[at] != 'Q' && client.said[at] != 'B' && client.said[at] != 'P';
  }

  size_t covered_end() const { return groups_.empty() ? 0 : groups_.back().end; }
  size_t recorded_end() const { return decided_ == 0 ? 0 : groups_[decided_ - 1].end; }

  void check(const Record& record) {
    const uint64_t now = now_ms();
    if (record.at_ms + 1000 < since_ms_ || record.at_ms > now + 1000) fault("a record of another time");
    if (record.kind == 13) return check_answer(record);
    const size_t at = record.kind == 11 ? asked_ : decided_;
    if (at >= groups_.size() || (record.kind == 11) != (asked_ == decided_))
      return fault("records what was not asked, or in another order");
    const Group& group = groups_[at];
    const StandingPermit& permit = *forms[group.form]->permit;
    uint64_t& spelled = spelled_[group.form];
    if (record.ask_id != first_ask_ + at + 1) fault("records another ask's id");
    if (record.kind == 11) {
      const bool is_text_named = spelled != 0 && !permit.text.empty();
      if (record.text != (is_text_named ? "" : group.text) || record.values != group.values)
        fault("records another text or other values than were asked");
      if (record.repeats != spelled || record.rest != (spelled == 0 ? permit.action : ""))
        fault("records another operation");
      asked_++;
    } else {
      if (record.repeats != (spelled == 0 ? 0 : spelled + 1) ||
          record.rest != (spelled == 0 ? permit.decision : kAllow))
        fault("records another decision");
      if (spelled == 0) spelled = record.sequence - 1;
      decided_++;
    }
  }

  void check_answer(const Record& record) {
    if (told_ >= answers_.done.size()) return fault("records an answer that has not come");
    const Answered& answer = answers_.done[told_];
    if (record.ask_id != first_ask_ + ++told_) fault("records the answer of another ask");
    if (record.rows != answer.rows || record.bytes != answer.bytes || record.text != answer.outcome ||
        !record.rest.empty())
      fault("records another answer than came");
    rows_told_ += record.rows;
  }

  void check(const sallyport::Tail& tail) {
    if (tail.is_broken != is_torn_) fault("takes a torn recording for whole, or a whole one for torn");
    if (is_torn_) return;
    if (tail.size != chain_.size || tail.link != chain_.link || tail.sequence != chain_.sequence)
      fault("the tail is not the end of the file");
    if (tail.size > size_max_) fault("the segment is larger than it may be");
  }

  void check(const sallyport::Totals& totals) {
    std::vector<uint64_t> asked(forms.size());
    for (size_t at = 0; at < asked_; at++) asked[groups_[at].form]++;
    uint64_t took = 0;
    for (const uint64_t count : totals.took) took += count;
    if (totals.asks != asked_ || totals.asked != asked) fault("counts other asks than it recorded");
    if (totals.rows != rows_told_) fault("counts other rows than it recorded");
    if (took != answers_.done.size()) fault("counts other answers than came");
    if (totals.bytes_in != recorded_end() || totals.bytes_out != answers_.end)
      fault("counts other bytes than it carried");
  }

  // What was read is passed, waits to be passed, or is not looked at: nothing is lost, doubled or in another order.
  void check_bytes(const Stream& stream, const std::string& waits, const std::string& unread, size_t carried) {
    if (waits.size() > sallyport::kReadBytes || unread.size() > sallyport::kReadBytes)
      fault("holds more bytes than it may");
    if (stream.passed + waits.size() != carried) fault("what it carried is neither passed nor waiting");
    if (stream.passed + waits.size() + unread.size() != stream.read) return fault("bytes are lost or doubled");
    if (stream.said.compare(stream.passed, stream.read - stream.passed, waits + unread) != 0)
      fault("bytes are changed or out of order");
  }

  void check(const Returned& back) {
    check(back.tail);
    check(back.totals);
    check_bytes(client, back.to_server, back.from_client, recorded_end());
    check_bytes(server, back.to_client, back.from_server, answers_.end);
    if (back.passing != answers_.passing) fault("tells another rest of a row");
    if (back.status != answers_.status || back.was_idle != answers_.was_idle) fault("tells another status");
    if (back.left != last_left()) fault("tells of another group that it left something");
    check_in_flight(back);
    if (back.answers.size() != answers_.done.size() - told_) return fault("answers are lost or doubled");
    for (size_t at = 0; at < back.answers.size(); at++) {
      const sallyport::AnswerRecord& one = back.answers[at];
      const Answered& answer = answers_.done[told_ + at];
      if (one.ask_id != first_ask_ + told_ + at + 1 || one.rows != answer.rows || one.bytes != answer.bytes ||
          one.outcome != answer.outcome)
        fault("gives back another answer than came");
    }
    check_why(back);
  }

  std::optional<size_t> last_left() const {
    for (size_t at = answers_.done.size(); at > 0; at--)
      if (!forms[groups_[at - 1].form]->parses.empty()) return groups_[at - 1].form;
    return std::nullopt;
  }

  void check_in_flight(const Returned& back) {
    const size_t answered = answers_.done.size();
    if (back.in_flight.size() > sallyport::kInFlightMax) fault("has more in flight than may be");
    if (back.in_flight.size() != asked_ - answered) return fault("groups in flight are lost or doubled");
    for (size_t at = 0; at < back.in_flight.size(); at++) {
      const sallyport::InFlight& one = back.in_flight.at(at);
      const Group& group = groups_[answered + at];
      if (one.permit != group.form || one.ask_id != first_ask_ + answered + at + 1 ||
          client.said.compare(group.start, group.end - group.start, back.in_flight.bytes_at(at)) != 0)
        fault("gives back another group than is in flight");
      const bool is_front = at == 0;
      const Answered head = is_front ? answers_.head : Answered{};
      if (one.rows != head.rows || one.row_bytes != head.bytes || one.outcome != head.outcome ||
          one.step != (is_front ? answers_.step : 0) || one.is_complete != (is_front && answers_.is_complete))
        fault("gives back a group in another state than its answer has");
    }
  }

  // It has a reason to come back, and what could be carried was.
  void check_why(const Returned& back) {
    const std::string why = why_ == nullptr ? "" : why_;
    const bool is_next_covered = covered_end() > recorded_end();
    const bool is_full =
        back.in_flight.size() == sallyport::kInFlightMax || back.from_client.size() == sallyport::kReadBytes;
    const bool may_be_over = is_short_lived_ || size_max_ < (4 << 20);
    if ((why.empty() || why == "unknown" || why == "answer") && is_next_covered)
      fault("does not carry what a permit covers");
    if (why == "answer" && !answers_.is_strange) fault("takes an answer of the form for another");
    if (why == "full" && !is_full) fault("is full before it is");
    if (why == "over" && !may_be_over) fault("is over before it is");
    if (why == "unrecorded" && !has_failed_) fault("takes a disk that works for one that does not");
    if (why == "ended" && !client.is_closed && !server.is_closed) fault("takes who listens for gone");
    if (why.empty() && answers_.is_strange) fault("keeps what it does not know");
  }

  void tell() {
    tally_.flows++;
    tally_.groups += asked_;
    tally_.answers += answers_.done.size();
    tally_.bytes += client.passed + server.passed;
    tell(client, covered_end(), tally_.from_client);
    tell(server, answers_.end, tally_.from_server);
  }

  // Only what the relay has looked at: what it carried, and what stands behind that.
  void tell(const Stream& stream, size_t carried, uint64_t& mutated) {
    for (const Mark& mark : stream.marks) {
      if (mark.start > carried || mark.start >= stream.read) break;
      if (mark.change == nullptr) {
        tally_.regular++;
        continue;
      }
      mutated++;
      tally_.by_change[mark.change]++;
    }
  }

  Tally& tally_;
  uint64_t vouch_seed_;
  int file_ = -1;
  Chain chain_;
  uint64_t first_ask_ = 0, size_max_ = 0, since_ms_ = 0;
  bool is_short_lived_ = false;
  size_t trickles_ = 0, disk_ = 0;  // of a thousand calls
  bool has_failed_ = false, is_torn_ = false;
  const char* why_ = nullptr;
  std::vector<Group> groups_;                  // that the client has asked and permits cover, one behind the other
  std::vector<uint64_t> spelled_;              // by form: the action that has its operation; 0: there was none
  size_t asked_ = 0, decided_ = 0, told_ = 0;  // records in the file
  uint64_t rows_told_ = 0;
  Answers answers_;
};

}  // namespace fuzz
