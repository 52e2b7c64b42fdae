import type { Case, Transport } from './cases.ts';
import { type Contestant, contestantWithLoad } from './contestant.ts';
import type { Figures } from './load/scenario.ts';
import type { Options } from './options.ts';
import type { Peer } from './peers/peer.ts';
import { startupContestant } from './startup.ts';

/** What came out for one peer. */
export interface ContestantResult {
  name: string;
  /** What each round measured. */
  rounds: Figures[];
  /** Why there are no more rounds. */
  problem?: string;
}

export interface CaseResult {
  case: Case;
  contestants: ContestantResult[];
}

/** Long enough for every peer to have compiled, and grown, what it needs. */
const WARM_UP_SECONDS = 0.7;

/** Runs one case: everybody is started and warmed up, then the rounds go in turn over all of them. */
export async function runCase(chosen: Case, options: Options, folder: string): Promise<CaseResult> {
  const results: ContestantResult[] = [];
  const contestants: Contestant[] = [];
  for (const { name, start } of entriesOf(chosen, options.peers, folder)) {
    const result: ContestantResult = { name, rounds: [] };
    results.push(result);
    const contestant = await attempt(result, start);
    if (contestant !== undefined) contestants.push({ ...contestant, name });
  }
  const resultOf = (contestant: Contestant): ContestantResult =>
    results.find(({ name }) => name === contestant.name)!;

  if (needsWarmUp(chosen)) {
    for (const contestant of contestants) {
      await attempt(resultOf(contestant), () => contestant.round(WARM_UP_SECONDS));
    }
  }
  for (let round = 0; round < roundsOf(chosen, options); round++) {
    for (const contestant of contestants) {
      const result = resultOf(contestant);
      if (result.problem !== undefined) continue;
      const figures = await attempt(result, () => contestant.round(options.seconds));
      if (figures !== undefined) result.rounds.push(figures);
    }
  }
  await Promise.all(contestants.map((contestant) => contestant.end()));
  return { case: chosen, contestants: results };
}

interface Entry {
  name: string;
  start(): Promise<Contestant>;
}

/** Who takes part in a case, under which name. */
function entriesOf(chosen: Case, peers: readonly Peer[], folder: string): Entry[] {
  const able = peers.filter(({ name }) => chosen.peers?.includes(name) ?? true);
  return able.flatMap((peer): Entry[] => {
    if (chosen.kind === 'startup') {
      return [{ name: peer.name, start: () => startupContestant(peer, folder) }];
    }
    const wanted = 'workload' in chosen ? chosen.workload.transport : 'tcp';
    const transport: Transport = peer.transports.includes(wanted) ? wanted : 'tcp';
    const name = transport === wanted ? peer.name : `${peer.name} (${transport})`;
    if (chosen.kind !== 'sdk') {
      return [{ name, start: () => contestantWithLoad(chosen, peer, transport, folder) }];
    }
    return chosen.variants.map((variant) => ({
      name: `${name}, ${variant}`,
      start: () => contestantWithLoad(chosen, peer, transport, folder, variant),
    }));
  });
}

/** Whether the first round is thrown away. Where memory is measured, it is the first that counts. */
function needsWarmUp(chosen: Case): boolean {
  return chosen.kind === 'throughput' || chosen.kind === 'latency' || chosen.kind === 'sdk';
}

function roundsOf(chosen: Case, options: Options): number {
  if (chosen.kind === 'startup') return Math.max(chosen.rounds, options.rounds);
  // A process that had 10,000 clients, or 100,000 filters, is not the same afterwards.
  if (chosen.kind === 'idle' || chosen.kind === 'stuck' || chosen.kind === 'churn') return 1;
  return options.rounds;
}

/** Does it, or notes why it failed; the other peers go on. */
async function attempt<T>(result: ContestantResult, action: () => Promise<T>): Promise<T | undefined> {
  if (result.problem !== undefined) return undefined;
  try {
    return await action();
  } catch (error) {
    result.problem = (error as Error).message;
    return undefined;
  }
}
