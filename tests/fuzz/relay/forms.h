// SPDX-License-Identifier: Apache-2.0
// What the fuzzed relay has standing permits for, told twice: as the permit it gets, made of exact parts and open
// places, and in the words of the protocol, by which expect.h judges what it did. Neither is made from the other.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "../../../native/src/standing.h"

namespace fuzz {

using sallyport::Part;
using sallyport::RequestMessage;
using sallyport::StandingPermit;

struct Form {
  // A Query: '#' is an open integer. Empty: a Parse if `parses`, Bind, Describe if it `describes`, Execute, Sync.
  std::string query;
  std::string parses;
  std::string statement;
  // Bytes of each parameter's integer; 0: it is text. All in binary form, or all in text form.
  std::vector<size_t> values;
  bool is_wordless = false;
  bool is_asked = false;  // the owner decides on each group
  std::vector<uint16_t> result_formats;
  bool describes = false;
  // Its answer before CommandComplete.
  std::vector<std::string> answer;
  bool has_rows = false;
  std::string recorded;  // its text in the recording; empty: the text of the Query
  std::shared_ptr<const StandingPermit> permit;
};

inline std::string be16(uint16_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value)};
}
inline std::string be32(uint32_t value) {
  return be16(static_cast<uint16_t>(value >> 16)) + be16(static_cast<uint16_t>(value));
}
inline std::string message(char type, const std::string& body) {
  return type + be32(static_cast<uint32_t>(body.size() + 4)) + body;
}
inline std::string z(const std::string& text) {
  return text + '\0';
}

inline RequestMessage request(char type, const std::vector<Part>& parts, size_t body_bytes_max) {
  RequestMessage made{type, parts};
  made.body_bytes_max = body_bytes_max;
  return made;
}

inline Form query(const std::string& text, bool has_rows, const std::string& recorded, std::vector<std::string> answer,
                  bool is_wordless = false) {
  Form form;
  form.query = text;
  form.is_wordless = is_wordless;
  form.has_rows = has_rows;
  form.recorded = recorded;
  form.answer = std::move(answer);
  std::vector<Part> parts;
  std::string exact;
  size_t max = 0;
  for (const char c : text + '\0') {
    if (c != '#') {
      exact += c;
      max++;
      continue;
    }
    parts.push_back({Part::Kind::kExact, exact});
    parts.push_back({Part::Kind::kInteger, {}});
    exact.clear();
    max += 9;
  }
  parts.push_back({Part::Kind::kExact, exact});
  StandingPermit permit;
  permit.request.push_back(request('Q', parts, max));
  permit.answer = form.answer;
  permit.has_rows = has_rows;
  permit.text = recorded;
  permit.is_wordless = is_wordless;
  permit.action = "\x32\x06\x0a\x04read";
  permit.decision = "\x10\x01\x1a\x04read\x2a\x02p1";
  form.permit = std::make_shared<StandingPermit>(std::move(permit));
  return form;
}

// The formats of a Bind's parameters.
inline std::string formats_of(const Form& form) {
  const bool is_binary = std::any_of(form.values.begin(), form.values.end(), [](size_t bytes) { return bytes > 0; });
  return is_binary ? be16(1) + be16(1) : be16(0);
}

inline Form series(const std::string& statement, const std::vector<size_t>& values,
                   const std::vector<uint16_t>& result_formats, bool describes, bool has_rows,
                   const std::string& recorded, std::vector<std::string> answer, const std::string& parses = "") {
  Form form;
  form.parses = parses;
  form.statement = statement;
  form.values = values;
  form.result_formats = result_formats;
  form.describes = describes;
  form.has_rows = has_rows;
  form.recorded = recorded;
  form.answer = std::move(answer);
  const std::string head = z("") + z(statement) + formats_of(form) + be16(static_cast<uint16_t>(values.size()));
  std::string tail = be16(static_cast<uint16_t>(result_formats.size()));
  for (const uint16_t format : result_formats) tail += be16(format);
  std::vector<Part> parts{{Part::Kind::kExact, head}};
  for (const size_t bytes : values)
    parts.push_back({bytes == 0   ? Part::Kind::kValue
                     : bytes == 2 ? Part::Kind::kInt2
                     : bytes == 4 ? Part::Kind::kInt4
                                  : Part::Kind::kInt8,
                     {}});
  parts.push_back({Part::Kind::kExact, tail});
  StandingPermit permit;
  if (!parses.empty()) permit.request.push_back(request('P', {{Part::Kind::kExact, parses}}, parses.size()));
  permit.leaves = !parses.empty();
  permit.request.push_back(request('B', parts, head.size() + values.size() * 260 + tail.size()));
  if (describes) permit.request.push_back(request('D', {{Part::Kind::kExact, "P" + z("")}}, 2));
  permit.request.push_back(request('E', {{Part::Kind::kExact, z("") + be32(0)}}, 5));
  permit.request.push_back(request('S', {}, 0));
  permit.answer = form.answer;
  permit.has_rows = has_rows;
  permit.text = recorded;
  permit.action = std::string("\x32\x86\x01\x0a\x83\x01") + std::string(131, 'w');  // lengths of two bytes
  permit.decision = "\x10\x01\x1a\x05write\x2a\x02p1";
  form.permit = std::make_shared<StandingPermit>(std::move(permit));
  return form;
}

inline Form asked(Form form) {
  StandingPermit permit = *form.permit;
  permit.is_asked = form.is_asked = true;
  form.permit = std::make_shared<StandingPermit>(std::move(permit));
  return form;
}

inline const std::vector<Form>& all_forms() {
  static const std::string number =
      message('T', be16(1) + z("n") + be32(0) + be16(0) + be32(23) + be16(4) + be32(~0u) + be16(0));
  static const std::string bound = message('2', "");
  static const std::string parsed = message('1', "");
  static const std::vector<Form> forms{
      query("SELECT n FROM t WHERE n = #;", true, "", {number}),
      query("SELECT n FROM t WHERE a IN (#, -#) AND b < #.5 LIMIT #", true, "", {number}),
      query("INSERT INTO t VALUES (#, -#, # - #, '(#) #', +#, de#)", false, "", {}, true),
      query("BEGIN", false, "BEGIN", {}),
      series("s1", {0}, {0}, false, false, "UPDATE t SET n = $1", {bound}),
      series("s2", {0, 0}, {0, 1}, true, true, "SELECT n FROM t WHERE " + std::string(300, 'x') + " = $1 OR m = $2",
             {bound, number}),
      series("s3", {}, {}, false, true, "SELECT n FROM t", {bound}),
      series("s4", {8, 2, 4}, {1}, false, true, "SELECT n FROM t WHERE n IN ($1, $2, $3)", {bound}),
      series("", {0}, {}, true, true, "SELECT n FROM u WHERE n = $1", {parsed, bound, number},
             z("") + z("SELECT n FROM u WHERE n = $1") + be16(1) + be32(23)),
      series("", {4}, {}, true, true, "SELECT m FROM u WHERE n = $1", {parsed, bound, number},
             z("") + z("SELECT m FROM u WHERE n = $1") + be16(0)),
      asked(query("SELECT k FROM t WHERE n = #", true, "", {number})),
      asked(series("s5", {0}, {}, false, false, "DELETE FROM t WHERE n = $1", {bound})),
  };
  return forms;
}

}  // namespace fuzz
