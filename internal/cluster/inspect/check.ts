import { setTimeout as pause } from 'node:timers/promises';
import { copyingMs, currentPatienceMs, currentPollMs } from '../../limits/cluster.ts';
import { StoreError } from '../../store/store-error.ts';
import { natsConnectOptions } from '../connection.ts';
import { eachLast, lastOfSubjects } from '../follower.ts';
import type { JetStream } from '../jetstream.ts';
import { FACTS } from '../jetstream-shard.ts';
import { topicRecordOf } from '../meta.ts';
import { Chains, type LostOffsets } from './chain.ts';
import { type Comparison, compareReplicas, type Lacking } from './compare.ts';
import { compareCounts } from './counts.ts';
import { type CheckFinding, type ServerFolder, wipeAdvice } from './finding.ts';
import { type Kind, type KindCount, kindOf, kindText, RECORD_BATCH } from './kinds.ts';
import { type Look, type LookOptions, withLook } from './look.ts';
import type { ReplicaMessage } from './replica-readers.ts';
import { type StreamStatus, streamsOf } from './streams.ts';
import { type Unread, unreadMessages } from './unread.ts';

export interface CheckedStream {
  readonly stream: string;
  readonly messages: number;
  readonly servers: readonly string[];
}

export interface ClusterCheck {
  readonly name: string;
  readonly streams: readonly CheckedStream[];
  readonly findings: readonly CheckFinding[];
}

export interface CheckOptions extends LookOptions {
  /** Whether the counts of the servers are compared only, and nothing is read. */
  readonly countsOnly: boolean;
  /** Told of each stream that was looked at. */
  checked?(stream: CheckedStream): void;
}

/**
 * Compares what the servers of a cluster have of each stream, and looks whether offsets follow on each other.
 *
 * @throws StoreError where no server answers, or there is no such cluster.
 */
export function clusterCheck(options: CheckOptions): Promise<ClusterCheck> {
  return withLook(options, (look) => checkOf(look, options));
}

async function checkOf(look: Look, options: CheckOptions): Promise<ClusterCheck> {
  const { name, monitors = [], countsOnly } = options;
  const found = await streamsOf(look.jetStream, name);
  if (found.length === 0) throw new StoreError('not-found', `there is no cluster ${name} on these servers`);
  const { tls } = natsConnectOptions(options);
  const streams = found.map(({ stream }) => stream);
  const counts = await compareCounts(monitors, streams, tls ?? undefined);
  const findings = [...counts.findings];
  if (countsOnly) return { name, streams: found.map(checkedStream), findings };
  const checked: CheckedStream[] = [];
  for (const stream of found) {
    const result = await checkStream(look, name, stream, counts.folders);
    checked.push(result.checked);
    findings.push(...result.findings);
    options.checked?.(result.checked);
  }
  return { name, streams: checked, findings: withoutTwice(findings) };
}

/** Counts and reading find the same damage. */
function withoutTwice(findings: readonly CheckFinding[]): CheckFinding[] {
  const last = new Map(
    findings.map((finding) => [`${finding.stream} ${finding.server} ${finding.advice}`, finding]),
  );
  return [...last.values()];
}

async function checkStream(
  look: Look,
  name: string,
  found: StreamStatus,
  folders: ReadonlyMap<string, ServerFolder>,
): Promise<{ checked: CheckedStream; findings: CheckFinding[] }> {
  const stream = await whenCurrent(look, name, found);
  const findings = replicaFindings(stream);
  const servers = serversOf(stream, look);
  const seen = new Seen(name, stream.shard);
  const which = { cluster: name, stream: stream.stream, servers };
  const compare = (see: (message: ReplicaMessage) => void) =>
    compareReplicas(look.jetStream, which, stream.lastSequence, see);
  let compared = await compare((message) => seen.see(message));
  // A server that copies a stream from others says that it is current all the while.
  for (let lacked = 0; lacked !== lackingOf(compared) && lackingOf(compared) > 0; ) {
    lacked = lackingOf(compared);
    await pause(copyingMs);
    compared = await compare(() => {});
  }
  findings.push(...compared.lacking.map((lacking) => lackingFinding(lacking, folders)));
  for (const server of compared.unread) {
    if (stream.replicas.some((replica) => replica.server === server && replica.isAway)) continue;
    findings.push({
      server,
      stream: stream.stream,
      problem: `${stream.stream} could not be read from ${server}`,
      advice: CHECK_AGAIN,
    });
  }
  findings.push(...(await lostFindings(look, name, stream, seen)));
  return { checked: { stream: stream.stream, messages: compared.messages, servers }, findings };
}

