// SPDX-License-Identifier: Apache-2.0
// Blocks of a recording, as src/recorder/pack.ts and src/recorder/chain.ts write them: the format is that of
// src/recorder/recording.proto. tests/native/relay.test.ts reads them back with the reader of the product.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "standing.h"

namespace sallyport {

constexpr size_t kLinkBytes = 32;

// The end of a segment file, lent by TypeScript while the relay writes to it.
struct Tail {
  int fd = -1;  // opened with O_APPEND
  uint64_t size = 0;
  uint64_t size_max = 0;
  uint64_t sequence = 0;   // of the newest record
  std::string link;        // SHA-256 of the newest block
  bool is_broken = false;  // a torn end could not be cut off
};

struct AnswerRecord {
  uint64_t ask_id;
  uint64_t rows;
  uint64_t bytes;
  uint64_t at_ms;
  std::string outcome;
};

// One block that grows, and then is written at once.
class Block {
 public:
  // How far it had grown.
  struct Mark {
    size_t size;
    uint64_t sequence;
  };

  // Forgets what was packed.
  void begin(const Tail& tail);
  // `repeats`: the record of this segment that has the same operation in full, which is then left out here; 0: none
  // has. An empty text beside it: that record's text.
  void action(uint64_t at_ms, uint64_t ask_id, std::string_view text, const std::vector<Value>& values,
              std::string_view operation, uint64_t repeats);
  // That it was allowed; `grounds`: all fields behind the ask's id.
  void decision(uint64_t at_ms, uint64_t ask_id, std::string_view grounds, uint64_t repeats);
  void answer(const AnswerRecord& answer);
  size_t size() const { return size_; }
  Mark mark() const { return {size_, sequence_}; }
  // What was packed since then is in it no more.
  void cut(Mark mark);
  // Appends it to the file in one write and moves the tail. False: the file is as it was, or the tail is broken.
  bool write(Tail& tail);

 private:
  // For a record with so many bytes of its own. What follows is packed without a look at the room.
  void make_room(size_t bytes);
  void put(std::string_view bytes);
  void put_big_endian(size_t at, size_t length);
  void varint(uint64_t value);
  void number(uint32_t field, uint64_t value);
  void text(uint32_t field, std::string_view value);
  size_t open(uint32_t field);
  void close(size_t start);
  size_t open_record(uint64_t at_ms);
  void close_record(size_t start);

  std::string bytes_;  // as long as there is room; of them `size_` are packed
  size_t size_ = 0;
  uint64_t sequence_ = 0;
};

}  // namespace sallyport
