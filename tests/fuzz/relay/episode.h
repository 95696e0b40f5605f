// SPDX-License-Identifier: Apache-2.0
// Some flows on one relay, and what happens to them in an order that follows from a seed: peers speak, listen, go slow
// and go away, disks fail, the owner takes flows back at any moment, also within another's call.
#pragma once

#include <poll.h>

#include <deque>

#include "flow.h"

namespace fuzz {

class Episode : public Watcher {
 public:
  Episode(Tally& tally, uint64_t seed, bool tells) : tally_(tally), random_(seed), tells_(tells), relay_(owner()) {
    watcher = this;
    for (size_t count = random_.chance(700) ? 1 : random_.between(2, 3); count > 0; count--) {
      flows_.push_back(std::make_unique<Flow>(tally, random_.next()));
      flows_.back()->lend(relay_);
    }
  }
  ~Episode() override { watcher = nullptr; }

  void run() {
    for (size_t left = random_.between(20, 90); left > 0 && is_on() && is_lent(); left--) step(*random_.pick(flows_));
    for (auto& flow : flows_)
      if (flow->is_lent && is_on()) take(*flow);
    tally_.episodes++;
  }

  Fate sends(int fd, std::string_view bytes) override {
    const auto [flow, is_server] = of(fd);
    calls_++;
    return flow == nullptr ? Fate{-1, EBADF} : flow->sends(is_server, bytes);
  }
  void sent(int fd, std::string_view bytes) override {
    const auto [flow, is_server] = of(fd);
    moved_ += bytes.size();
    flow->sent(is_server, bytes);
  }
  Fate receives(int fd, size_t room) override {
    const auto [flow, is_server] = of(fd);
    calls_++;
    return flow == nullptr ? Fate{-1, EBADF} : flow->receives(room);
  }
  void received(int fd, size_t count) override {
    const auto [flow, is_server] = of(fd);
    moved_ += count;
    flow->received(!is_server, count);
  }
  Fate writes(int fd, size_t length) override {
    for (auto& flow : flows_)
      if (flow->file() == fd) return flow->writes(length);
    tally_.fault("writes to a file that is not lent");
    return {-1, EBADF};
  }
  Fate truncates(int fd, uint64_t size) override {
    for (auto& flow : flows_)
      if (flow->file() == fd) return flow->truncates(size);
    tally_.fault("cuts a file that is not lent");
    return {-1, EBADF};
  }

 private:
  bool is_on() const { return tally_.first_fault.empty(); }
  bool is_lent() const {
    return std::any_of(flows_.begin(), flows_.end(), [](const auto& flow) { return flow->is_lent; });
  }

  void say(const Flow& flow, const char* what, size_t count = 0) const {
    if (!tells_) return;
    for (size_t at = 0; at < flows_.size(); at++)
      if (flows_[at].get() == &flow) fprintf(stderr, "flow %zu: %s %zu\n", at, what, count);
  }

  std::pair<Flow*, bool> of(int fd) {
    for (auto& flow : flows_) {
      if (flow->client.inner == fd) return {flow.get(), false};
      if (flow->server.inner == fd) return {flow.get(), true};
    }
    tally_.fault("touches a descriptor that is not lent");
    return {nullptr, false};
  }

  Flow* find(Relay::Id id) {
    for (auto& flow : flows_)
      if (flow->id == id) return flow.get();
    tally_.fault("names a flow that nobody lent");
    return nullptr;
  }

  Relay::Owner owner() {
    Relay::Owner owner;
    owner.give_back = [this](Relay::Id id, const char* why) {
      Flow* flow = find(id);
      if (flow == nullptr) return;
      say(*flow, why);
      flow->given_back(why);
      if (random_.chance(800)) take(*flow);
      Flow& other = *random_.pick(flows_);
      if (random_.chance(50) && other.is_lent) take(other);
      if (random_.chance(50) && other.is_lent) {
        relay_.settle(other.id);
        other.check_file();
      }
    };
    owner.vouch = [this](Relay::Id id, size_t permit, std::string_view text) {
      Flow* flow = find(id);
      if (flow == nullptr) return false;
      if (random_.chance(20)) demand_refusal(*random_.pick(flows_));
      return flow->vouch(permit, text);
    };
    owner.decide = [this](Relay::Id id, size_t permit, uint64_t ask_id, std::string_view group) {
      Flow* flow = find(id);
      if (flow == nullptr) return false;
      if (random_.chance(20)) demand_refusal(*random_.pick(flows_));
      return flow->decide(permit, ask_id, group);
    };
    return owner;
  }

  // While it asks, a flow's state is in its hands.
  void demand_refusal(const Flow& flow) {
    try {
      if (random_.chance(500))
        relay_.take(flow.id);
      else
        relay_.settle(flow.id);
      tally_.fault("lets a flow be taken or settled while it asks");
    } catch (const std::exception&) {
    }
  }