function lackingOf({ lacking }: Comparison): number {
  return lacking.reduce((sum, { count }) => sum + count, 0);
}

function checkedStream(stream: StreamStatus): CheckedStream {
  return {
    stream: stream.stream,
    messages: stream.messages,
    servers: stream.replicas.map(({ server }) => server),
  };
}

/** Replicas that are behind catch up, and then have what they are compared by. */
async function whenCurrent({ jetStream }: Look, name: string, found: StreamStatus): Promise<StreamStatus> {
  const deadline = performance.now() + currentPatienceMs;
  for (let stream = found; ; ) {
    const isCurrent = stream.replicas.every(({ isAway, isCurrent: isThere }) => isAway || isThere);
    if (isCurrent || performance.now() > deadline) return stream;
    await pause(currentPollMs);
    const streams = await streamsOf(jetStream, name);
    stream = streams.find((each) => each.stream === found.stream) ?? stream;
  }
}

/** A server on its own does not say who it is. */
function serversOf({ replicas }: StreamStatus, { servers }: Look): string[] {
  if (replicas.length === 0) return [servers.find(({ server }) => server !== undefined)?.server ?? ''];
  return replicas.filter(({ isAway }) => !isAway).map(({ server }) => server);
}

const CHECK_AGAIN = 'See tinymq cluster status, and check again when all of its servers are current.';

function replicaFindings({ stream, replicas }: StreamStatus): CheckFinding[] {
  return replicas.flatMap(({ server, isAway, isCurrent, lag }) => {
    if (isAway)
      return [
        {
          server,
          stream,
          problem: `${server} is away: what it has of ${stream} was not read`,
          advice: CHECK_AGAIN,
        },
      ];
    if (isCurrent) return [];
    return [{ server, stream, problem: `${server} is behind in ${stream}, by ${lag}`, advice: CHECK_AGAIN }];
  });
}

function lackingFinding(
  { server, stream, count, kinds, firstSequence, lastSequence }: Lacking,
  folders: ReadonlyMap<string, ServerFolder>,
): CheckFinding {
  const what = kinds.map(kindText).join(', ');
  return {
    server,
    stream,
    kinds: byKind(kinds),
    problem: `${server} lacks ${count.toLocaleString('en-US')} of the messages of ${stream} that others have, from sequence ${firstSequence} to ${lastSequence}: ${what}`,
    advice: wipeAdvice(server, stream, folders),
  };
}

/** What was read of a stream, from whichever server. */
class Seen {
  readonly counts = new Map<string, number>();
  /** Undefined for a stream that is no shard of the logs. */
  readonly chains: Chains | undefined;
  readonly prefix: string;

  constructor(name: string, shard: number | undefined) {
    this.chains = shard === undefined ? undefined : new Chains();
    this.prefix = `${name}.${shard}.`;
  }

  see({ subject, facts }: Pick<ReplicaMessage, 'subject' | 'facts'>): void {
    this.counts.set(subject, (this.counts.get(subject) ?? 0) + 1);
    this.chains?.see(subject.slice(this.prefix.length), facts);
  }
}

