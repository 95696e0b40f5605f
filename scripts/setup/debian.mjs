/** Debian packages: says which are missing and installs those. Never upgrades, never removes. */
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, asRoot, run, SetupError, say } from "./run.mjs";

/** To build the addon and the BPF object, and to run `npm start`. */
export const TO_RUN = [
  "bpftool",
  "ca-certificates",
  "clang",
  "cmake",
  "g++",
  "iproute2",
  "libbpf-dev",
  "libelf-dev",
  "libseccomp-dev", // for native/launch; where only the product runs, libseccomp2 does
  "llvm",
  "make",
  "openssl",
  "pkg-config",
  "postgresql-client",
  "procps",
  "python3",
  "zlib1g-dev",
];

/** What `npm run check` needs beyond npm's packages. */
export const TO_CHECK = ["clang-format"];

/** Real servers and real clients for the tests and for the comparison. */
export const TO_TEST = [
  ...TO_RUN,
  ...TO_CHECK,
  "busybox-static",
  "chromium", // a real browser signs in; tests drive it by playwright-core
  "debootstrap",
  "default-jdk-headless", // JDBC waits through a hold, too
  "libpostgresql-jdbc-java",
  "musl-tools",
  "pgbouncer",
  "postgresql",
  "protobuf-compiler", // with python3-protobuf: the reader that docs/recording.md prints
  "python3-protobuf",
  "python3-psycopg2",
  "git",
  "iptables",
  "libcap2-bin",
  "containernetworking-plugins",
  "podman",
  "rsyslog", // a stock receiver of syslog; tests run it with settings, ports and certificates of their own
  "rsyslog-openssl",
  "runc",
  "sqlsmith",
  "strace",
  "systemd-container",
  "tcpdump",
  "zstd",
];

/** `npm run transparency`: drivers of further languages, with what compiles their scripts. */
export const TO_COMPARE = [
  ...TO_TEST,
  "golang-go",
  "golang-github-lib-pq-dev",
  "php-cli",
  "php-pgsql",
  "python3-psycopg",
  "ruby",
  "ruby-pg",
];

/** `npm run kernels`: virtual machines around this checkout. */
export const TO_BOOT = [...TO_TEST, "cpio", "kmod", "qemu-system-x86"];

/** Other packages that do as well: Debian's metapackage pulls in one of these. */
const SAME = { "postgresql-client": /^postgresql-client-\d+$/, "pkg-config": /^pkgconf$/ };

const REMEDY = "check that apt works on this machine, then start again";

/** Installs those of `wanted` that are missing. Costs some 20 ms when nothing is. */
export function installPackages(wanted) {
  const missing = missingOf(wanted);
  if (missing.length === 0) return;
  if (ask("apt-get", ["--version"]) === undefined) {
    throw new SetupError(
      `Cannot install ${missing.join(", ")}: this machine has no apt-get`,
      "use Debian 12 or newer, or install these by hand",
    );
  }
  say(`installing ${missing.length} Debian packages: ${missing.join(" ")}`);
  const restore = missing.includes("postgresql") ? withoutMainCluster() : () => {};
  try {
    if (!canInstall(missing)) apt("apt-update", ["update"]);
    apt("apt-install", ["install", "--yes", "--no-install-recommends", ...missing]);
  } finally {
    restore();
  }
  const still = missingOf(wanted);
  if (still.length > 0) throw new SetupError(`Cannot install ${still.join(", ")}: apt did not bring them`, REMEDY);
}

function missingOf(wanted) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own syntax.
  const list = ask("dpkg-query", ["--show", "--showformat", "${db:Status-Abbrev}${Package}\n"]) ?? "";
  const installed = list
    .split("\n")
    .filter((line) => line.startsWith("ii"))
    .map((line) => line.slice(3).trim());
  const has = new Set(installed);
  return wanted.filter((name) => !has.has(name) && !installed.some((other) => SAME[name]?.test(other)));
}

/** Whether apt's lists know everything, so that no update is needed. */
function canInstall(names) {
  return ask("apt-get", ["install", "--simulate", "--yes", "--no-install-recommends", ...names]) !== undefined;
}

function apt(name, args) {
  // By env(1), because sudo drops variables.
  const variables = ["DEBIAN_FRONTEND=noninteractive", "UCF_FORCE_CONFFOLD=1"];
  const [command, all] = asRoot("env", [...variables, "apt-get", "-o", "DPkg::Lock::Timeout=600", "--quiet", ...args]);
  run(name, command, all, { remedy: REMEDY });
}

const CLUSTER_SETTINGS = "/etc/postgresql-common/createcluster.conf";

/**
 * Keeps Debian from making and starting a database of its own: only the binaries are wanted. Where the file
 * exists already, the administrator has decided. Returns what puts Debian's own text in its place afterwards.
 */
function withoutMainCluster() {
  if (existsSync(CLUSTER_SETTINGS)) return () => {};
  const folder = mkdtempSync(join(tmpdir(), "sallyport-setup-"));
  const file = join(folder, "createcluster.conf");
  const install = () =>
    run("postgresql-common", ...asRoot("install", ["-D", "--mode=644", file, CLUSTER_SETTINGS]), { remedy: REMEDY });
  writeFileSync(file, "create_main_cluster = false\n");
  install();
  return () => {
    const original = "/usr/share/postgresql-common/createcluster.conf";
    if (existsSync(original)) {
      copyFileSync(original, file);
      install();
    }
    rmSync(folder, { recursive: true });
  };
}
