// SPDX-License-Identifier: Apache-2.0
// What may pass, judged in the protocol's words and without a line of the relay: which group of the client a form
// covers (PostgreSQL manual, 55.7), and how far a server's bytes are the answer that the form knows.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string_view>

#include "forms.h"

namespace fuzz {

struct Message {
  char type;
  std::string_view body;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  size_t left() const { return bytes_.size(); }
  std::string_view take(size_t count) {
    if (count > bytes_.size()) is_bad = true;
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(taken.size());
    return taken;
  }
  uint32_t number(size_t bytes) {
    uint32_t value = 0;
    for (const char c : take(bytes)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::string_view text() {
    const size_t end = bytes_.find('\0');
    if (end == std::string_view::npos) {
      is_bad = true;
      return {};
    }
    const std::string_view found = take(end);
    take(1);
    return found;
  }
  // Undefined: it is not here in full, or cannot be.
  std::optional<Message> message() {
    if (bytes_.size() < 5) return std::nullopt;
    const char type = bytes_[0];
    const uint64_t length = Reader(bytes_.substr(1, 4)).number(4);
    if (length < 4 || length - 4 > bytes_.size() - 5) return std::nullopt;
    take(5);
    return Message{type, take(static_cast<size_t>(length) - 4)};
  }
  bool is_bad = false;

 private:
  std::string_view bytes_;
};

// A group that a form covers.
struct Group {
  size_t form = 0;  // of the flow
  size_t start = 0, end = 0;
  std::string text;  // as recorded
  std::vector<std::optional<std::string>> values;
};

inline bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 32 && c < 127; });
}

// Seven digits in a row, with no more than three other characters between two of them.
inline bool holds_number(std::string_view text) {
  std::vector<size_t> at;
  for (size_t i = 0; i < text.size(); i++)
    if (std::string_view("0123456789").find(text[i]) != std::string_view::npos) at.push_back(i);
  for (size_t first = 0; first + 7 <= at.size(); first++) {
    bool is_near = true;
    for (size_t i = first; i < first + 6; i++) is_near = is_near && at[i + 1] - at[i] <= 4;
    if (is_near) return true;
  }
  return false;
}

inline bool is_one_of(std::string_view all, char c) {
  return all.find(c) != std::string_view::npos;
}
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

// Numbers that may be something without a word: more than eleven digits of one number, seven behind a plus, groups as
// in 219-09-9999 or 212-555-0123, and what an account number begins with.
inline bool tells_by_itself(std::string_view text) {
  struct Digits {
    size_t start, end;
  };
  std::vector<std::vector<Digits>> numbers;
  for (size_t at = 0; at < text.size();) {
    const size_t start = text.find_first_of(kDigits, at);
    if (start == std::string_view::npos) break;
    const size_t end = std::min(text.find_first_not_of(kDigits, start), text.size());
    const size_t last = numbers.empty() ? 0 : numbers.back().back().end;
    const std::string_view between = text.substr(last, start - last);
    if (numbers.empty() || between.size() > 2 || between.find_first_not_of("()-. /") != std::string_view::npos)
      numbers.emplace_back();
    numbers.back().push_back({start, end});
    at = end;
    if (end - start > 1 && start > 1 && is_one_of(kLetters, text[start - 1]) && is_one_of(kLetters, text[start - 2]))
      return true;
  }
  for (const auto& number : numbers) {
    size_t digits = 0;
    std::string sizes;
    for (const auto& [start, end] : number) {
      digits += end - start;
      sizes += end - start > 9 ? "9" : std::to_string(end - start);
    }
    const size_t start = number[0].start;
    const size_t near = std::min<size_t>(start, 3);
    if (digits > 11 || (digits > 6 && text.substr(start - near, near).find('+') != std::string_view::npos)) return true;
    for (const char* shape : {"324", "334", "434"})
      if (sizes.find(shape) != std::string::npos) return true;
  }
  return false;
}

