// SPDX-License-Identifier: Apache-2.0
#include "records.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

// Of OpenSSL's interface, which Node exports; its headers do not come with the packages that a build needs. The
// functions are deprecated in favour of EVP, whose set-up costs as much as the hash of a block.
extern "C" {
struct SHA256state_st {
  unsigned int h[8];
  unsigned int nl, nh;
  unsigned int data[16];
  unsigned int num, md_len;
};
int SHA256_Init(SHA256state_st* state);
int SHA256_Update(SHA256state_st* state, const void* data, size_t length);
int SHA256_Final(unsigned char* digest, SHA256state_st* state);
}

namespace sallyport {

namespace {

constexpr size_t kBlockHeaderBytes = 4 + kLinkBytes;
constexpr size_t kRecordBytes = 160;    // of a record without its texts: tags, lengths and numbers
constexpr size_t kParameterBytes = 16;  // of a parameter without its text
constexpr uint32_t kAction = 11, kDecision = 12, kAnswer = 13;  // of Record
constexpr uint64_t kAllow = 1;                                  // of Decision
constexpr uint32_t kVarint = 0, kLengthDelimited = 2;           // wire types

std::string hash_of(std::string_view bytes) {
  SHA256state_st state;
  std::string digest(kLinkBytes, '\0');
  SHA256_Init(&state);
  SHA256_Update(&state, bytes.data(), bytes.size());
  SHA256_Final(reinterpret_cast<unsigned char*>(digest.data()), &state);
  return digest;
}

}  // namespace

void Block::begin(const Tail& tail) {
  size_ = 0;
  make_room(kBlockHeaderBytes);
  size_ = 4;
  put(tail.link);
  sequence_ = tail.sequence;
}

void Block::action(uint64_t at_ms, uint64_t ask_id, std::string_view shown, const std::vector<Value>& values,
                   std::string_view operation, uint64_t repeats) {
  size_t room = kRecordBytes + shown.size() + operation.size();
  for (const Value& value : values) room += kParameterBytes + sizeof(NumberRoom) + value.bytes.size();
  make_room(room);
  const size_t record = open_record(at_ms);
  const size_t body = open(kAction);
  number(1, ask_id);
  if (!shown.empty()) text(2, shown);
  for (const Value& value : values) {
    const size_t parameter = open(4);
    NumberRoom digits;
    if (!value.is_null) text(1, text_of(value, digits));
    close(parameter);
  }
  if (repeats == 0) put(operation);
  number(9, repeats);
  close(body);
  close_record(record);
}

void Block::decision(uint64_t at_ms, uint64_t ask_id, std::string_view grounds, uint64_t repeats) {
  make_room(kRecordBytes + grounds.size());
  const size_t record = open_record(at_ms);
  const size_t body = open(kDecision);
  number(1, ask_id);
  if (repeats == 0) {
    put(grounds);
  } else {
    number(2, kAllow);
    number(9, repeats);
  }
  close(body);
  close_record(record);
}

void Block::answer(const AnswerRecord& answer) {
  make_room(kRecordBytes + answer.outcome.size());
  const size_t record = open_record(answer.at_ms);
  const size_t body = open(kAnswer);
  number(1, answer.ask_id);
  number(2, answer.rows);
  number(3, answer.bytes);
  if (!answer.outcome.empty()) text(5, answer.outcome);
  close(body);
  close_record(record);
}

void Block::cut(Mark mark) {
  size_ = mark.size;
  sequence_ = mark.sequence;
}

bool Block::write(Tail& tail) {
  if (tail.is_broken) return false;  // nobody could read it behind that
  put_big_endian(0, size_ - 4);
  size_t done = 0;
  while (done < size_) {
    const ssize_t written = ::write(tail.fd, bytes_.data() + done, size_ - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      // Whatever follows a torn record could not be read: cut it off.
      if (ftruncate(tail.fd, static_cast<off_t>(tail.size)) != 0) tail.is_broken = true;
      return false;
    }
    done += static_cast<size_t>(written);
  }
  tail.size += size_;
  tail.sequence = sequence_;
  tail.link = hash_of(std::string_view(bytes_).substr(0, size_));
  return true;
}

void Block::make_room(size_t bytes) {
  if (size_ + bytes > bytes_.size()) bytes_.resize(2 * (size_ + bytes));
}

void Block::put(std::string_view bytes) {
  std::memcpy(&bytes_[size_], bytes.data(), bytes.size());
  size_ += bytes.size();
}

void Block::put_big_endian(size_t at, size_t length) {
  const uint32_t big_endian = __builtin_bswap32(static_cast<uint32_t>(length));
  std::memcpy(&bytes_[at], &big_endian, sizeof big_endian);
}

void Block::varint(uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes_[size_++] = static_cast<char>((value & 0x7f) | 0x80);
  bytes_[size_++] = static_cast<char>(value);
}

// Absent when 0, as proto3 has it.
void Block::number(uint32_t field, uint64_t value) {
  if (value == 0) return;
  varint(field * 8 + kVarint);
  varint(value);
}

void Block::text(uint32_t field, std::string_view value) {
  varint(field * 8 + kLengthDelimited);
  varint(value.size());
  put(value);
}

// Most lengths fit one byte; close() makes room where they do not.
size_t Block::open(uint32_t field) {
  varint(field * 8 + kLengthDelimited);
  return ++size_;
}

void Block::close(size_t start) {
  const size_t length = size_ - start;
  size_t more = 0;  // bytes of the length
  for (size_t rest = length; rest >= 0x80; rest >>= 7) more++;
  if (more > 0) std::memmove(&bytes_[start + more], &bytes_[start], length);
  size_ = start - 1;
  varint(length);
  size_ = start + more + length;
}

size_t Block::open_record(uint64_t at_ms) {
  size_ += 4;
  const size_t start = size_;
  number(1, ++sequence_);
  number(2, at_ms);
  return start;
}

void Block::close_record(size_t start) {
  put_big_endian(start - 4, size_ - start);
}

}  // namespace sallyport