/** What no server has any more. */
async function lostFindings(
  { jetStream }: Look,
  name: string,
  { stream, lastSequence }: StreamStatus,
  { counts, chains, prefix }: Seen,
): Promise<CheckFinding[]> {
  const unread = await unreadMessages(jetStream, stream, counts, lastSequence);
  const findings = unreadFindings(name, stream, unread);
  if (chains === undefined) return findings;
  for (const partition of unreadOf('f', prefix, unread).keys()) chains.loseFloor(partition);
  // Behind the last batch of a partition no offset tells that there was another one.
  const ends = unreadOf('l', prefix, unread);
  if (chains.lost().length === 0 && ends.size === 0) return findings;
  // What retention took meanwhile has a floor by now.
  for (const letter of ['f', 'd']) {
    const followed = { stream, filter: `${prefix}${letter}.*`, isHeadersOnly: true };
    for (const { subject, headers } of await lastOfSubjects(jetStream, followed)) {
      chains.see(subject.slice(prefix.length), headers?.get(FACTS) ?? '');
    }
  }
  const lost = chains.lost();
  const topics = await topicNames(jetStream, name);
  for (const { partition } of lost) ends.delete(partition);
  return [
    ...findings,
    ...lost.map((each) => lostFinding(stream, each, topics.get(each.partition))),
    ...[...ends].map(([partition, count]) =>
      endFinding(stream, partition, count, chains.endOf(partition), topics.get(partition)),
    ),
  ];
}

/** Of record batches their offsets tell more. */
function unreadFindings(name: string, stream: string, unread: readonly Unread[]): CheckFinding[] {
  const counts = new Map<Kind, number>();
  for (const { subject, count } of unread) {
    const kind = kindOf(name, subject);
    if (kind !== RECORD_BATCH) counts.set(kind, (counts.get(kind) ?? 0) + count);
  }
  return [...counts].map(([kind, count]) => ({
    server: undefined,
    stream,
    kinds: byKind([{ kind, count }]),
    problem: `${kindText({ kind, count })} of ${stream} ${count === 1 ? 'is' : 'are'} on no server that was read`,
    advice: `${BRING_BACK} Otherwise they are lost: ${kind.loss}`,
  }));
}

/** By partition, how many of the messages on the subjects of a letter nobody could read. */
function unreadOf(letter: string, prefix: string, unread: readonly Unread[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { subject, count } of unread) {
    const [kind, partition] = subject.slice(prefix.length).split('.');
    if (kind === letter) counts.set(Number(partition), (counts.get(Number(partition)) ?? 0) + count);
  }
  return counts;
}

function byKind(kinds: readonly KindCount[]): Record<string, number> {
  return Object.fromEntries(kinds.map(({ kind, count }) => [kind.many, count]));
}

function lostFinding(
  stream: string,
  { partition, firstOffset, lastOffset }: LostOffsets,
  topic: string | undefined,
): CheckFinding {
  return {
    server: undefined,
    stream,
    problem: `offsets ${firstOffset} to ${lastOffset} of ${placeText(partition, topic)} are on no server that was read`,
    advice: `Readers are told that these are damaged. ${BRING_BACK} Otherwise they are lost: readers go on at offset ${lastOffset + 1}.`,
  };
}

function endFinding(
  stream: string,
  partition: number,
  count: number,
  end: number,
  topic: string | undefined,
): CheckFinding {
  return {
    server: undefined,
    stream,
    kinds: byKind([{ kind: RECORD_BATCH, count }]),
    problem: `${kindText({ kind: RECORD_BATCH, count })} of ${placeText(partition, topic)} from offset ${end} on ${count === 1 ? 'is' : 'are'} on no server that was read`,
    advice: `${BRING_BACK} Otherwise they are lost: brokers that start from now on take the partition to end at offset ${end}.`,
  };
}

const BRING_BACK = 'If a server is away, bring it back and check again.';

function placeText(partition: number, topic: string | undefined): string {
  return topic ?? `partition id ${partition}`;
}

/** By the ids of partitions, what people call them. */
async function topicNames(jetStream: JetStream, name: string): Promise<Map<number, string>> {
  const followed = { stream: `${name}-meta`, filter: `${name}.meta.t.*`, isHeadersOnly: false };
  const names = new Map<number, string>();
  await eachLast(jetStream, followed, ({ body }) => {
    const record = topicRecordOf(body);
    if (record.topicId === undefined) return;
    for (const [number, id] of record.partitions.entries()) {
      names.set(id, `topic ${record.name}, partition ${number},`);
    }
  });
  return names;
}
