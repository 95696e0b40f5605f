/** Faults that a copy of the relay is built with, each switched on by its number: the harness has to find every one. */

export interface Planted {
  readonly name: string;
  readonly file: "relay.cc" | "records.cc" | "standing.cc";
  /** Stands there once; `planted` in `to` is whether this fault is the one that is switched on. */
  readonly from: string;
  readonly to: string;
  readonly finds: RegExp;
}

export const PLANTED: readonly Planted[] = [
  {
    name: "forwards before it records",
    file: "relay.cc",
    from: "if (!block_.write(flow.loan.tail)) return kUnrecorded;",
    to: "if (planted) send(flow.loan.server_fd, flow.to_server, bytes.substr(0, end));\n  if (!block_.write(flow.loan.tail)) return kUnrecorded;",
    finds: /sends to the server what is not in the recording/,
  },
  {
    name: "forwards what the disk did not take",
    file: "relay.cc",
    from: ") return kUnrecorded;",
    to: " && !planted) return kUnrecorded;",
    finds: /sends to the server what is not in the recording|sends behind a torn recording/,
  },
  {
    name: "takes ten digits for an integer",
    file: "standing.cc",
    from: "digits > kIntegerDigitsMax",
    to: "digits > kIntegerDigitsMax + planted",
    finds: /sends to the server what no permit covers|records what was not asked/,
  },
  {
    name: "takes a longer value",
    file: "standing.cc",
    from: "length > kValueBytesMax",
    to: "length > kValueBytesMax + planted",
    finds: /sends to the server what no permit covers|records what was not asked/,
  },
  {
    name: "does not look behind the form",
    file: "standing.cc",
    from: "return body.empty();",
    to: "return planted || body.empty();",
    finds: /sends to the server what no permit covers|records what was not asked/,
  },
  {
    name: "takes a message for another of its length",
    file: "standing.cc",
    from: "if (rest[0] != message.type)",
    to: "if (!planted && rest[0] != message.type)",
    finds: /sends to the server what no permit covers|records what was not asked/,
  },
  {
    name: "records a value without asking",
    file: "relay.cc",
    from: "is_suspicious(value) && !vouch",
    to: "is_suspicious(value) && !planted && !vouch",
    finds: /sends to the server what no permit covers|records what was not asked/,
  },
  {
    name: "drops a byte of what waits",
    file: "relay.cc",
    from: "waiting.erase(0, static_cast<size_t>(sent))",
    to: "waiting.erase(0, static_cast<size_t>(sent) + planted)",
    finds: /sends other bytes than it has read|neither passed nor waiting/,
  },
  {
    name: "drops what the kernel has no room for",
    file: "relay.cc",
    from: "return sent >= 0 || is_full;\n  }",
    to: "if (planted) waiting.clear();\n    return sent >= 0 || is_full;\n  }",
    finds: /sends other bytes than it has read|neither passed nor waiting/,
  },
  {
    name: "numbers records wrongly",
    file: "records.cc",
    from: "tail.sequence = sequence_;",
    to: "tail.sequence = sequence_ + planted;",
    finds: /the tail is not the end of the file|not a chain/,
  },
  {
    name: "leaves a torn record where it is",
    file: "records.cc",
    from: "if (ftruncate(",
    to: "if (!planted && ftruncate(",
    finds: /not a chain of whole records/,
  },
  {
    name: "appends behind a torn record",
    file: "records.cc",
    from: "if (tail.is_broken) return false;",
    to: "if (tail.is_broken && !planted) return false;",
    finds: /appends behind a torn record/,
  },
  {
    name: "records an answer twice",
    file: "relay.cc",
    from: "flow.answers.clear();\n  flow.totals.rows += rows;\n  flow.totals.asks",
    to: "if (!planted) flow.answers.clear();\n  flow.totals.rows += rows;\n  flow.totals.asks",
    finds: /an answer that has not come|the answer of another ask|answers are lost or doubled/,
  },
  {
    name: "gives two groups one id",
    file: "relay.cc",
    from: "flow.loan.last_ask_id += asked.size();",
    to: "flow.loan.last_ask_id += asked.size() - planted;",
    finds: /records another ask's id/,
  },
  {
    name: "passes rows that nobody described",
    file: "relay.cc",
    from: "permit.has_rows && !head.is_complete",
    to: "(planted || permit.has_rows) && !head.is_complete",
    finds: /sends to the client what is no answer/,
  },
  {
    name: "passes a status that is none",
    file: "relay.cc",
    from: "if (!is_status(",
    to: "if (!planted && !is_status(",
    finds: /sends to the client what is no answer/,
  },
  {
    name: "reads a length that is not there yet",
    file: "relay.cc",
    from: "if (rest.size() < kHeaderBytes) return nullptr;",
    to: "if (!planted && rest.size() < kHeaderBytes) return nullptr;",
    finds: /Sanitizer|no answer of the form|takes an answer of the form for another|another/,
  },
  {
    name: "has too much in flight",
    file: "relay.cc",
    from: "asked.size() >= kInFlightMax",
    to: "asked.size() >= kInFlightMax + planted",
    finds: /more in flight than may be/,
  },
  {
    name: "lets its owner take a flow within a question",
    file: "relay.cc",
    from: "if (!is_asking_) return;",
    to: "if (!is_asking_ || planted) return;",
    finds: /Sanitizer|while it asks/,
  },
  {
    name: "touches a flow after it was given back",
    file: "relay.cc",
    from: "owner_.give_back(id, why);\n",
    to: "owner_.give_back(id, why);\n  if (planted) unwatch(*flow);\n",
    finds: /heap-use-after-free/,
  },
  {
    name: "goes round and round when a peer has gone",
    file: "relay.cc",
    from: "else if ((events & (EPOLLERR | EPOLLHUP)) != 0)",
    to: "else if (!planted && (events & (EPOLLERR | EPOLLHUP)) != 0)",
    finds: /is busy with nothing/,
  },
  {
    name: "keeps a flow that is over",
    file: "relay.cc",
    from: "why = kUnknown;\n      break;",
    to: "if (!planted) why = kUnknown;\n      break;",
    finds: /keeps a flow whose client says what begins no group/,
  },
];
