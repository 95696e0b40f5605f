/**
 * What a service manager gives the daemon and hears of it: sockets handed over, listeners that it holds over a restart,
 * readiness, and a sign of life. Without one, every call is quiet. Starts nothing and decides nothing.
 * Source: sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3).
 */
import { notify as notifyManager } from "ebpf-loader";
import { messageOf } from "../base/errors.ts";
import { HELD_DESCRIPTORS_MAX, PULSE_EVERY_MS } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { NamedDescriptor } from "../kernel/listeners.ts";

type Environment = Record<string, string | undefined>;
type Notify = (state: string, fds?: readonly number[]) => boolean;

/** The API's listening socket in sallyport.socket (FileDescriptorName=). */
const API_SOCKET = "api";
/** Descriptors are handed over from here on. Source: SD_LISTEN_FDS_START. */
const FIRST_FD = 3;

export class ServiceManager {
  /** Listening already; undefined: make the socket yourself. */
  readonly apiSocket: number | undefined;
  /** Listeners of the former life; whoever takes them owns them. */
  readonly inherited: readonly NamedDescriptor[];
  /** Who holds the listeners while the daemon does not. */
  readonly holder: "manager" | "nobody";
  readonly #notify: Notify;
  readonly #log: Log;
  /** Name to descriptor, as the manager holds them. */
  readonly #held = new Map<string, number>();

  /** Takes the variables out of `environment`, so that no child believes them meant for itself. */
  constructor(environment: Environment, log: Log, notify: Notify = notifyManager) {
    const all = takeDescriptors(environment, process.pid);
    this.apiSocket = all.find(({ name }) => name === API_SOCKET)?.fd;
    this.inherited = all.filter(({ name }) => name !== API_SOCKET);
    for (const { name, fd } of this.inherited) this.#held.set(name, fd);
    this.holder = (environment["NOTIFY_SOCKET"] ?? "") === "" ? "nobody" : "manager";
    this.#notify = notify;
    this.#log = log;
  }

  /** The listeners as they are now: new ones are given to the manager to hold, those that are gone taken back. */
  hold(listeners: readonly NamedDescriptor[]): void {
    if (this.holder === "nobody") return;
    const now = new Map(listeners.map(({ name, fd }) => [name, fd]));
    for (const [name, fd] of this.#held) {
      if (now.get(name) === fd) continue;
      this.#tell(`FDSTOREREMOVE=1\nFDNAME=${name}`);
      this.#held.delete(name);
    }
    for (const [name, fd] of now) {
      if (this.#held.has(name) || this.#held.size >= HELD_DESCRIPTORS_MAX) continue;
      // FDPOLL=0: an error on a socket is no reason to let go of it
      if (this.#tell(`FDSTORE=1\nFDPOLL=0\nFDNAME=${name}`, [fd])) this.#held.set(name, fd);
    }
  }

  ready(status: string): void {
    this.#tell(`READY=1\nSTATUS=${oneLine(status)}`);
  }

  /** To be followed by `ready`, whatever came of it. */
  reloading(): void {
    const monotonicUs = process.hrtime.bigint() / 1000n;
    this.#tell(`RELOADING=1\nMONOTONIC_USEC=${monotonicUs}\nSTATUS=Reading settings and policy`);
  }

  stopping(status: string): void {
    this.#tell(`STOPPING=1\nSTATUS=${oneLine(status)}`);
  }

  /** The watchdog's sign of life, from the loop that serves the sessions. Ends when the returned function is called. */
  beat(): () => void {
    const timer = setInterval(() => this.#tell("WATCHDOG=1"), PULSE_EVERY_MS);
    return () => clearInterval(timer);
  }

  /** A manager that does not listen must not end the daemon. */
  #tell(state: string, fds?: readonly number[]): boolean {
    if (this.holder === "nobody") return false;
    try {
      return this.#notify(state, fds);
    } catch (error) {
      this.#log.warn("The service manager cannot be told", {
        state: state.split("\n")[0] ?? "",
        error: messageOf(error),
      });
      return false;
    }
  }
}

function takeDescriptors(environment: Environment, pid: number): readonly NamedDescriptor[] {
  const { LISTEN_PID: meant, LISTEN_FDS: many = "", LISTEN_FDNAMES: names = "" } = environment;
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete environment[name];
  if (meant !== String(pid) || !/^\d{1,5}$/.test(many)) return [];
  const named = names.split(":");
  return Array.from({ length: Number(many) }, (_, at) => ({ name: named[at] ?? "", fd: FIRST_FD + at }));
}

function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, " ");
}