inline bool holds_word(std::string_view text) {
  for (size_t at = 1; at < text.size(); at++)
    if (is_one_of(kLetters, text[at - 1]) && is_one_of(kLetters, text[at])) return true;
  return false;
}

// May be a finding or a mask of ours: only letters that begin neither, and signs that stand in neither, are not.
inline bool may_hold_finding(std::string_view value) {
  // Fewer digits than a card has, and nothing beside them, are nothing.
  if (value.size() < 12 && value.find_first_not_of("0123456789") == std::string_view::npos) return false;
  constexpr std::string_view plain = "0123456789BCDEFGHIKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz .,+/-:";
  if (value.find_first_not_of(plain) != std::string_view::npos) return true;
  if (value.find("--") != std::string_view::npos || value.find("h:") != std::string_view::npos) return true;
  return holds_number(value) && (holds_word(value) || tells_by_itself(value));
}

inline bool may_hold_finding(const Form& form, std::string_view text) {
  if (!form.recorded.empty()) return may_hold_finding(text);
  return holds_number(text) && (!form.is_wordless || tells_by_itself(text));
}

using Vouch = std::function<bool(std::string_view)>;

inline bool fits_query(const Form& form, std::string_view body, Group& group) {
  if (body.empty() || body.back() != '\0') return false;
  const std::string_view text = body.substr(0, body.size() - 1);
  size_t at = 0;
  for (const char c : form.query) {
    if (c == '#') {
      const size_t end = std::min(text.find_first_not_of("0123456789", at), text.size());
      if (end == at || end > at + 9) return false;
      at = end;
    } else if (at >= text.size() || text[at++] != c) {
      return false;
    }
  }
  group.text = form.recorded.empty() ? std::string(text) : form.recorded;
  return at == text.size();
}

// In two's complement, as a person reads it.
inline std::string integer_of(std::string_view bytes) {
  __int128 number = 0;
  for (const char c : bytes) number = number * 256 + static_cast<unsigned char>(c);
  const __int128 range = static_cast<__int128>(1) << (8 * bytes.size());
  if (number >= range / 2) number -= range;
  std::string text;
  for (__int128 rest = number < 0 ? -number : number; rest > 0 || text.empty(); rest /= 10)
    text.insert(text.begin(), static_cast<char>('0' + static_cast<int>(rest % 10)));
  return number < 0 ? '-' + text : text;
}

inline bool fits_bind(const Form& form, std::string_view body, Group& group) {
  Reader bind(body);
  if (bind.text() != "" || bind.text() != form.statement) return false;
  if (bind.take(formats_of(form).size()) != formats_of(form) || bind.number(2) != form.values.size()) return false;
  for (const size_t bytes : form.values) {
    const uint32_t length = bind.number(4);
    if (length == ~0u) {
      group.values.emplace_back();
      continue;
    }
    if (bytes == 0 ? length > 256 : length != bytes) return false;
    const std::string_view value = bind.take(length);
    group.values.emplace_back(bytes == 0 ? std::string(value) : integer_of(value));
  }
  if (bind.number(2) != form.result_formats.size()) return false;
  for (const uint16_t format : form.result_formats)
    if (bind.number(2) != format) return false;
  group.text = form.recorded;
  return !bind.is_bad && bind.left() == 0;
}

// Whether the bytes begin with a group of the form, all of it here.
inline std::optional<Group> group_of(const Form& form, std::string_view bytes) {
  Group group;
  Reader input(bytes);
  const auto next = [&](char type) {
    const auto found = input.message();
    return found && found->type == type ? std::optional(found->body) : std::nullopt;
  };
  if (!form.query.empty()) {
    const auto body = next('Q');
    if (!body || !fits_query(form, *body, group)) return std::nullopt;
  } else {
    if (!form.parses.empty() && next('P') != std::string_view(form.parses)) return std::nullopt;
    const auto bind = next('B');
    if (!bind || !fits_bind(form, *bind, group)) return std::nullopt;
    if (form.describes && next('D') != std::string_view("P\0", 2)) return std::nullopt;
    if (next('E') != std::string_view("\0\0\0\0\0", 5) || next('S') != std::string_view("")) return std::nullopt;
  }
  group.end = bytes.size() - input.left();
  return group;
}

