// SPDX-License-Identifier: Apache-2.0
// Reads a recording as docs/recording.md and recording.proto tell it: blocks that are linked, and the records in them.
// Knows nothing of how they are written.
#pragma once

#include <unistd.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

extern "C" unsigned char* SHA256(const unsigned char* bytes, size_t length, unsigned char* digest);

namespace fuzz {

struct Record {
  uint64_t sequence = 0, at_ms = 0;
  unsigned kind = 0;  // 11: action, 12: decision, 13: answer
  uint64_t ask_id = 0, rows = 0, bytes = 0;
  uint64_t repeats = 0;  // of an action or a decision
  std::string text;      // of an action; outcome of an answer
  std::vector<std::optional<std::string>> values;
  std::string rest;  // fields that are none of these, as they are
};

class Fields {
 public:
  explicit Fields(std::string_view bytes) : bytes_(bytes), left_(bytes) {}
  // False: the end, or `is_bad`.
  bool next() {
    if (left_.empty()) return false;
    const size_t from = bytes_.size() - left_.size();
    const uint64_t tag = varint();
    field = static_cast<unsigned>(tag >> 3);
    is_text = (tag & 7) == 2;
    if (!is_text && (tag & 7) != 0) is_bad = true;
    number = varint();
    text = {};
    if (is_text && number > left_.size()) is_bad = true;
    if (is_bad) return false;
    if (is_text) {
      text = left_.substr(0, number);
      left_.remove_prefix(number);
    }
    raw = bytes_.substr(from, bytes_.size() - left_.size() - from);
    return true;
  }
  unsigned field = 0;
  bool is_text = false, is_bad = false;
  uint64_t number = 0;
  std::string_view text, raw;

 private:
  uint64_t varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (left_.empty()) break;
      const auto byte = static_cast<unsigned char>(left_[0]);
      left_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    is_bad = true;
    return 0;
  }
  std::string_view bytes_, left_;
};

inline std::optional<Record> record_of(std::string_view bytes) {
  Record record;
  Fields outer(bytes);
  std::string_view body;
  while (outer.next()) {
    if (outer.field == 1 && !outer.is_text)
      record.sequence = outer.number;
    else if (outer.field == 2 && !outer.is_text)
      record.at_ms = outer.number;
    else if (outer.field >= 11 && outer.field <= 13 && outer.is_text && record.kind == 0) {
      record.kind = outer.field;
      body = outer.text;
    } else
      return std::nullopt;
  }
  Fields inner(body);
  while (inner.next()) {
    const bool is_known = record.rest.empty();
    if (is_known && inner.field == 1 && !inner.is_text)
      record.ask_id = inner.number;
    else if (is_known && record.kind == 11 && inner.field == 2 && inner.is_text)
      record.text = inner.text;
    else if (is_known && record.kind == 11 && inner.field == 4 && inner.is_text) {
      Fields parameter(inner.text);
      record.values.emplace_back();
      if (!parameter.next()) {
        if (parameter.is_bad) return std::nullopt;
        continue;  // NULL
      }
      if (parameter.field != 1 || !parameter.is_text) return std::nullopt;
      record.values.back() = parameter.text;
      if (parameter.next() || parameter.is_bad) return std::nullopt;
    } else if (record.kind != 13 && inner.field == 9 && !inner.is_text)
      record.repeats = inner.number;
    else if (record.kind == 13 && inner.field == 2 && !inner.is_text)
      record.rows = inner.number;
    else if (record.kind == 13 && inner.field == 3 && !inner.is_text)
      record.bytes = inner.number;
    else if (record.kind == 13 && inner.field == 5 && inner.is_text)
      record.text = inner.text;
    else
      record.rest += inner.raw;
  }
  if (outer.is_bad || inner.is_bad || record.kind == 0) return std::nullopt;
  return record;
}

// The part of a file that has been read and is whole.
struct Chain {
  uint64_t size = 0;
  std::string link;
  uint64_t sequence = 0;

  // What was appended since. Undefined: it is no chain.
  std::optional<std::vector<Record>> read_on(int fd) {
    std::vector<Record> records;
    bytes_.resize(1 << 16);
    std::string added;
    for (ssize_t count; (count = pread(fd, bytes_.data(), bytes_.size(), static_cast<off_t>(size + added.size()))) > 0;)
      added.append(bytes_.data(), static_cast<size_t>(count));
    std::string_view rest = added;
    while (!rest.empty()) {
      if (rest.size() < 36) return std::nullopt;
      const size_t length = big_endian(rest) + 4;
      if (length < 36 || length > rest.size() || rest.substr(4, 32) != link) return std::nullopt;
      const std::string_view block = rest.substr(0, length);
      for (std::string_view body = block.substr(36); !body.empty();) {
        if (body.size() < 4 || big_endian(body) > body.size() - 4) return std::nullopt;
        auto record = record_of(body.substr(4, big_endian(body)));
        if (!record || record->sequence != ++sequence) return std::nullopt;
        body.remove_prefix(4 + big_endian(body));
        records.push_back(std::move(*record));
      }
      unsigned char digest[32];
      SHA256(reinterpret_cast<const unsigned char*>(block.data()), block.size(), digest);
      link.assign(reinterpret_cast<char*>(digest), sizeof digest);
      rest.remove_prefix(length);
    }
    size += added.size();
    return records;
  }

 private:
  static size_t big_endian(std::string_view bytes) {
    size_t value = 0;
    for (size_t at = 0; at < 4; at++) value = value << 8 | static_cast<unsigned char>(bytes[at]);
    return value;
  }
  std::string bytes_;
};

}  // namespace fuzz
