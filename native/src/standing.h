// SPDX-License-Identifier: Apache-2.0
// A standing permit: what policy has allowed for every group of messages of one form, until it is taken back.
// TypeScript makes it (src/protocols/postgres/forms.ts) and vouches for it (src/policy/decide.ts); here it is only
// compared with bytes. Whatever differs in anything but the places left open is not covered. Frames: PostgreSQL
// manual, 55.7.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

constexpr size_t kHeaderBytes = 5;       // type (1), length (4, counts itself)
constexpr size_t kIntegerDigitsMax = 9;  // below 2^31 whatever the digits are: the same kind of literal
constexpr size_t kValueBytesMax = 256;   // of a bound parameter

struct Part {
  enum class Kind : uint8_t {
    kExact,    // these bytes
    kInteger,  // 1 to kIntegerDigitsMax digits of an SQL text
    // Parameters of a Bind: int32 length, -1 for NULL, and so many bytes
    kValue,  // of text
    kInt2,   // of one integer, big endian
    kInt4,
    kInt8,
  };
  Kind kind;
  std::string bytes;  // of kExact
};

struct RequestMessage {
  char type;
  std::vector<Part> parts;  // of the body
  size_t body_bytes_max = 0;
};

struct StandingPermit {
  std::vector<RequestMessage> request;
  std::vector<std::string> answer;  // whole messages of the server, in order, before the rows
  bool has_rows = false;
  // What a recording shows. `text` empty: the text of the Query itself.
  std::string text;
  bool is_wordless = false;  // no word in that text says what a number is
  std::string action;        // fields of Action behind the parameters
  std::string decision;      // fields of Decision behind the ask's id
  bool leaves = false;       // a group leaves something behind: the owner hears which was the last
  bool is_asked = false;     // the owner decides on each group by itself
};

enum class Fit { kNo, kMore, kYes };

// A parameter; a view of the client's bytes.
struct Value {
  Part::Kind kind = Part::Kind::kValue;
  bool is_null = false;
  std::string_view bytes;
};

// What was found in the open places; views of the client's bytes.
struct Match {
  size_t bytes = 0;       // of the whole group
  std::string_view text;  // of a Query
  std::vector<Value> values;
};

using NumberRoom = char[20];  // of the longest int64
// A value that is not NULL as it is recorded: its bytes, or the integer in them, written into the room.
std::string_view text_of(const Value& value, NumberRoom& room);

// Whether the bytes begin with a group that the permit covers; kMore: all that is here fits.
Fit fit(const StandingPermit& permit, std::string_view bytes, Match& match);

// Whether a value or text may hold something for a detector or for the search for masks: then TypeScript is asked.
// Says so too often rather than too seldom (src/masking/gate.ts, src/masking/lone.ts, src/masking/marks.ts).
bool is_suspicious(std::string_view value);
// The same of a text whose fixed parts were looked through: only the digits are new.
bool is_suspicious_text(std::string_view text, bool is_wordless);

// Nothing but printable ASCII: whatever else it is, TypeScript looks at it.
bool is_printable(std::string_view text);

uint32_t big_endian(const char* bytes);

}  // namespace sallyport
