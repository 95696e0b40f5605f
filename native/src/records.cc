// SPDX-License-Identifier: Apache-2.0
#include "records.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

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
constexpr uint32_t kAction = 11, kDecision = 12, kAnswer = 13;  // of Record
constexpr uint32_t kVarint = 0, kLengthDelimited = 2;           // wire types

void put_length(std::string& bytes, size_t at, size_t length) {
  const uint32_t big_endian = __builtin_bswap32(static_cast<uint32_t>(length));
  std::memcpy(&bytes[at], &big_endian, sizeof big_endian);
}

std::string hash_of(const std::string& bytes) {
  SHA256state_st state;
  std::string digest(kLinkBytes, '\0');
  SHA256_Init(&state);
  SHA256_Update(&state, bytes.data(), bytes.size());
  SHA256_Final(reinterpret_cast<unsigned char*>(digest.data()), &state);
  return digest;
}

}  // namespace

uint64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

void Block::begin(const Tail& tail) {
  bytes_.resize(4);
  bytes_ += tail.link;
  sequence_ = tail.sequence;
}

bool Block::empty() const {
  return bytes_.size() <= kBlockHeaderBytes;
}

void Block::action(uint64_t at_ms, uint64_t ask_id, std::string_view shown, const std::vector<std::string_view>& values,
                   std::string_view rest) {
  const size_t record = open_record(at_ms);
  const size_t body = open(kAction);
  number(1, ask_id);
  if (!shown.empty()) text(2, shown);
  for (const std::string_view value : values) {
    const size_t parameter = open(4);
    text(1, value);
    close(parameter);
  }
  bytes_ += rest;
  close(body);
  close_record(record);
}

void Block::decision(uint64_t at_ms, uint64_t ask_id, std::string_view rest) {
  const size_t record = open_record(at_ms);
  const size_t body = open(kDecision);
  number(1, ask_id);
  bytes_ += rest;
  close(body);
  close_record(record);
}

void Block::answer(const AnswerRecord& answer) {
  const size_t record = open_record(answer.at_ms);
  const size_t body = open(kAnswer);
  number(1, answer.ask_id);
  number(2, answer.rows);
  number(3, answer.bytes);
  if (!answer.outcome.empty()) text(5, answer.outcome);
  close(body);
  close_record(record);
}

bool Block::write(Tail& tail) {
  if (tail.is_broken) return false;  // nobody could read it behind that
  put_length(bytes_, 0, bytes_.size() - 4);
  size_t done = 0;
  while (done < bytes_.size()) {
    const ssize_t written = ::write(tail.fd, bytes_.data() + done, bytes_.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      // Whatever follows a torn record could not be read: cut it off.
      if (ftruncate(tail.fd, static_cast<off_t>(tail.size)) != 0) tail.is_broken = true;
      return false;
    }
    done += static_cast<size_t>(written);
  }
  tail.size += bytes_.size();
  tail.sequence = sequence_;
  tail.link = hash_of(bytes_);
  return true;
}

void Block::varint(uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>((value & 0x7f) | 0x80);
  bytes_ += static_cast<char>(value);
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
  bytes_ += value;
}

// Most lengths fit one byte; close() makes room where they do not.
size_t Block::open(uint32_t field) {
  varint(field * 8 + kLengthDelimited);
  bytes_ += '\0';
  return bytes_.size();
}

void Block::close(size_t start) {
  uint64_t length = bytes_.size() - start;
  char encoded[10];
  size_t count = 0;
  for (; length >= 0x80; length >>= 7) encoded[count++] = static_cast<char>((length & 0x7f) | 0x80);
  encoded[count++] = static_cast<char>(length);
  bytes_.replace(start - 1, 1, encoded, count);
}

size_t Block::open_record(uint64_t at_ms) {
  bytes_.append(4, '\0');
  const size_t start = bytes_.size();
  number(1, ++sequence_);
  number(2, at_ms);
  return start;
}

void Block::close_record(size_t start) {
  put_length(bytes_, start - 4, bytes_.size() - start);
}

}  // namespace sallyport
