/** The relay of the process: hands each flow's calls to whoever lent it. What a relay does: native/src/relay.h. */
import { Relay, type RelayLoan, type RelayPermit, type RelayPermitSpec, type RelayReturned } from "ebpf-loader";

import type { RelayMode } from "../model/form.ts";

export type { RelayPermit, RelayReturned, RelayTotals } from "ebpf-loader";

/** Who lends a flow. */
export interface Lender {
  /** It has to be taken back. */
  giveBack(why: string): void;
  /** Whether a text, or a value, of a group that this permit covers may be recorded as it is. Must take nothing back. */
  vouch(permit: number, text: string): boolean;
  /** Whether a group may go, where its permit wants that to be asked. Must take nothing back. */
  decide(permit: number, askId: number, group: Uint8Array): boolean;
}

export class Relays {
  readonly #mode: () => RelayMode;
  #isClosed = false;
  readonly #lenders = new Map<number, Lender>();
  readonly #relay = new Relay({
    giveBack: (flow, why) => this.#lenders.get(flow)?.giveBack(why),
    vouch: (flow, permit, text) => this.#lenders.get(flow)?.vouch(permit, text) ?? false,
    decide: (flow, permit, askId, group) => this.#lenders.get(flow)?.decide(permit, askId, group) ?? false,
  });

  constructor(mode: () => RelayMode) {
    this.#mode = mode;
  }

  /** "off" also where nothing may be lent any more. */
  get mode(): RelayMode {
    return this.#isClosed ? "off" : this.#mode();
  }

  permit(spec: RelayPermitSpec): RelayPermit {
    return this.#relay.permit(spec);
  }

  lend(loan: RelayLoan, lender: Lender): Flow {
    const id = this.#relay.lend(loan);
    this.#lenders.set(id, lender);
    return new Flow(this.#relay, id, () => this.#lenders.delete(id));
  }

  /** Takes every flow back: nothing goes past a session until it is at rest again. */
  giveAllBack(why: string): void {
    for (const lender of [...this.#lenders.values()]) lender.giveBack(why);
  }

  close(): void {
    this.#isClosed = true;
    this.giveAllBack("closing");
    this.#relay.close();
  }
}

/** Two sockets and a recording while they are lent. */
export class Flow {
  readonly #relay: Relay;
  readonly #id: number;
  readonly #forget: () => void;

  constructor(relay: Relay, id: number, forget: () => void) {
    this.#relay = relay;
    this.#id = id;
    this.#forget = forget;
  }

  take(): RelayReturned {
    this.#forget();
    return known(this.#relay.take(this.#id));
  }

  settle(): void {
    this.#relay.settle(this.#id);
  }

  get tail() {
    return known(this.#relay.tail(this.#id));
  }

  get totals() {
    return known(this.#relay.totals(this.#id));
  }
}

function known<T>(found: T | undefined): T {
  if (found === undefined) throw new Error("Cannot ask for a flow that was taken back");
  return found;
}
