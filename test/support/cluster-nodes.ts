import type { connectToNats } from '../../internal/cluster/connection.ts';
import { eventually } from './eventually.ts';

/** The numbers of the nodes of a cluster, once so many were heard. */
export async function nodesHeard(
  connection: Awaited<ReturnType<typeof connectToNats>>,
  count: number,
): Promise<number[]> {
  const nodes = new Set<number>();
  const beats = connection.subscribe('tinymq.beat', {
    callback: (_error, beat) => {
      nodes.add(beat.json<{ node: number }>().node);
    },
  });
  await eventually(() => nodes.size === count, 'all nodes');
  beats.unsubscribe();
  return [...nodes];
}

/** What a broker logged as errors, without NATS being away: on a busy machine that is so for a while. */
export function errorsIn(stderr: string): string[] {
  return stderr
    .split('\n')
    .filter((line) => line.includes('"level":"error"') && !line.includes('"kind":"unavailable"'));
}
