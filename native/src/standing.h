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
    kValue,    // a parameter of a Bind: int32 length and so many bytes of text; not NULL
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
  bool is_clean = false;  // nothing is ever found in that text, whatever its integers are
  std::string action;     // fields of Action behind the parameters
  std::string decision;   // fields of Decision behind the ask's id
};

enum class Fit { kNo, kMore, kYes };

// What was found in the open places; views of the client's bytes.
struct Match {
  size_t bytes = 0;       // of the whole group
  std::string_view text;  // of a Query
  std::vector<std::string_view> values;
};

// Whether the bytes begin with a group that the permit covers; kMore: all that is here fits.
Fit fit(const StandingPermit& permit, std::string_view bytes, Match& match);

// Whether a value or text may hold something for a detector or for the search for masks: then TypeScript is asked.
// Says so too often rather than too seldom (src/masking/gate.ts, src/masking/lone.ts, src/masking/marks.ts).
bool is_suspicious(std::string_view value);
// The same of a text whose fixed parts were looked through: only the digits are new.
bool has_long_number(std::string_view text);

// Nothing but printable ASCII: whatever else it is, TypeScript looks at it.
bool is_printable(std::string_view text);

uint32_t big_endian(const char* bytes);

}  // namespace sallyport
