// SPDX-License-Identifier: Apache-2.0
#include "relay_binding.h"

#include "convert.h"
#include "guarded.h"

namespace sallyport {

namespace {

using StandingPermitHandle = std::shared_ptr<const StandingPermit>;

// Kinds of open places, as index.js numbers them, and the bytes that each may have.
struct Place {
  Part::Kind kind;
  size_t bytes_max;
};
constexpr Place kPlaces[] = {
    {Part::Kind::kInteger, kIntegerDigitsMax},
    {Part::Kind::kValue, 4 + kValueBytesMax},
    {Part::Kind::kInt2, 4 + 2},
    {Part::Kind::kInt4, 4 + 4},
    {Part::Kind::kInt8, 4 + 8},
};

std::string bytes_of(const Napi::Value& value) {
  const auto buffer = value.As<Napi::Uint8Array>();
  return {reinterpret_cast<const char*>(buffer.Data()), buffer.ByteLength()};
}

Napi::Value buffer_from(Napi::Env env, std::string_view bytes) {
  return Napi::Buffer<char>::Copy(env, bytes.data(), bytes.size());
}

// A link is a text of 32 characters below 256 (src/recorder/block.ts).
Napi::Value link_to_js(Napi::Env env, const std::string& link) {
  napi_value text = nullptr;
  napi_create_string_latin1(env, link.data(), link.size(), &text);
  return {env, text};
}

std::string link_from_js(const Napi::Value& value) {
  char link[kLinkBytes + 1] = {};
  size_t length = 0;
  napi_get_value_string_latin1(value.Env(), value, link, sizeof link, &length);
  return {link, length};
}

double real(const Napi::Value& value) {
  return value.As<Napi::Number>().DoubleValue();
}

RequestMessage message_from_js(const Napi::Array& row) {
  RequestMessage message{static_cast<char>(number(row.Get(0u))), {}};
  for_each_of(row.Get(1u), [&](const Napi::Value& value) {
    Part part{Part::Kind::kExact, {}};
    if (value.IsTypedArray()) {
      part.bytes = bytes_of(value);
      message.body_bytes_max += part.bytes.size();
    } else {
      const Place& place = kPlaces[number(value)];
      part.kind = place.kind;
      message.body_bytes_max += place.bytes_max;
    }
    message.parts.push_back(std::move(part));
  });
  return message;
}

Napi::Object tail_to_js(Napi::Env env, const Tail& tail) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("size", static_cast<double>(tail.size));
  object.Set("sequence", static_cast<double>(tail.sequence));
  object.Set("link", link_to_js(env, tail.link));
  object.Set("isBroken", tail.is_broken);
  return object;
}

template <typename Numbers>
Napi::Array numbers_to_js(Napi::Env env, const Numbers& numbers) {
  Napi::Array array = Napi::Array::New(env);
  for (const uint64_t value : numbers) array.Set(array.Length(), static_cast<double>(value));
  return array;
}

Napi::Object totals_to_js(Napi::Env env, const Totals& totals) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("bytesIn", static_cast<double>(totals.bytes_in));
  object.Set("bytesOut", static_cast<double>(totals.bytes_out));
  object.Set("asks", static_cast<double>(totals.asks));
  object.Set("rows", static_cast<double>(totals.rows));
  object.Set("asked", numbers_to_js(env, totals.asked));
  object.Set("took", numbers_to_js(env, totals.took));
  return object;
}

Napi::Object in_flight_to_js(Napi::Env env, const InFlight& one, std::string_view bytes) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("permit", static_cast<double>(one.permit));
  object.Set("askId", static_cast<double>(one.ask_id));
  object.Set("bytes", buffer_from(env, bytes));
  object.Set("step", static_cast<double>(one.step));
  object.Set("rows", static_cast<double>(one.rows));
  object.Set("rowBytes", static_cast<double>(one.row_bytes));
  object.Set("isComplete", one.is_complete);
  object.Set("outcome", one.outcome);
  return object;
}

Napi::Object answer_to_js(Napi::Env env, const AnswerRecord& answer) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("askId", static_cast<double>(answer.ask_id));
  object.Set("rows", static_cast<double>(answer.rows));
  object.Set("bytes", static_cast<double>(answer.bytes));
  object.Set("outcome", answer.outcome);
  return object;
}

