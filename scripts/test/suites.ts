/**
 * The list of suites in the order of the gate: cheap ones first, so that a slip shows early. Each is a folder of
 * tests/; one without a single test fails the run, so that a suite cannot vanish unnoticed.
 */
export interface Suite {
  readonly name: string;
  /** `--only` takes a group's name, too. */
  readonly group: "static" | "unit" | "kernel" | "system";
  /** Below the checkout; searched to the bottom for *.test.ts. */
  readonly folder: string;
  /** Test files at once. The machine has two cores, and system tests own the kernel's hooks one at a time. */
  readonly concurrency: number;
  readonly limitS: number;
}

const unit = (name: string): Suite => ({
  name,
  group: "unit",
  folder: `tests/${name}`,
  concurrency: 2,
  limitS: 180,
});
const kernel = (name: string): Suite => ({
  name,
  group: "kernel",
  folder: `tests/${name}`,
  concurrency: 1,
  limitS: 300,
});

export const SUITES: readonly Suite[] = [
  { name: "static", group: "static", folder: "tests/static", concurrency: 2, limitS: 180 },
  unit("base"),
  unit("model"),
  unit("protocols"),
  unit("policy"),
  unit("masking"),
  unit("kernel"),
  unit("containers"),
  unit("store"),
  unit("metrics"),
  unit("identity"),
  unit("names"),
  unit("vault"),
  unit("holds"),
  unit("recorder"),
  unit("evidence"),
  unit("audit"),
  unit("notify"),
  unit("search"),
  unit("path"),
  unit("control"),
  unit("daemon"),
  unit("config"),
  unit("bench"),
  { name: "fuzz", group: "unit", folder: "tests/fuzz", concurrency: 1, limitS: 600 },
  kernel("bpf"),
  kernel("native"),
  kernel("launch"),
  kernel("connections"),
  { name: "bypass", group: "system", folder: "tests/bypass", concurrency: 1, limitS: 900 },
  { name: "system", group: "system", folder: "tests/system", concurrency: 1, limitS: 2400 },
  { name: "upstreams", group: "system", folder: "tests/upstreams", concurrency: 1, limitS: 600 },
  { name: "transparency", group: "system", folder: "tests/transparency", concurrency: 1, limitS: 300 },
  { name: "leaks", group: "system", folder: "tests/leaks", concurrency: 1, limitS: 600 },
  { name: "guards", group: "system", folder: "tests/guards", concurrency: 1, limitS: 300 },
  { name: "parsing", group: "system", folder: "tests/parsing", concurrency: 1, limitS: 300 },
  { name: "events", group: "system", folder: "tests/events", concurrency: 1, limitS: 180 },
  { name: "service", group: "system", folder: "tests/service", concurrency: 1, limitS: 1200 },
  { name: "faults", group: "system", folder: "tests/faults", concurrency: 1, limitS: 1800 },
];

/** Groups in which a skipped test fails the run where the kernel has cgroup BPF. */
export const NEEDS_KERNEL: ReadonlySet<Suite["group"]> = new Set(["kernel", "system"]);
