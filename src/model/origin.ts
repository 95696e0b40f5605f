/** What the kernel says of one connection, completed by what /proc says of the process. */
export interface Origin {
  /** Dialled by the agent, v4-mapped written as plain IPv4. */
  readonly address: string;
  readonly port: number;
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly netnsCookie: bigint;
  readonly cgroupId: bigint;
  readonly cgroup: string;
  /** The tagged cgroup, the process's own or an ancestor of it. */
  readonly tagCgroupId: bigint;
  readonly pid: number;
  readonly uid: number;
  readonly user: string;
  readonly comm: string;
  /** The path of the executable, or "" where the process was already gone. */
  readonly executable: string;
}
