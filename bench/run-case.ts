import type { Case } from './cases.ts';
import { betweenNodes, idleNodes } from './cluster-contestant.ts';
import { type Contestant, contestantWithLoad } from './contestant.ts';
import { diskContestant, isDiskCase } from './disk-contestant.ts';
import type { GrpcCase } from './grpc-cases.ts';
import { grpcContestant, originalContestant } from './grpc-contestant.ts';
import type { KafkaCase } from './kafka-cases.ts';
import {
  type KafkaEntrant,
  kafkaContestantWithLoad,
  kafkaStartupContestant,
  kafkaToolContestant,
} from './kafka-contestant.ts';
import type { LiveCase, ThroughputCase } from './live-cases.ts';
import type { Figures } from './load/scenario.ts';
import type { Options } from './options.ts';
import {
  type ClusterPeer,
  isClusterPeer,
  isDiskPeer,
  isGrpcPeer,
  isKafkaPeer,
  isLivePeer,
  type LivePeer,
  type Peer,
} from './peers/peer.ts';
import { startupContestant } from './startup.ts';
import type { Transport } from './workload.ts';

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

/** A process that had 10,000 clients, or 100,000 filters, is not the same afterwards. */
const MEASURED_ONCE: ReadonlySet<Case['kind']> = new Set(['idle', 'stuck', 'churn', 'kafka-memory']);
const MEASURED_FROM_THE_START: ReadonlySet<Case['kind']> = new Set([
  ...MEASURED_ONCE,
  'startup',
  'kafka-startup',
] as const);

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
      await attempt(resultOf(contestant), () =>
        contestant.round(contestant.warmUpSeconds ?? WARM_UP_SECONDS),
      );
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
  const able = peers.filter(
    ({ name, takesPartWhereNamed }) => chosen.peers?.includes(name) ?? !takesPartWhereNamed,
  );
  if (chosen.kind === 'cluster-idle') {
    const start = (peer: ClusterPeer) => () => idleNodes(peer, folder);
    return able.filter(isClusterPeer).map((peer) => ({ name: peer.name, start: start(peer) }));
  }
  if (isGrpcCase(chosen)) return grpcEntriesOf(chosen, able, folder);
  if (isKafkaCase(chosen)) return kafkaEntriesOf(chosen, able, folder);
  const live = able
    .filter(isLivePeer)
    .filter(({ mqtt }) => chosen.protocol === undefined || mqtt !== undefined);
  const between = chosen.kind === 'throughput' ? able.filter(isClusterPeer) : [];
  return [
    ...live.flatMap((peer) => liveEntriesOf(chosen, peer, folder)),
    ...between.map(
      (peer): Entry => ({
        name: peer.name,
        start: () => betweenNodes(chosen as ThroughputCase, peer, folder),
      }),
    ),
  ];
}

function liveEntriesOf(chosen: LiveCase, peer: LivePeer, folder: string): Entry[] {
  if (chosen.kind === 'startup') {
    return [{ name: peer.name, start: () => startupContestant(peer, folder) }];
  }
  const wanted = 'workload' in chosen ? chosen.workload.transport : 'tcp';
  const transport: Transport = peer.transports.includes(wanted) ? wanted : 'tcp';
  const name = transport === wanted ? peer.name : `${peer.name} (${transport})`;
  if (!('variants' in chosen)) {
    return [{ name, start: () => contestantWithLoad(chosen, peer, transport, folder) }];
  }
  return chosen.variants.map((variant) => ({
    name: `${name}, ${variant}`,
    start: () => contestantWithLoad(chosen, peer, transport, folder, variant),
  }));
}

/** Each peer with a Kafka listener, in each way that it is set up; and the disk, where it is written to. */
function kafkaEntriesOf(chosen: KafkaCase, peers: readonly Peer[], folder: string): Entry[] {
  return peers.flatMap((peer): Entry[] => {
    if (isDiskPeer(peer) && isDiskCase(chosen))
      return [{ name: peer.name, start: () => diskContestant(peer.name, chosen, folder) }];
    if (!isKafkaPeer(peer)) return [];
    const { variants } = chosen;
    const taken = peer.kafka.filter(({ label }) => variants?.includes(label) ?? true);
    return taken.map((variant): Entry => {
      const entrant: KafkaEntrant = { peerName: peer.name, variant };
      return {
        name: variant.label === '' ? peer.name : `${peer.name}, ${variant.label}`,
        start: () => startKafkaEntrant(chosen, entrant, folder),
      };
    });
  });
}

/** Each peer with a gRPC listener, and what the original server was once measured at. */
function grpcEntriesOf(chosen: GrpcCase, peers: readonly Peer[], folder: string): Entry[] {
  const entries = peers
    .filter(isGrpcPeer)
    .map((peer): Entry => ({ name: peer.name, start: () => grpcContestant(chosen, peer, folder) }));
  if (entries.length === 0) return [];
  const noted = 'smq, as noted';
  return [...entries, { name: noted, start: () => originalContestant(noted, chosen) }];
}

function startKafkaEntrant(chosen: KafkaCase, entrant: KafkaEntrant, folder: string): Promise<Contestant> {
  switch (chosen.kind) {
    case 'kafka-startup':
      return kafkaStartupContestant(chosen, entrant, folder);
    case 'kafka-perf-produce':
    case 'kafka-perf-consume':
      return kafkaToolContestant(chosen, entrant, folder);
    default:
      return kafkaContestantWithLoad(chosen, entrant, folder);
  }
}

function isGrpcCase(chosen: Case): chosen is GrpcCase {
  return chosen.kind.startsWith('grpc-');
}

function isKafkaCase(chosen: Case): chosen is KafkaCase {
  return chosen.kind.startsWith('kafka-') || chosen.kind === 'live-under-produce';
}

/** Whether the first round is thrown away. Where memory is measured, it is the first that counts. */
function needsWarmUp(chosen: Case): boolean {
  return !MEASURED_FROM_THE_START.has(chosen.kind);
}

function roundsOf(chosen: Case, options: Options): number {
  if (chosen.kind === 'startup' || chosen.kind === 'kafka-startup')
    return Math.max(chosen.rounds, options.rounds);
  if (MEASURED_ONCE.has(chosen.kind)) return 1;
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
