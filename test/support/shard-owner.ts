import { connectToNats } from '../../internal/cluster/connection.ts';
import { JetStream } from '../../internal/cluster/jetstream.ts';
import { JetStreamShard } from '../../internal/cluster/jetstream-shard.ts';
import { Shard } from '../../internal/cluster/shard.ts';
import { ShardWriter } from '../../internal/cluster/shard-writer.ts';
import { systemClock } from '../../internal/lib/clock.ts';
import { PipeliningWriter } from './pipelining-writer.ts';

/*
 * A process that may own a shard, which a test stops and resumes. It is told by its parent what to do, and tells it what became of that.
 */

/** What it is started with, as JSON. */
export interface OwnerOptions {
  readonly urls: readonly string[];
  readonly node: number;
  readonly stream: string;
  readonly prefix: string;
  readonly pipelines: boolean;
}

/** Claims the shard, again and again until it has it, or keeps so many batches under way. */
export type Order = { readonly claim: true } | { readonly inFlight: number };

export type Report =
  | { readonly kind: 'ready' | 'owns' | 'ended' }
  | { readonly kind: 'acknowledged'; readonly name: string; readonly baseOffset: number };

const PARTITION = 1;
const CLAIM_AGAIN_MS = 20;

async function main({ urls, node, stream, prefix, pipelines }: OwnerOptions): Promise<void> {
  const tell = (report: Report) => process.send?.(report);
  const jetStream = new JetStream(await connectToNats({ urls, fsync: 'commit' }));
  let wanted = 0;
  let underWay = 0;
  let made = 0;
  const shard: Shard = new Shard({
    ...{ node, clock: systemClock, stream: new JetStreamShard(jetStream, stream, prefix) },
    makeWriter: (parts) => (pipelines ? new PipeliningWriter(parts) : new ShardWriter(parts)),
    events: {
      applied() {},
      ownership(isOwner) {
        if (!isOwner) wanted = 0;
        tell({ kind: isOwner ? 'owns' : 'ended' });
      },
    },
  });
  shard.follow();

  function fill(): void {
    while (underWay < wanted && shard.leader === 'here') {
      underWay++;
      append().finally(() => {
        underWay--;
        fill();
      });
    }
  }

  async function append(): Promise<void> {
    const baseOffset = shard.endOf(PARTITION).nextOffset;
    const name = `node ${node}, batch ${made++}`;
    const batch = { baseOffset, lastOffset: baseOffset, count: 1, maxTimestamp: made, producer: undefined };
    try {
      await shard.append(PARTITION, { ...batch, bytes: Buffer.from(name) });
      tell({ kind: 'acknowledged', name, baseOffset });
    } catch {
      // Not acknowledged: it may be there or not.
    }
  }

  async function claim(): Promise<void> {
    while (!(await shard.claim())) await new Promise((resolve) => setTimeout(resolve, CLAIM_AGAIN_MS));
  }

  process.on('message', (order: Order) => {
    if ('claim' in order) {
      void claim();
      return;
    }
    wanted = order.inFlight;
    fill();
  });
  tell({ kind: 'ready' });
}

await main(JSON.parse(process.argv[2]!) as OwnerOptions);
