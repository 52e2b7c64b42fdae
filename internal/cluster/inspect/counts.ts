import { setTimeout as pause } from 'node:timers/promises';
import type { TlsOptions } from '@nats-io/transport-node';
import { countSampleMs, countSamples } from '../../limits/cluster.ts';
import { monitorPage, type ServerVariables } from '../monitor.ts';
import { type CheckFinding, type ServerFolder, wipeAdvice } from './finding.ts';

export interface ComparedCounts {
  readonly findings: readonly CheckFinding[];
  /** By server. */
  readonly folders: ReadonlyMap<string, ServerFolder>;
}

interface StreamDetail {
  readonly name: string;
  readonly state: { readonly messages: number; readonly first_seq: number; readonly last_seq: number };
}

interface JetStreamPage {
  readonly account_details?: readonly {
    readonly id: string;
    readonly stream_detail?: readonly StreamDetail[];
  }[];
}

/** What one server says of its own streams. */
interface Sample {
  readonly server: string;
  readonly streams: ReadonlyMap<string, StreamDetail['state']>;
}

/**
 * Asks each server by its monitor how many messages it has of each stream. While messages come, servers are not asked at the same
 * moment: only what two of them say of the same last sequence is compared, and only what stays is told.
 *
 * @throws StoreUnavailableError where a monitor does not answer.
 */
export async function compareCounts(
  monitors: readonly string[],
  streams: readonly string[],
  tls: TlsOptions | undefined,
): Promise<ComparedCounts> {
  const folders = new Map<string, ServerFolder>();
  const servers = await Promise.all(
    monitors.map((monitor) => monitorPage<ServerVariables>(monitor, '/varz', tls)),
  );
  const differences = new Map<string, Difference>();
  for (let index = 0; index < countSamples && monitors.length > 0; index++) {
    if (index > 0) await pause(countSampleMs);
    const pages = await Promise.all(
      monitors.map((monitor) => monitorPage<JetStreamPage>(monitor, '/jsz?accounts=true&streams=true', tls)),
    );
    const samples = pages.map((page, at) => sampleOf(servers[at]!, page, folders));
    for (const stream of streams) note(stream, samples, differences);
  }
  const findings = [...differences.values()].flatMap((difference) => findingOf(difference, folders));
  return { findings, folders };
}

interface Difference {
  readonly server: string;
  readonly stream: string;
  /** Fewer than the others: in each comparison with the same last sequence. */
  fewer: number[];
}

function sampleOf(
  { server_name, jetstream }: ServerVariables,
  { account_details = [] }: JetStreamPage,
  folders: Map<string, ServerFolder>,
): Sample {
  const streams = new Map<string, StreamDetail['state']>();
  const accounts = new Map<string, string>();
  for (const { id, stream_detail = [] } of account_details) {
    for (const { name, state } of stream_detail) {
      streams.set(name, state);
      accounts.set(name, id);
    }
  }
  const folder = jetstream?.config?.store_dir ?? '';
  folders.set(server_name, {
    folderOf: (stream) => `${folder}/${accounts.get(stream) ?? '$G'}/streams/${stream}`,
  });
  return { server: server_name, streams };
}

function note(stream: string, samples: readonly Sample[], differences: Map<string, Difference>): void {
  const states = samples.flatMap(({ server, streams }) => {
    const state = streams.get(stream);
    return state === undefined ? [] : [{ server, state }];
  });
  for (const { server, state } of states) {
    const same = states.filter((other) => other.state.last_seq === state.last_seq);
    if (same.length < 2) continue;
    const most = Math.max(...same.map((other) => other.state.messages));
    const key = `${stream} ${server}`;
    const difference = differences.get(key) ?? { server, stream, fewer: [] };
    difference.fewer.push(most - state.messages);
    differences.set(key, difference);
  }
}

function findingOf(
  { server, stream, fewer }: Difference,
  folders: ReadonlyMap<string, ServerFolder>,
): CheckFinding[] {
  const least = Math.min(...fewer);
  if (fewer.length < 2 || least === 0) return [];
  const problem = `${server} has ${least.toLocaleString('en-US')} messages of ${stream} fewer than others that are as far`;
  return [{ server, stream, problem, advice: wipeAdvice(server, stream, folders) }];
}
