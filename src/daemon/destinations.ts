/** What the settings in force open and close to agents, resolved for the kernel. Decides nothing and dials nothing. */
import type { Log } from "../base/log.ts";
import { type DestinationPlan, type Planned, planDestinations, type Resolve } from "../kernel/destinations.ts";
import type { Configuration } from "./configuration.ts";
import { deniedFor } from "./metrics.ts";

/** As the settings say; and no agent reaches the metrics, the API, nor where answers to held actions come in. */
export function namedSettings({ settings, connections }: Configuration): DestinationPlan {
  const { allow, deny } = settings.egress;
  const own = [settings.metrics.listen, settings.api, settings.notify.listen].flatMap(deniedFor);
  return { connections, allow, deny: [...deny, ...own] };
}

export async function resolveDestinations(configuration: Configuration, resolve: Resolve, log: Log): Promise<Planned> {
  const planned = await planDestinations(namedSettings(configuration), resolve);
  for (const name of planned.unresolved) log.warn("A name does not resolve; it stays refused until it does", { name });
  return planned;
}
