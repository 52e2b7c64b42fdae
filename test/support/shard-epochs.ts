import { connectToNats } from '../../internal/cluster/connection.ts';
import { JetStream } from '../../internal/cluster/jetstream.ts';
import { JetStreamShard } from '../../internal/cluster/jetstream-shard.ts';
import { factsOf } from '../../internal/cluster/messages.ts';
import { eventually } from './eventually.ts';

/**
 * Reads all that lies in the shards of a cluster, and says where something lies behind the marker of another owner that one before
 * it wrote: such an owner was not fenced.
 */
export async function staleWrites(urls: readonly string[], shards: number): Promise<string[]> {
  const connection = await connectToNats({ urls, fsync: 'os' });
  const jetStream = new JetStream(connection);
  const problems: string[] = [];
  for (let shard = 0; shard < shards; shard++) {
    const stream = new JetStreamShard(jetStream, `tinymq-L${shard}`, `tinymq.${shard}.`);
    const last = await stream.lastSequence();
    let read = 0;
    let epoch = 0;
    const end = stream.follow(
      () => read,
      (message) => {
        read = message.sequence;
        const facts = factsOf(message);
        if (facts === undefined) return true;
        if (facts.epoch < epoch)
          problems.push(
            `shard ${shard}: ${facts.kind} ${read} of epoch ${facts.epoch} behind epoch ${epoch}`,
          );
        epoch = Math.max(epoch, facts.epoch);
        return true;
      },
    );
    await eventually(() => read >= last, `all of shard ${shard}`);
    end();
  }
  await connection.close();
  return problems;
}
