/** One line for the audit trail and the SIEM. Fields hold names and numbers, never row values or secrets. */
export interface AuditEvent {
  readonly atMs: number;
  /**
   * session.start session.end action.deny connection.refused kernel.deny kernel.backstop kernel.socket kernel.bind
   * agent.tag agent.untag agent.sweep agent.quarantine agent.release agent.observe.start agent.observe.end action.observed
   * hold.waiting hold.approval hold.approved hold.denied hold.expired hold.abandoned hold.result hold.revoked
   * run.start run.end policy.load policy.rejected settings.load settings.rejected
   * credential.add credential.rotate credential.remove daemon.start daemon.stop origin.missing events.lost …
   */
  readonly kind: string;
  readonly agent?: string;
  readonly sessionId?: string;
  readonly connection?: string;
  /** One sentence for a person. */
  readonly message: string;
  readonly fields?: Readonly<Record<string, string | number | boolean>>;
}
