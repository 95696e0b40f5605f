/** What this machine offers, each with a verdict and a remedy. Changes nothing that lasts. */
import { existsSync, readFileSync } from "node:fs";
import { probe } from "ebpf-loader";
import { messageOf } from "../base/errors.ts";
import type { DoctorCheck, DoctorReport } from "../control/ports.ts";
import { hostNameservers } from "../kernel/destinations.ts";
import { findCgroupRoot } from "../kernel/interception.ts";

export async function doctorReport(): Promise<DoctorReport> {
  return { checks: [privileges(), ...kernel(), nameservers(), serviceManager()] };
}

function privileges(): DoctorCheck {
  const uid = process.geteuid?.() ?? -1;
  return uid === 0
    ? { name: "privileges", verdict: "ok", found: "root", remedy: "" }
    : { name: "privileges", verdict: "failed", found: `uid ${uid}`, remedy: "Run it with sudo" };
}

function kernel(): DoctorCheck[] {
  try {
    return probe(findCgroupRoot()).map(({ feature, ok, needs, found, remedy }) =>
      ok
        ? { name: feature, verdict: "ok", found, remedy: "" }
        : { name: feature, verdict: "failed", found: `${found}, needs ${needs}`, remedy },
    );
  } catch (error) {
    const remedy = "remedy" in (error as object) ? String((error as { remedy: unknown }).remedy) : "";
    return [{ name: "kernel", verdict: "failed", found: messageOf(error), remedy }];
  }
}

function nameservers(): DoctorCheck {
  const found = hostNameservers();
  return found.length > 0
    ? { name: "nameservers", verdict: "ok", found: found.join(", "), remedy: "" }
    : {
        name: "nameservers",
        verdict: "warning",
        found: "none in /etc/resolv.conf",
        remedy: "Agents cannot resolve names until it lists one",
      };
}

function serviceManager(): DoctorCheck {
  const systemd = existsSync("/run/systemd/system");
  const first = readFileSync("/proc/1/comm", "utf8").trim();
  return {
    name: "service manager",
    verdict: "ok",
    found: systemd ? "systemd: runs become transient scopes" : `${first}: runs get a cgroup of their own`,
    remedy: "",
  };
}