// Whether it may also be recorded as it is.
inline bool is_vouched(const Form& form, const Group& group, const Vouch& vouch) {
  if (form.recorded.empty()) return !may_hold_finding(form, group.text) || vouch(group.text);
  return std::all_of(group.values.begin(), group.values.end(), [&](const std::optional<std::string>& value) {
    return !value || (is_ascii(*value) && (!may_hold_finding(*value) || vouch(*value)));
  });
}

// `decide`: the owner's word on a group of a form that is asked about.
inline std::optional<Group> covered(const std::vector<const Form*>& forms, std::string_view bytes, const Vouch& vouch,
                                    const Vouch& decide) {
  for (size_t at = 0; at < forms.size(); at++) {
    auto group = group_of(*forms[at], bytes);
    if (!group) continue;
    if (!is_vouched(*forms[at], *group, vouch)) return std::nullopt;
    if (forms[at]->is_asked && !decide(bytes.substr(0, group->end))) return std::nullopt;
    group->form = at;
    return group;
  }
  return std::nullopt;
}

struct Answered {
  size_t rows = 0, bytes = 0;
  std::string outcome;
};

// Follows a server's bytes as long as they are the answers of the groups that it was asked.
struct Answers {
  size_t end = 0;      // bytes that may pass
  size_t passing = 0;  // of a row that has begun
  bool is_strange = false;
  char status = 0;
  bool was_idle = false;
  size_t step = 0;  // of the one in front
  bool is_complete = false;
  Answered head;
  std::vector<Answered> done;

  // `asked(n)`: the form of the nth group, or nullptr: it was not asked.
  void follow(std::string_view all, const std::function<const Form*(size_t)>& asked) {
    while (!is_strange && end < all.size() && pass(all.substr(end), asked(done.size()))) {
    }
  }

 private:
  bool pass(std::string_view rest, const Form* form) {
    if (passing > 0) {
      const size_t now = std::min(passing, rest.size());
      passing -= now;
      end += now;
      return true;
    }
    if (form == nullptr) return refuse();
    if (rest.size() < 5) return false;
    const uint64_t length = 1 + static_cast<uint64_t>(Reader(rest.substr(1)).number(4));
    if (length < 5 || length > 0x7fffffff) return refuse();
    if (step < form->answer.size()) return pass_known(rest, form->answer[step]);
    if (rest[0] == 'D' && form->has_rows && !is_complete) {
      head.rows++;
      head.bytes += length;
      passing = length;
      return true;
    }
    const bool is_done = rest[0] == 'C' && !is_complete;
    const bool is_ready = rest[0] == 'Z' && is_complete;
    if (!is_done && !is_ready) return refuse();
    if (is_done ? length < 6 || length > 128 : length != 6) return refuse();
    if (rest.size() < length) return false;
    const std::string_view body = rest.substr(5, length - 5);
    if (is_done) {
      if (body.back() != '\0' || !is_ascii(body.substr(0, body.size() - 1))) return refuse();
      head.outcome = body.substr(0, body.size() - 1);
      is_complete = true;
    } else {
      if (std::string_view("ITE").find(body[0]) == std::string_view::npos) return refuse();
      status = body[0];
      was_idle |= status == 'I';
      done.push_back(head);
      head = {};
      step = 0;
      is_complete = false;
    }
    end += length;
    return true;
  }

  bool pass_known(std::string_view rest, const std::string& expected) {
    const size_t here = std::min(rest.size(), expected.size());
    if (rest.compare(0, here, expected, 0, here) != 0) return refuse();
    if (here < expected.size()) return false;
    step++;
    end += here;
    return true;
  }

  bool refuse() {
    is_strange = true;
    return false;
  }
};

}  // namespace fuzz
