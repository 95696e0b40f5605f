/** agents revoke, agents reinstate: what an agent may do is taken back, and given back to what matchers find. */
import type { Command } from "commander";
import type { AgentStateListing, Revoked } from "../../ports.ts";
import { step } from "../client.ts";
import { count, printable } from "../show.ts";
import type { OpenShell } from "../world.ts";

export function addRevokeCommands(agents: Command, open: OpenShell): void {
  agents
    .command("revoke <agent>")
    .description("end what an agent's tokens, tags and given grants let it do; its cgroups stay guarded as nobody")
    .option("--reason <text>", "why, for the audit trail and for who asks later")
    .addHelpText("after", "\nExample:\n  sudo sallyport agents revoke ci --reason 'its token leaked'")
    .action(async (agent: string, options: { reason?: string }, command: Command) => {
      const { api, json, say } = open(command);
      const done = await api.post<Revoked>(`/v1/agents/${step(agent)}/revoke`, options);
      if (json) return say(JSON.stringify(done));
      const cut = [count(done.tags, "cgroup"), count(done.sessions, "session"), count(done.grants, "given grant")];
      say(`${printable(agent)} is revoked: ${cut.join(", ")} ended`);
      say(`commands and tags must be made anew; what matchers find: sallyport agents reinstate ${printable(agent)}`);
    });
  agents
    .command("reinstate <agent>")
    .description("let what matchers make an agent be that agent again, after `agents revoke`")
    .addHelpText("after", "\nExample:\n  sudo sallyport agents reinstate ci")
    .action(async (agent: string, _options: object, command: Command) => {
      const { api, json, say } = open(command);
      const now = await api.delete<AgentStateListing>(`/v1/agents/${step(agent)}/revoke`);
      say(json ? JSON.stringify(now) : `what matchers make ${printable(agent)} is that agent again`);
    });
}
