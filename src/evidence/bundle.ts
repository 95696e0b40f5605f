/**
 * A bundle: one session's recording with what proves it, as one tar file that a stranger can read and verify without
 * this host. Holds the session's own key where it is sealed, and no other.
 *
 *   manifest.json       what is in it, when and where from; the host's public key
 *   recording/          the segments as they are stored
 *   checkpoints.jsonl   the signed checkpoints that name the session, as they stand in the audit trail
 *   transcript.jsonl    the recording as it reads, one entry a line
 *   recording.proto     the format
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, link, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { create, extract } from "tar";
import type { JournalEvent } from "../audit/lines.ts";
import { verifyJournal } from "../audit/verify.ts";
import { codeOf, messageOf, UserError } from "../base/errors.ts";
import { BUNDLE_BYTES_MAX } from "../base/limits.ts";
import { compressedName, findDay } from "../recorder/files.ts";
import { type ReadEntry, readRecording } from "../recorder/read.ts";
import type { SessionKeys } from "../recorder/seal.ts";
import { type Checkpoint, checkpointIn, isSignedBy, rootsIn } from "./checkpoint.ts";
import type { EvidenceFinding } from "./finding.ts";
import { readPublicKey } from "./host-key.ts";
import { storedIn, verifySession } from "./recordings.ts";
import { type SignedRoot, signedRoot } from "./signed-root.ts";

const FORMAT = "sallyport-bundle/1";
/** Of the folder in which one is put together. */
const FOLDER = "bundle-";
const PLACES = /^(manifest\.json|(checkpoints|transcript)\.jsonl|recording\.proto|recording\/[\w-][\w.-]*)$/;

export interface Manifest {
  readonly format: typeof FORMAT;
  readonly sessionId: string;
  readonly startedMs: number;
  /** As the index said when it was exported: open, ended or interrupted. */
  readonly state: string;
  readonly exportedMs: number;
  readonly host: string;
  /** PEM. A verifier trusts the one that it got on another way. */
  readonly publicKey: string;
  /** Of the session, by the id of the data key that it came from, in Base64; none where it is not sealed. */
  readonly keys: Readonly<Record<string, string>>;
  /** By name in the bundle: SHA-256 of each other file. */
  readonly files: Readonly<Record<string, string>>;
}

export interface BundleSource {
  readonly sessionId: string;
  readonly startedMs: number;
  readonly state: string;
  readonly recordings: string;
  readonly events: string;
  readonly host: string;
  readonly publicKey: string;
  readonly nowMs: number;
  readonly keys: SessionKeys;
  /** Ids of the data keys that the recording names. */
  readonly keyIds: readonly string[];
  /** The recording as a transcript has it. */
  readonly read: (entries: AsyncIterable<ReadEntry>) => AsyncIterable<unknown>;
  /** Where it is put together; on the file system of the recordings, so that nothing is copied. */
  readonly scratch: string;
}

