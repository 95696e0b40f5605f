/**
 * What each runtime says of a container, from the files that it keeps itself; never from a command line. All of it is
 * written before the container's first process exists, and is read without the runtime's locks, so that it can be
 * asked for while the container is being started. Decides nothing.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import sqlite3 from "sqlite3";
import { RUNTIME_BUSY_MS } from "../base/limits.ts";
import { readBolt } from "./bolt.ts";
import type { ContainerFacts, Runtime } from "./container.ts";
import { type Json, labelsOf, objectOf, parseJson, readJson, textOf } from "./documents.ts";

/** Podman's own record of a container: libpod's ContainerConfig as JSON. Undefined when this store has no such container. */
export async function readPodman(graphRoot: string, id: string): Promise<ContainerFacts | undefined> {
  const config = await readPodmanConfig(graphRoot, id);
  if (config === undefined) return undefined;
  const image = textOf(config["rootfsImageName"]) || textOf(config["RawImageName"]);
  return { id, runtime: "podman", name: textOf(config["name"]), image, labels: labelsOf(config["labels"]) };
}

/** Up to 4.7 a bbolt file; since then SQLite, where both exist the one that podman would use. Source: libpod/runtime.go. */
async function readPodmanConfig(graphRoot: string, id: string): Promise<Json | undefined> {
  const bolt = join(graphRoot, "libpod", "bolt_state.db");
  if (existsSync(bolt)) {
    const value = readBolt(bolt, ["ctr", id, "config"]);
    if (value !== undefined) return parseJson(value);
  }
  const sqlite = join(graphRoot, "db.sql");
  if (!existsSync(sqlite)) return undefined;
  const text = await readSqlite(sqlite, id);
  return text === undefined ? undefined : parseJson(Buffer.from(text));
}

function readSqlite(file: string, id: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const handle = new sqlite3.Database(file, sqlite3.OPEN_READONLY, (opening) => {
      if (opening !== null) return reject(opening);
      handle.configure("busyTimeout", RUNTIME_BUSY_MS);
      handle.get<{ JSON: string }>("SELECT JSON FROM ContainerConfig WHERE ID = ?", [id], (error, row) => {
        handle.close(() => (error === null ? resolve(row?.JSON) : reject(error)));
      });
    });
  });
}

/** Docker's own record. `image` is as the person wrote it ("postgres:16"). Source: moby, container.Container. */
export function readDocker(dataRoot: string, id: string): ContainerFacts | undefined {
  const record = readJson(join(dataRoot, "containers", id, "config.v2.json"));
  if (record === undefined) return undefined;
  const config = objectOf(record["Config"]);
  const name = textOf(record["Name"]).replace(/^\//, "");
  return { id, runtime: "docker", name, image: textOf(config["Image"]), labels: labelsOf(config["Labels"]) };
}

/** Of Kubernetes' runtimes: what they wrote into the bundle for the low-level runtime. */
export function readBundle(bundle: string, id: string, runtime: Runtime): ContainerFacts | undefined {
  const spec = readJson(join(bundle, "config.json"));
  return spec === undefined ? undefined : factsFromAnnotations(objectOf(spec["annotations"]), id, runtime);
}

/** Source: cri-o, pkg/annotations; containerd, internal/cri/annotations. Others: annotations are the labels. */
function factsFromAnnotations(annotations: Json, id: string, runtime: Runtime): ContainerFacts {
  switch (runtime) {
    case "cri-o": {
      const name =
        textOf(annotations["io.kubernetes.container.name"]) || textOf(annotations["io.kubernetes.cri-o.Name"]);
      const image = textOf(annotations["io.kubernetes.cri-o.ImageName"]);
      const labels = textOf(annotations["io.kubernetes.cri-o.Labels"]);
      return { id, runtime, name, image, labels: labels === "" ? {} : labelsOf(JSON.parse(labels)) };
    }
    case "containerd": {
      const name = textOf(annotations["io.kubernetes.cri.container-name"]);
      return {
        id,
        runtime,
        name,
        image: textOf(annotations["io.kubernetes.cri.image-name"]),
        labels: labelsOf(annotations),
      };
    }
    case "podman":
    case "docker":
    case "oci":
      return { id, runtime, name: id, image: "", labels: labelsOf(annotations) };
  }
}
