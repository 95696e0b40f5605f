/** Receivers as processes that a test starts, kills and starts again on the same port. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { AuthorityFiles } from "../kit/certificate.ts";

const RECEIVER = fileURLToPath(new URL("receiver.ts", import.meta.url));
const START_MS = 10_000;
const STOPPED_MS = 200;

export interface Receiver {
  readonly name: string;
  readonly port: number;
  /** One number a line, or one event. */
  readonly out: string;
  start(): Promise<void>;
  /**
   * SIGSTOP, a while in which its kernel goes on taking bytes that it will never read, then SIGKILL. Over when it is gone.
   */
  kill(): Promise<void>;
}

export function httpReceiver(name: "otlp" | "webhook", folder: string, port: number, tls: AuthorityFiles): Receiver {
  const out = join(folder, `${name}.seen`);
  const argv = [process.execPath, RECEIVER, name, String(port), out, tls.certificateFile, tls.keyFile];
  return receiver(name, port, out, argv);
}

/** Debian's own, with settings of ours: TLS, and no queue in memory that dies with it. */
export function rsyslog(folder: string, port: number, tls: AuthorityFiles): Receiver {
  const out = join(folder, "syslog.seen");
  const settings = join(folder, "rsyslog.conf");
  writeFileSync(
    settings,
    `global(workDirectory="${folder}" maxMessageSize="128k" defaultNetstreamDriver="ossl"
  defaultNetstreamDriverCAFile="${tls.caFile}"
  defaultNetstreamDriverCertFile="${tls.certificateFile}" defaultNetstreamDriverKeyFile="${tls.keyFile}")
main_queue(queue.type="Direct")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" address="127.0.0.1" port="${port}")
template(name="line" type="string" string="%structured-data% %msg%\\n")
action(type="omfile" file="${out}" template="line" fileCreateMode="0600")
`,
  );
  const argv = ["rsyslogd", "-n", "-f", settings, "-i", join(folder, "rsyslog.pid")];
  return receiver("syslog", port, out, argv);
}

function receiver(name: string, port: number, out: string, [file = "", ...args]: readonly string[]): Receiver {
  let child: ChildProcess | undefined;
  const abandon = () => child?.kill("SIGKILL");
  process.once("exit", abandon);
  return {
    ...{ name, port, out },
    async start() {
      const started = spawn(file, args, { stdio: ["ignore", "ignore", "pipe"] });
      let told = "";
      started.stderr?.on("data", (bytes: Buffer) => (told += bytes));
      child = started;
      const endMs = Date.now() + START_MS;
      while (!(await answers(port))) {
        if (started.exitCode !== null || Date.now() > endMs) throw new Error(`${name} does not start: ${told}`);
        await wait(10);
      }
    },
    async kill() {
      const running = child;
      child = undefined;
      if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
      const ended = once(running, "exit");
      running.kill("SIGSTOP");
      await wait(STOPPED_MS);
      running.kill("SIGKILL");
      await ended;
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const finish = (does: boolean) => {
      socket.destroy();
      resolve(does);
    };
    socket.once("connect", () => finish(true));
    socket.once("error", () => finish(false));
  });
}