/** The bundle's bytes. What was put together for it is gone when the reading ends, however it ends. Throws SESSION_UNKNOWN. */
export async function* bundle(source: BundleSource): AsyncGenerator<Uint8Array, void> {
  await mkdir(source.scratch, { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(join(source.scratch, FOLDER));
  try {
    const files = await gather(source, folder);
    for await (const chunk of create({ cwd: folder, portable: true, noDirRecurse: true }, files)) yield chunk;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function gather(source: BundleSource, folder: string): Promise<string[]> {
  const { sessionId, recordings, state, keys: keysOf } = source;
  const day = await findDay(recordings, sessionId);
  await mkdir(join(folder, "recording"));
  const files: string[] = [];
  for (const name of (await readdir(join(recordings, day))).sort()) {
    if (!name.startsWith(`${sessionId}.`) || name.endsWith(".new")) continue;
    const own = state === "open" ? copied : linked; // what runs grows, and all that is in here has to be of one moment
    files.push(`recording/${await own(join(recordings, day), name, join(folder, "recording"))}`);
  }
  const lines = await checkpointLines(source.events, sessionId);
  await writeFile(join(folder, "checkpoints.jsonl"), lines.map((line) => `${line}\n`).join(""));
  await writeFile(
    join(folder, "transcript.jsonl"),
    jsonLines(source.read(readRecording(folder, sessionId, { day: "recording", keys: keysOf }))),
  );
  await copyFile(new URL("../recorder/recording.proto", import.meta.url), join(folder, "recording.proto"));
  files.push("checkpoints.jsonl", "transcript.jsonl", "recording.proto");
  const digests: [string, string][] = [];
  for (const name of files) digests.push([name, await digestOf(join(folder, name))]);
  const keys = source.keyIds.flatMap((id) => {
    const key = keysOf(id, sessionId);
    return key === undefined ? [] : [[id, Buffer.from(key).toString("base64")] as const];
  });
  const manifest: Manifest = {
    ...{ format: FORMAT, sessionId, startedMs: source.startedMs, state: source.state },
    ...{ exportedMs: source.nowMs, host: source.host, publicKey: source.publicKey },
    ...{ keys: Object.fromEntries(keys), files: Object.fromEntries(digests) },
  };
  await writeFile(join(folder, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  return ["manifest.json", ...files];
}

export interface BundleVerification {
  readonly manifest: Manifest;
  readonly findings: readonly EvidenceFinding[];
  readonly records: number;
  /** The newest checkpoint that signed what it holds. */
  readonly newest: { readonly number: number; readonly atMs: number } | undefined;
}

export interface BundleCheck {
  readonly file: string;
  /** The host's, in PEM, as it was got on another way. */
  readonly publicKey: string;
  /** A folder for what is unpacked; all of it goes again. */
  readonly scratch: string;
  /** Of which session it has to be. */
  readonly sessionId?: string;
  /** A checkpoint that was kept outside, as a sink got it: of the bundle's it may be the newest. */
  readonly anchor?: string;
  /** How a recording reads, to hold the transcript to it. */
  readonly read: (entries: AsyncIterable<ReadEntry>, manifest: Manifest) => AsyncIterable<unknown>;
}

/** Needs nothing but the file and the key. Throws BUNDLE_UNREADABLE, EVIDENCE_KEY. */
export async function verifyBundle(asked: BundleCheck): Promise<BundleVerification> {
  const { file, publicKey, scratch, read, sessionId: wanted, anchor } = asked;
  const key = readPublicKey(publicKey);
  const folder = await mkdtemp(join(scratch, "sallyport-bundle-"));
  try {
    const manifest = await unpack(file, folder);
    const findings: EvidenceFinding[] = [];
    const { sessionId } = manifest;
    for (const [name, digest] of Object.entries(manifest.files).filter(([one]) => PLACES.test(one))) {
      const found = await digestOf(join(folder, name)).catch(() => undefined);
      if (found === digest) continue;
      const message = found === undefined ? `${name} is not in it` : `${name} is not what the manifest says`;
      findings.push({
        verdict: "tampered",
        kind: found === undefined ? "removed" : "changed",
        where: sessionId,
        message,
      });
    }
    if (wanted !== undefined && wanted !== sessionId) {
      const message = `the bundle is of session ${sessionId}, not of this one`;
      findings.push({ verdict: "tampered", kind: "renamed", where: wanted, message });
    }
    const root = await newestRoot(folder, manifest, key, findings, anchor);
    const stored = (await storedIn(join(folder, "recording"))).get(sessionId);
    if (stored === undefined) throw unreadable(file, "it holds no recording");
    const keys: SessionKeys = (id) => {
      const text = Object.hasOwn(manifest.keys, id) ? manifest.keys[id] : undefined;
      return text === undefined ? undefined : Buffer.from(text, "base64");
    };
    const reading = verifySession(stored, { root, isLive: false, keys });
    let step = await reading.next();
    for (; !step.done; step = await reading.next()) {
      if (root !== undefined || step.value.kind !== "unsigned") findings.push(step.value);
    }
    if (root === undefined) {
      // An export is made after a checkpoint: one without was cut, or is somebody else's work.
      const message = "no checkpoint of this key in it has the session: anybody could have made it";
      findings.push({ verdict: "tampered", kind: "unsigned", where: sessionId, message });
    }
    const recorded = heldToStart(readRecording(folder, sessionId, { day: "recording", keys }), manifest, findings);
    const line = await firstDifference(join(folder, "transcript.jsonl"), jsonLines(read(recorded, manifest)));
    if (line !== undefined) {
      const message = `transcript.jsonl is not what the recording says, from line ${line} on`;
      findings.push({ verdict: "tampered", kind: "changed", where: sessionId, message });
    }
    if (root?.state === "open") {
      const message = `it was open when checkpoint ${root.number} signed records 1 to ${root.sequence}: whether more followed is not proved`;
      findings.push({ verdict: "unproved", kind: "unsigned", where: sessionId, message });
    }
    const newest = root === undefined ? undefined : { number: root.number, atMs: root.signedMs };
    return { manifest, findings, records: step.value.records, newest };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The newest signed word in it; of a checkpoint that this key did not sign nothing is taken. */
async function newestRoot(
  folder: string,
  { sessionId }: Manifest,
  key: ReturnType<typeof readPublicKey>,
  findings: EvidenceFinding[],
  anchor = "",
): Promise<SignedRoot | undefined> {
  const signed: Checkpoint[] = [];
  const text = `${await readFile(join(folder, "checkpoints.jsonl"), "utf8").catch(() => "")}\n${anchor}`;
  for (const line of text.split("\n").filter((one) => one !== "")) {
    const checkpoint = checkpointOf(line);
    const where = checkpoint === undefined ? "checkpoints.jsonl" : `checkpoint ${checkpoint.number}`;
    if (checkpoint === undefined || !isSignedBy(checkpoint, key)) {
      findings.push({ verdict: "tampered", kind: "signature", where, message: "this host's key did not sign it" });
      continue;
    }
    signed.push(checkpoint);
  }
  let newest: SignedRoot | undefined;
  for (const checkpoint of signed.sort((one, other) => one.number - other.number)) {
    for (const root of rootsIn(checkpoint)) {
      if (root.sessionId === sessionId) newest = signedRoot(newest, root, checkpoint.number, checkpoint.atMs);
    }
  }
  return newest;
}

/** A checkpoint from the line of an audit trail, or of a sink that got it. */
export function checkpointOf(line: string): Checkpoint | undefined {
  try {
    const event = JSON.parse(line) as JournalEvent;
    return checkpointIn(event);
  } catch {
    return undefined;
  }
}

async function checkpointLines(events: string, sessionId: string): Promise<readonly string[]> {
  const lines: string[] = [];
  const reading = verifyJournal(events, {
    each: (event) => {
      const checkpoint = checkpointIn(event);
      if (checkpoint === undefined || !checkpoint.roots.includes(`${sessionId} `)) return;
      if (rootsIn(checkpoint).some((root) => root.sessionId === sessionId)) lines.push(JSON.stringify(event));
    },
  });
  while (!(await reading.next()).done);
  return lines;
}

async function unpack(file: string, folder: string): Promise<Manifest> {
  let bytes = 0;
  try {
    await extract({
      file,
      cwd: folder,
      strict: true,
      preserveOwner: false,
      filter: (path, entry) => {
        bytes += entry.size ?? 0;
        const isPlain = !("type" in entry) || entry.type === "File";
        return bytes <= BUNDLE_BYTES_MAX && isPlain && PLACES.test(path); // an error thrown here nobody could catch
      },
    });
    if (bytes > BUNDLE_BYTES_MAX) throw new Error(`it has more than ${BUNDLE_BYTES_MAX} bytes`);
    return manifestIn(await readFile(join(folder, "manifest.json"), "utf8"));
  } catch (error) {
    throw unreadable(file, codeOf(error) === "ENOENT" ? "it is not there, or has no manifest" : messageOf(error));
  }
}

/** Throws where it lacks what a verification asks of it. */
function manifestIn(text: string): Manifest {
  const manifest = JSON.parse(text) as Manifest;
  if (manifest.format !== FORMAT) throw new Error(`its format is ${String(manifest.format).slice(0, 40)}`);
  const { sessionId, startedMs, files, keys } = manifest;
  const areTexts = [files, keys].every((one) => {
    return typeof one === "object" && one !== null && Object.values(one).every((value) => typeof value === "string");
  });
  if (typeof sessionId !== "string" || typeof startedMs !== "number" || !areTexts)
    throw new Error("its manifest is no manifest");
  return manifest;
}

function unreadable(file: string, why: string): UserError {
  const message = `Cannot read the bundle ${file}: ${why}`;
  return new UserError("BUNDLE_UNREADABLE", message, "Export it again: sallyport sessions export ID --out FILE");
}

/** The manifest is signed by nobody, and the transcript's times count from what it says. */
async function* heldToStart(
  entries: AsyncIterable<ReadEntry>,
  { sessionId, startedMs }: Manifest,
  findings: EvidenceFinding[],
): AsyncGenerator<ReadEntry, void> {
  for await (const entry of entries) {
    if (entry.kind === "start" && entry.atMs !== startedMs) {
      const message = "manifest.json has another time of its start than the recording";
      findings.push({ verdict: "tampered", kind: "changed", where: sessionId, message });
    }
    yield entry;
  }
}

/** From 1; undefined where there is none. */
async function firstDifference(file: string, expected: AsyncIterable<string>): Promise<number | undefined> {
  let number = 0;
  const found = createInterface({ input: createReadStream(file) })[Symbol.asyncIterator]();
  for await (const line of expected) {
    number += 1;
    const { value, done } = await found.next();
    if (done === true || `${value}\n` !== line) return number;
  }
  return (await found.next()).done === true ? undefined : number + 1;
}

async function* jsonLines(entries: AsyncIterable<unknown>): AsyncGenerator<string, void> {
  for await (const entry of entries) yield `${JSON.stringify(entry)}\n`;
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

async function linked(from: string, name: string, to: string): Promise<string> {
  return link(join(from, name), join(to, name)).then(
    () => name,
    () => copied(from, name, to),
  );
}

/** Returns the name that it has: it may have been compressed meanwhile. */
async function copied(from: string, name: string, to: string): Promise<string> {
  try {
    await copyFile(join(from, name), join(to, name));
    return name;
  } catch (error) {
    if (codeOf(error) !== "ENOENT" || name !== basename(name, ".zst")) throw error;
    return copied(from, compressedName(name), to);
  }
}
