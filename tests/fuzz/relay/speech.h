// SPDX-License-Identifier: Apache-2.0
// What a client and a server say: groups of a form and their answers, as they should be or changed.
#pragma once

#include "forms.h"
#include "random.h"

namespace fuzz {

// A message, or what is left of one; `change`: what was done to it, nullptr: nothing.
struct Said {
  std::string bytes;
  const char* change = nullptr;
};

inline std::string digits(Random& random, size_t count) {
  std::string text;
  for (size_t at = 0; at < count; at++) text += static_cast<char>('0' + random.below(10));
  return text;
}

constexpr char kCharacters[] = "abz AJ-'\"@[_\\\x7f\x80\xc3\xa9\x00\x01\n0123456789.,+/~";

inline std::string strange_text(Random& random, size_t length) {
  std::string text;
  for (size_t at = 0; at < length; at++) text += kCharacters[random.below(sizeof kCharacters - 1)];
  return text;
}

// What an open place gets; `share`, of a thousand: how often it is not what a driver would put there. Then `change` is
// set.
inline std::string integer(Random& random, size_t share, const char*& change) {
  if (!random.chance(share)) return digits(random, random.between(1, 4));
  change = "another integer";
  static const std::vector<std::string> strange{"",   "-1",  "1.5", "1e5",          "0x1f", " 1",
                                                "1 ", "1;2", "1_0", "\xef\xbc\x94", "(1)",  "1/**/"};
  return random.chance(15) ? random.pick(strange)
                           : digits(random, random.between(1, random.chance(15)    ? 14
                                                              : random.chance(300) ? 9
                                                                                   : 6));
}

// Digits in groups, as numbers, dates and times are written.
inline std::string grouped(Random& random) {
  static const std::vector<std::string> between{"-",  "-",  " ", ".",  ":", "/", ", ",
                                                ") ", " (", "+", " +", "T", "x", "no"};
  std::string text = random.chance(300) ? random.pick(between) : "";
  for (size_t left = random.between(1, 5); left > 0; left--)
    text += digits(random, random.between(1, 4)) + (left > 1 ? random.pick(between) : "");
  return text;
}

// Of a Bind, with its length: an integer of so many bytes, or of another number of them.
inline std::string binary(Random& random, size_t bytes, size_t share, const char*& change) {
  if (random.chance(share)) change = "another integer in binary form";
  if (random.chance(share / 4)) return be32(~0u);
  if (random.chance(share / 50)) bytes += random.chance(500) ? 1 : -1;
  std::string value;
  const char sign = random.chance(300) ? '\xff' : '\0';
  const size_t small = random.chance(share / 10) ? 0 : bytes / 2;
  for (size_t at = 0; at < bytes; at++) value += at < small ? sign : static_cast<char>(random.next());
  return be32(static_cast<uint32_t>(bytes)) + value;
}

inline std::string parameter(Random& random, size_t bytes, size_t share, const char*& change) {
  if (bytes > 0) return binary(random, bytes, share, change);
  if (!random.chance(share)) {
    const size_t length = random.between(0, 8);
    return be32(static_cast<uint32_t>(length)) + std::string(length, static_cast<char>('b' + random.below(20)));
  }
  change = "another value";
  const size_t kind = random.below(60);
  if (kind == 0) return be32(~0u);  // NULL
  if (kind == 1) return be32(static_cast<uint32_t>(random.below(300))) + "short";
  if (kind < 4) {
    const size_t length = random.between(250, 262);
    return be32(static_cast<uint32_t>(length)) + std::string(length, 'k');
  }
  const std::string text = kind < 16   ? digits(random, random.between(1, kind < 8 ? 12 : 6))
                           : kind < 20 ? strange_text(random, random.below(kind < 18 ? 12 : 2))
                           : kind < 26 ? grouped(random)
                                       : std::string(random.below(30), " bcd.,/"[random.below(7)]);
  return be32(static_cast<uint32_t>(text.size())) + text;
}

inline std::vector<Said> group_said(Random& random, const Form& form, size_t share) {
  if (!form.query.empty()) {
    const char* change = nullptr;
    std::string text;
    for (const char c : form.query) text += c == '#' ? integer(random, share, change) : std::string(1, c);
    return {{message('Q', z(text)), change}};
  }
  const char* change = nullptr;
  std::string bind = z("") + z(form.statement) + formats_of(form) + be16(static_cast<uint16_t>(form.values.size()));
  for (const size_t bytes : form.values) bind += parameter(random, bytes, share, change);
  bind += be16(static_cast<uint16_t>(form.result_formats.size()));
  for (const uint16_t format : form.result_formats) bind += be16(format);
  std::vector<Said> all;
  if (!form.parses.empty()) all.push_back({message('P', form.parses)});
  all.push_back({message('B', bind), change});
  if (form.describes) all.push_back({message('D', "P" + z(""))});
  all.push_back({message('E', z("") + be32(0))});
  all.push_back({message('S', "")});
  return all;
}

inline std::vector<Said> answer_said(Random& random, const Form& form) {
  std::vector<Said> all;
  for (const std::string& bytes : form.answer) all.push_back({bytes});
  const size_t rows = form.has_rows ? random.below(5) : random.chance(15) ? 1 : 0;
  for (size_t at = 0; at < rows; at++) {
    const size_t length = random.chance(3)    ? random.between(60'000, 200'000)
                          : random.chance(60) ? random.below(5000)
                                              : random.below(40);
    const bool is_odd = random.chance(300);
    std::string body = is_odd ? strange_text(random, std::min<size_t>(length, 64))
                              : be16(1) + be32(static_cast<uint32_t>(length)) + std::string(length, 'r');
    all.push_back({message('D', body), !form.has_rows ? "a row that nobody described"
                                       : is_odd       ? "another row"
                                                      : nullptr});
  }
  const bool is_odd = random.chance(250);
  std::string tag = "SELECT " + std::to_string(rows);
  if (is_odd)
    tag = random.chance(60) ? strange_text(random, random.below(20))
                            : std::string(random.chance(50) ? random.between(118, 126) : random.below(60), 'T');
  all.push_back({message('C', z(tag)), is_odd ? "another tag" : nullptr});
  const bool is_other = random.chance(120);
  all.push_back({message('Z', std::string(1, is_other ? "TETETEI\0x"[random.below(9)] : 'I')),
                 is_other ? "another status" : nullptr});
  return all;
}

// A change that is about bytes, whoever says them. `other`: a message to take from, or to put in its place.
inline void change(Random& random, Said& said, const std::string& other) {
  std::string& bytes = said.bytes;
  const auto at = [&] { return random.below(bytes.size()); };
  const auto right_length = [&] {
    if (bytes.size() >= 5) bytes.replace(1, 4, be32(static_cast<uint32_t>(bytes.size() - 1)));
  };
  switch (random.below(14)) {
    case 0:
      for (size_t left = random.between(1, 3); left > 0; left--) bytes[at()] ^= static_cast<char>(1 << random.below(8));
      said.change = "bits flipped";
      break;
    case 1:
      bytes[at()] = static_cast<char>(random.next());
      said.change = "a byte replaced";
      break;
    case 2:
      bytes.insert(at(), strange_text(random, random.between(1, 4)));
      said.change = "bytes inserted";
      break;
    case 3:
      bytes.insert(std::min<size_t>(bytes.size(), 5 + at()), strange_text(random, random.between(1, 4)));
      right_length();
      said.change = "bytes inserted, length right";
      break;
    case 4:
      bytes.erase(at(), random.between(1, 3));
      said.change = "bytes deleted";
      break;
    case 5:
      if (bytes.size() > 6) bytes.erase(5 + random.below(bytes.size() - 5), random.between(1, 3));
      right_length();
      said.change = "bytes deleted, length right";
      break;
    case 6:
      bytes.resize(random.between(1, bytes.size()));
      said.change = "truncated";
      break;
    case 7: {
      static const std::vector<uint32_t> lengths{0,          1,          3,          4,          5,          6,
                                                 0x7ffffffe, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffb, 70'000};
      const uint32_t near = static_cast<uint32_t>(bytes.size() - 1 + random.below(9) - 4);
      if (bytes.size() >= 5) bytes.replace(1, 4, be32(random.chance(500) ? near : random.pick(lengths)));
      said.change = "length wrong";
      break;
    }
    case 8:
      bytes[0] = "QBDESPCHFXfcdp12TnDCZEANSKGHVW\0~"[random.below(32)];
      said.change = "type replaced";
      break;
    case 9:
      bytes = bytes.substr(0, at()) + other.substr(random.below(other.size()));
      said.change = "spliced with another";
      break;
    case 10:
      bytes += bytes.substr(at());
      said.change = "a part repeated";
      break;
    case 11:
      bytes = other;
      said.change = "another in its place";
      break;
    case 12:
      bytes += other;
      said.change = "another behind it";
      break;
    default:
      bytes = strange_text(random, random.between(1, 24));
      said.change = "noise";
  }
}

// Changes in the order of a group's messages.
inline void reorder(Random& random, std::vector<Said>& all) {
  const size_t at = random.below(all.size());
  switch (random.below(3)) {
    case 0:
      all.insert(all.begin() + static_cast<std::ptrdiff_t>(at), all[at]);
      all[at].change = "sent twice";
      break;
    case 1:
      if (all.size() > 1) all.erase(all.begin() + static_cast<std::ptrdiff_t>(at));
      all[std::min(at, all.size() - 1)].change = "one before it left out";
      break;
    default:
      std::swap(all[at], all[random.below(all.size())]);
      all[at].change = "out of order";
  }
}

}  // namespace fuzz
