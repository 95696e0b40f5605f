// SPDX-License-Identifier: Apache-2.0
#include "standing.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sallyport {

namespace {

// gate.ts: the shortest number that a detector finds has seven digits, with at most three characters between two.
constexpr size_t kNumberDigits = 7;
constexpr size_t kNumberGapMax = 3;
// lone.ts: a card has twelve; fewer by themselves are nothing.
constexpr size_t kLoneDigitsMax = 11;
// contacts.ts, numbers.ts: of one number, or of a "+" before it.
constexpr std::string_view kSeparators = "()-. /";
constexpr size_t kSeparatorsMax = 2;
constexpr uint32_t kNull = 0xffffffff;

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

bool is_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

size_t width_of(Part::Kind kind) {
  return kind == Part::Kind::kInt2 ? 2 : kind == Part::Kind::kInt4 ? 4 : 8;
}

bool take_value(std::string_view& body, Part::Kind kind, Match& match) {
  if (body.size() < 4) return false;
  const uint32_t length = big_endian(body.data());
  body.remove_prefix(4);
  if (length == kNull) {
    match.values.push_back({kind, true, {}});
    return true;
  }
  if (length > kValueBytesMax || length > body.size()) return false;
  if (kind != Part::Kind::kValue && length != width_of(kind)) return false;
  match.values.push_back({kind, false, body.substr(0, length)});
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
      default:
        if (!take_value(body, part.kind, match)) return false;
    }
  }
  return body.empty();
}

// gate.ts: without so many digits no detector looks.
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

// Whether digits could be a finding by themselves, in an ASCII text without a word that says so: by their count, the
// signs beside them, or how they are grouped.
bool has_telling_number(std::string_view text) {
  size_t digits = 0;               // of groups with nothing but separators of a number between them
  size_t before = 0, earlier = 0;  // digits of the groups before
  bool has_plus = false;
  for (size_t at = 0, end = 0; at < text.size(); at++) {
    if (!is_digit(text[at])) continue;
    const std::string_view gap = text.substr(end, at - end);
    const bool is_joined =
        digits > 0 && gap.size() <= kSeparatorsMax && gap.find_first_not_of(kSeparators) == std::string_view::npos;
    if (!is_joined) {
      digits = before = earlier = 0;
      const size_t near = std::min(at, kSeparatorsMax + 1);
      has_plus = text.substr(at - near, near).find('+') != std::string_view::npos;
    }
    const size_t start = at;
    while (at < text.size() && is_digit(text[at])) at++;
    end = at;
    const size_t size = end - start;
    digits += size;
    if (digits > kLoneDigitsMax || (has_plus && digits >= kNumberDigits)) return true;
    // An IBAN begins with two letters and two digits.
    if (size >= 2 && start >= 2 && is_letter(text[start - 1]) && is_letter(text[start - 2])) return true;
    // 3-2-4: a social security number. 3-3-4, or 1 and these: a phone number.
    const bool is_grouped = (earlier == 3 && before == 2) || ((earlier == 3 || earlier == 4) && before == 3);
    if (is_grouped && size == 4) return true;
    earlier = before;
    before = size;
  }
  return false;
}

// Two letters beside each other: the beginning of a word, or of an IBAN.
bool has_word(std::string_view text) {
  for (size_t at = 1; at < text.size(); at++)
    if (is_letter(text[at]) && is_letter(text[at - 1])) return true;
  return false;
}

// Of such letters and signs alone no token, address, key or mask of ours is made.
bool is_plain(std::string_view value) {
  for (size_t at = 0; at < value.size(); at++) {
    const char c = value[at];
    const char last = at == 0 ? '\0' : value[at - 1];
    const bool is_so = is_digit(c) || (c >= 'B' && c <= 'Z' && c != 'J') || (c >= 'a' && c <= 'z') || c == ' ' ||
                       c == '.' || c == ',' || c == '+' || c == '/' || (c == '-' && last != '-') ||
                       (c == ':' && last != 'h');
    if (!is_so) return false;
  }
  return true;
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

std::string_view text_of(const Value& value, NumberRoom& room) {
  if (value.kind == Part::Kind::kValue) return value.bytes;
  // The first byte has the sign.
  int64_t number = static_cast<signed char>(value.bytes[0]);
  for (size_t at = 1; at < value.bytes.size(); at++)
    number = number * 256 + static_cast<unsigned char>(value.bytes[at]);
  const auto written = std::to_chars(room, room + sizeof room, number);
  return {room, static_cast<size_t>(written.ptr - room)};
}

bool is_suspicious_text(std::string_view text, bool is_wordless) {
  return has_long_number(text) && (!is_wordless || has_telling_number(text));
}

bool is_suspicious(std::string_view value) {
  if (value.size() <= kLoneDigitsMax && std::all_of(value.begin(), value.end(), is_digit)) return false;
  return !is_plain(value) || (has_long_number(value) && (has_word(value) || has_telling_number(value)));
}

}  // namespace sallyport