Napi::Array groups_to_js(Napi::Env env, const Groups& groups) {
  Napi::Array array = Napi::Array::New(env);
  for (size_t at = 0; at < groups.size(); at++)
    array.Set(array.Length(), in_flight_to_js(env, groups.at(at), groups.bytes_at(at)));
  return array;
}

Napi::Array answers_to_js(Napi::Env env, const std::vector<AnswerRecord>& answers) {
  Napi::Array array = Napi::Array::New(env);
  for (const AnswerRecord& one : answers) array.Set(array.Length(), answer_to_js(env, one));
  return array;
}

// What it throws is a no: the flow goes back, and TypeScript meets what was wrong by itself.
bool is_yes(const Napi::FunctionReference& question, const std::initializer_list<napi_value>& about) {
  try {
    return question.Call(about).StrictEquals(Napi::Boolean::New(question.Env(), true));
  } catch (const Napi::Error&) {
    return false;
  }
}

}  // namespace

Napi::Function RelayBinding::define(Napi::Env env) {
  return DefineClass(env, "RelayBinding",
                     {
                         InstanceMethod<&RelayBinding::permit>("permit"),
                         InstanceMethod<&RelayBinding::lend>("lend"),
                         InstanceMethod<&RelayBinding::take>("take"),
                         InstanceMethod<&RelayBinding::settle>("settle"),
                         InstanceMethod<&RelayBinding::tail>("tail"),
                         InstanceMethod<&RelayBinding::totals>("totals"),
                         InstanceMethod<&RelayBinding::close>("close"),
                     });
}

// [giveBack(flow, why), vouch(flow, permit, text), decide(flow, permit, askId, group)]
RelayBinding::RelayBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<RelayBinding>(info) {
  guarded(info.Env(), [&] {
    const Napi::Env env = info.Env();
    give_back_ = Napi::Persistent(info[0].As<Napi::Function>());
    vouch_ = Napi::Persistent(info[1].As<Napi::Function>());
    decide_ = Napi::Persistent(info[2].As<Napi::Function>());
    Relay::Owner owner;
    owner.give_back = [this, env](Relay::Id id, const char* why) {
      const Napi::HandleScope scope(env);
      const auto poll = poll_;
      Napi::Array row = Napi::Array::New(env);
      row.Set(0u, id);
      row.Set(1u, why);
      if (poll) poll->call(give_back_, row);
    };
    owner.vouch = [this, env](Relay::Id id, size_t permit, std::string_view text) {
      const Napi::HandleScope scope(env);
      return is_yes(vouch_, {Napi::Number::New(env, id), Napi::Number::New(env, static_cast<double>(permit)),
                             Napi::String::New(env, text.data(), text.size())});
    };
    owner.decide = [this, env](Relay::Id id, size_t permit, uint64_t ask_id, std::string_view group) {
      const Napi::HandleScope scope(env);
      return is_yes(decide_, {Napi::Number::New(env, id), Napi::Number::New(env, static_cast<double>(permit)),
                              Napi::Number::New(env, static_cast<double>(ask_id)), buffer_from(env, group)});
    };
    relay_ = std::make_unique<Relay>(std::move(owner));
    poll_ = Poll::start(env, relay_->fd(), [this] {
      const Napi::Value self = Value();  // a call may close it
      relay_->turn();
    });
    Ref();  // while the loop may call
    napi_add_env_cleanup_hook(env, &RelayBinding::close_on_exit, this);
  });
}