  void step(Flow& flow) {
    switch (random_.below(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
        client_speaks(flow);
        break;
      case 4:
      case 5:
      case 6:
        server_speaks(flow);
        break;
      case 7:
      case 8:
        hear(flow.server, random_.chance(300) ? random_.between(1, 200) : 1 << 20);
        hear(flow.client, random_.chance(300) ? random_.between(1, 2000) : 1 << 20);
        break;
      case 9:
        if (flow.is_lent && random_.chance(80)) take(flow);
        break;
      case 10:
        if (flow.is_lent && random_.chance(600)) relay_.settle(flow.id);
        break;
      case 11:
        if (random_.chance(120)) end(flow);
        break;
      case 12:
        if (random_.chance(150)) demand_rest();
        break;
      default:
        turn();
        return;
    }
    for (auto& each : flows_) each->check_standing(relay_);
  }

  void turn() {
    calls_ = 0;
    relay_.turn();
    tally_.turns++;
    if (calls_ > 8 * 64 * 3) tally_.fault("stays too long in one turn");
    for (auto& flow : flows_) {
      flow->check_standing(relay_);
      if (flow->is_given_back() && flow->is_lent && random_.chance(500)) take(*flow);
    }
  }

  // When nobody says or hears anything, nothing goes on for ever.
  void demand_rest() {
    for (auto& flow : flows_) flow->is_quiet_kernel = true;
    size_t before = 0;
    size_t left = 200;
    do {
      before = moved_;
      turn();
    } while (moved_ != before && --left > 0 && is_on());
    pollfd ready{relay_.fd(), POLLIN, 0};
    if (is_on() && left > 0 && ::poll(&ready, 1, 0) != 0) {
      turn();
      if (moved_ == before && ::poll(&ready, 1, 0) != 0) tally_.fault("is busy with nothing");
    }
    for (auto& flow : flows_) flow->is_quiet_kernel = false;
  }

  void take(Flow& flow) {
    say(flow, "taken");
    flow.take(relay_);
  }

  void client_speaks(Flow& flow) {
    Random& random = flow.random;
    if (flow.client.said.size() > flow.client.written + 300'000) return write(flow, flow.client);
    const bool is_flood = random.chance(15);  // more than may be in flight
    for (size_t left = is_flood ? random.between(60, 130) : random.between(1, 6); left > 0; left--) {
      std::vector<Said> group = group_said(random, *random.pick(flow.forms), is_flood ? 5 : 800);
      if (!is_flood && random.chance(40)) reorder(random, group);
      if (!is_flood && random.chance(90)) {
        std::vector<Said> other = group_said(random, random.pick(all_forms()), 800);
        change(random, random.pick(group), random.pick(other).bytes);
      }
      add(flow.client, group);
    }
    write(flow, flow.client);
  }

  void server_speaks(Flow& flow) {
    Random& random = flow.random;
    hear(flow.server, random.chance(200) ? random.between(1, 100) : 1 << 20);
    const size_t there = flow.groups_at_server();
    while (flow.answered_by_script < there && (flow.answered_by_script == 0 || !random.chance(80))) {
      std::vector<Said> answer = answer_said(random, flow.form_of(flow.answered_by_script++));
      if (random.chance(30)) reorder(random, answer);
      if (random.chance(60)) {
        std::vector<Said> other = answer_said(random, random.pick(all_forms()));
        change(random, random.pick(answer), random.pick(other).bytes);
      }
      add(flow.server, answer);
    }
    if (random.chance(10)) {
      std::vector<Said> unasked = answer_said(random, *random.pick(flow.forms));
      for (Said& one : unasked) one.change = "unasked";
      add(flow.server, unasked);
    }
    write(flow, flow.server);
  }

  static void add(Stream& stream, const std::vector<Said>& all) {
    for (const Said& one : all) {
      stream.marks.push_back({stream.said.size(), one.change});
      stream.said += one.bytes;
    }
  }

  void write(const Flow& flow, Stream& stream) {
    if (stream.is_closed) return;
    size_t most = stream.said.size() - stream.written;
    if (random_.chance(200)) most = random_.below(std::min<size_t>(most, 300) + 1);
    while (most > 0) {
      const ssize_t count =
          __real_send(stream.outer, stream.said.data() + stream.written, most, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count <= 0) break;
      stream.written += static_cast<size_t>(count);
      most -= static_cast<size_t>(count);
    }
    say(flow, &stream == &flow.client ? "the client has written" : "the server has written", stream.written);
  }

  // What stream's peer at its outer end gets is the other stream's.
  void hear(Stream& at, size_t most) {
    Flow& flow = owner_of(at);
    Stream& from = &at == &flow.server ? flow.client : flow.server;
    char bytes[16 * 1024];
    while (!at.is_closed && !at.is_deaf && most > 0) {
      const ssize_t count = __real_recv(at.outer, bytes, std::min(most, sizeof bytes), MSG_DONTWAIT);
      if (count <= 0) break;
      const auto size = static_cast<size_t>(count);
      if (from.heard + size > from.passed || from.said.compare(from.heard, size, bytes, size) != 0)
        tally_.fault("a peer hears other bytes than were said");
      from.heard += size;
      most -= size;
    }
  }

  Flow& owner_of(const Stream& stream) {
    for (auto& flow : flows_)
      if (&flow->client == &stream || &flow->server == &stream) return *flow;
    return *flows_.front();
  }

  void end(Flow& flow) {
    Stream& stream = random_.chance(500) ? flow.client : flow.server;
    if (stream.is_closed) return;
    say(flow, &stream == &flow.client ? "the client ends" : "the server ends");
    stream.is_closed = true;
    if (random_.chance(400)) {
      shutdown(stream.outer, SHUT_WR);
    } else {
      ::close(stream.outer);  // with what was unread: a reset
      stream.outer = -1;
    }
    if (random_.chance(300)) demand_rest();
  }

  Tally& tally_;
  Random random_;
  bool tells_;
  Relay relay_;
  std::vector<std::unique_ptr<Flow>> flows_;
  size_t calls_ = 0, moved_ = 0;
};

}  // namespace fuzz
