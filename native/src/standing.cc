// SPDX-License-Identifier: Apache-2.0
#include "standing.h"

#include <algorithm>
#include <cstring>

namespace sallyport {

namespace {

// gate.ts: the shortest number that a detector finds has seven digits, with at most three characters between two.
constexpr size_t kNumberDigits = 7;
constexpr size_t kNumberGapMax = 3;
// lone.ts: a card has twelve; fewer by themselves are nothing.
constexpr size_t kLoneDigitsMax = 11;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool take_integer(std::string_view& body) {
  size_t digits = 0;
  while (digits < body.size() && is_digit(body[digits])) digits++;
  if (digits == 0 || digits > kIntegerDigitsMax) return false;
  body.remove_prefix(digits);
  return true;
}

bool take_value(std::string_view& body, Match& match) {
  if (body.size() < 4) return false;
  const uint32_t length = big_endian(body.data());
  body.remove_prefix(4);
  if (length > kValueBytesMax || length > body.size()) return false;
  match.values.push_back(body.substr(0, length));
  body.remove_prefix(length);
  return true;
}

bool fits_body(const RequestMessage& message, std::string_view body, Match& match) {
  for (const Part& part : message.parts) {
    switch (part.kind) {
      case Part::Kind::kExact:
        if (body.substr(0, part.bytes.size()) != part.bytes) return false;
        body.remove_prefix(part.bytes.size());
        break;
      case Part::Kind::kInteger:
        if (!take_integer(body)) return false;
        break;
      case Part::Kind::kValue:
        if (!take_value(body, match)) return false;
        break;
    }
  }
  return body.empty();
}

}  // namespace

uint32_t big_endian(const char* bytes) {
  uint32_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return __builtin_bswap32(value);
}

Fit fit(const StandingPermit& permit, std::string_view bytes, Match& match) {
  match.bytes = 0;
  match.text = {};
  match.values.clear();
  for (const RequestMessage& message : permit.request) {
    const std::string_view rest = bytes.substr(match.bytes);
    if (rest.empty()) return Fit::kMore;
    if (rest[0] != message.type) return Fit::kNo;
    if (rest.size() < kHeaderBytes) return Fit::kMore;
    const uint32_t length = big_endian(rest.data() + 1);
    if (length < 4 || length - 4 > message.body_bytes_max) return Fit::kNo;
    if (rest.size() < length + 1) return Fit::kMore;
    const std::string_view body = rest.substr(kHeaderBytes, length - 4);
    if (!fits_body(message, body, match)) return Fit::kNo;
    if (message.type == 'Q') match.text = body.substr(0, body.size() - 1);
    match.bytes += length + 1;
  }
  return Fit::kYes;
}

bool is_printable(std::string_view text) {
  for (const char c : text)
    if (c < ' ' || c > '~') return false;
  return true;
}

bool has_long_number(std::string_view text) {
  size_t run = 0;
  size_t gap = 0;
  for (const char c : text) {
    if (!is_digit(c)) {
      gap++;
      continue;
    }
    run = gap > kNumberGapMax ? 1 : run + 1;
    gap = 0;
    if (run >= kNumberDigits) return true;
  }
  return false;
}

bool is_suspicious(std::string_view value) {
  if (value.size() <= kLoneDigitsMax && std::all_of(value.begin(), value.end(), is_digit)) return false;
  if (has_long_number(value)) return true;
  for (size_t at = 0; at < value.size(); at++) {
    const char c = value[at];
    const bool is_plain = is_digit(c) || (c >= 'B' && c <= 'Z' && c != 'J') || (c >= 'a' && c <= 'z') || c == ' ' ||
                          c == '.' || c == ',' || c == '+' || c == '/' ||
                          (c == '-' && (at == 0 || value[at - 1] != '-'));
    if (!is_plain) return true;
  }
  return false;
}

}  // namespace sallyport