// [request: [type, [bytes or place]…]…, answer: [bytes…], hasRows, text, action, decision, isWordless, leaves, isAsked]
Napi::Value RelayBinding::permit(const Napi::CallbackInfo& info) {
  auto standing = std::make_shared<StandingPermit>();
  for_each_of(info[0],
              [&](const Napi::Value& row) { standing->request.push_back(message_from_js(row.As<Napi::Array>())); });
  for_each_of(info[1], [&](const Napi::Value& bytes) { standing->answer.push_back(bytes_of(bytes)); });
  standing->has_rows = info[2].ToBoolean();
  standing->text = bytes_of(info[3]);
  standing->action = bytes_of(info[4]);
  standing->decision = bytes_of(info[5]);
  standing->is_wordless = info[6].ToBoolean();
  standing->leaves = info[7].ToBoolean();
  standing->is_asked = info[8].ToBoolean();
  auto handle = std::make_unique<StandingPermitHandle>(std::move(standing));
  return Napi::External<StandingPermitHandle>::New(info.Env(), handle.release(),
                                                   [](Napi::BasicEnv, StandingPermitHandle* held) { delete held; });
}

// [[client, server], [file, size, sizeMax, sequence, link], lastAskId, forMs, permits]
Napi::Value RelayBinding::lend(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto sockets = info[0].As<Napi::Array>();
    const auto tail = info[1].As<Napi::Array>();
    Loan loan;
    loan.client_fd = static_cast<int>(number(sockets.Get(0u)));
    loan.server_fd = static_cast<int>(number(sockets.Get(1u)));
    loan.tail.fd = static_cast<int>(number(tail.Get(0u)));
    loan.tail.size = static_cast<uint64_t>(real(tail.Get(1u)));
    loan.tail.size_max = static_cast<uint64_t>(real(tail.Get(2u)));
    loan.tail.sequence = static_cast<uint64_t>(real(tail.Get(3u)));
    loan.tail.link = link_from_js(tail.Get(4u));
    loan.last_ask_id = static_cast<uint64_t>(real(info[2]));
    loan.until = std::chrono::steady_clock::now() + std::chrono::milliseconds(static_cast<int64_t>(real(info[3])));
    for_each_of(info[4], [&](const Napi::Value& held) {
      loan.permits.push_back(*held.As<Napi::External<StandingPermitHandle>>().Data());
    });
    return Napi::Number::New(info.Env(), relay_->lend(std::move(loan)));
  });
}

Napi::Value RelayBinding::take(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::unique_ptr<Returned> returned = guarded(env, [&] { return relay_->take(number(info[0])); });
  if (!returned) return env.Undefined();
  Napi::Object object = Napi::Object::New(env);
  object.Set("tail", tail_to_js(env, returned->tail));
  object.Set("totals", totals_to_js(env, returned->totals));
  object.Set("inFlight", groups_to_js(env, returned->in_flight));
  object.Set("answers", answers_to_js(env, returned->answers));
  object.Set("fromClient", buffer_from(env, returned->from_client));
  object.Set("fromServer", buffer_from(env, returned->from_server));
  object.Set("toClient", buffer_from(env, returned->to_client));
  object.Set("toServer", buffer_from(env, returned->to_server));
  object.Set("passing", static_cast<double>(returned->passing));
  object.Set("wasIdle", returned->was_idle);
  if (returned->left) object.Set("left", static_cast<double>(*returned->left));
  object.Set("status", static_cast<double>(static_cast<unsigned char>(returned->status)));
  return object;
}

Napi::Value RelayBinding::settle(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return Napi::Boolean::New(info.Env(), relay_->settle(number(info[0]))); });
}

Napi::Value RelayBinding::tail(const Napi::CallbackInfo& info) {
  const Tail* tail = relay_->tail(number(info[0]));
  return tail == nullptr ? info.Env().Undefined() : Napi::Value(tail_to_js(info.Env(), *tail));
}

Napi::Value RelayBinding::totals(const Napi::CallbackInfo& info) {
  const Totals* totals = relay_->totals(number(info[0]));
  return totals == nullptr ? info.Env().Undefined() : Napi::Value(totals_to_js(info.Env(), *totals));
}

Napi::Value RelayBinding::close(const Napi::CallbackInfo& info) {
  if (!poll_) return info.Env().Undefined();
  napi_remove_env_cleanup_hook(info.Env(), &RelayBinding::close_on_exit, this);
  stop();
  Unref();
  return info.Env().Undefined();
}

void RelayBinding::close_on_exit(void* self) {
  static_cast<RelayBinding*>(self)->stop();
}

void RelayBinding::stop() {
  if (poll_) poll_->close();
  poll_.reset();
}

}  // namespace sallyport
