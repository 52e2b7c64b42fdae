import type { KafkaClient } from '../../../internal/clients/kafka/client.ts';
import type { TopicPartition } from '../../../internal/clients/kafka/offsets.ts';
import { Reader, type ReaderOptions } from '../../../internal/clients/kafka/reader.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { UsageError } from '../../cli/options/program.ts';
import { Output } from '../../cli/output.ts';
import { command, complain } from '../../cli/run-program.ts';
import { withKafka } from '../connect.ts';
import { note } from '../report.ts';
import { consumeInGroup } from './consume-group.ts';
import { consumeProgram } from './flags.ts';
import { rendererOf } from './render.ts';
import { positionsOf, startOf } from './start.ts';

export const consume = command(consumeProgram, async (invocation) => {
  const { values, operands, stop } = invocation;
  const [topic] = operands;
  const { group } = values;
  const start = startOf(values.from ?? 'beginning', Date.now());
  if (start.kind === 'stored' && group === undefined) throw new UsageError('-from stored needs a -group');
  if (group !== undefined && values.partition !== undefined) {
    throw new UsageError(
      '-partition and -group do not go together: a group shares its partitions out itself',
    );
  }
  const render = rendererOf(values, process.stdout.isTTY);
  const output = new Output(process.stdout);
  let received = 0;
  const options: ReaderOptions = {
    isolationLevel: values.isolation === 'read_committed' ? 1 : 0,
    onRecord(record) {
      for (const piece of render(record)) output.write(piece);
      received++;
      return received !== values.count;
    },
    onEnd(partition, offset) {
      if (values.exit && !values.quiet && process.stderr.isTTY) {
        note(`Reached end of topic ${topic} [${partition}] at offset ${offset}`);
      }
    },
    onNote: (text) => complain('tinymq consume', text),
    room: () => output.room,
  };
  try {
    if (group !== undefined) await consumeInGroup(invocation, { topic, group, start, output, options });
    else await withKafka(invocation, consumeAlone);
  } catch (error) {
    if (!stop.aborted || error !== stop.reason) throw error;
  } finally {
    await output.end();
  }

  async function consumeAlone(client: KafkaClient): Promise<void> {
    const partitions = await partitionsOf(client, topic, values.partition);
    const positions = await positionsOf(client, start, partitions, undefined);
    await new Reader(client, topic, positions, { ...options, stopsAtEnd: values.exit }).run();
  }
});

/** @throws KafkaRefusal where there is no such topic; Failure where it has not this partition. */
async function partitionsOf(
  client: KafkaClient,
  topic: string,
  only: number | undefined,
): Promise<TopicPartition[]> {
  const { partitions } = await client.topic(topic);
  if (only !== undefined && only >= partitions.length) {
    throw new Failure(`topic '${topic}' has no partition ${only}, only 0 to ${partitions.length - 1}`);
  }
  const all = partitions.map(({ partitionIndex }) => ({ topic, partition: partitionIndex }));
  return all.filter(({ partition }) => only === undefined || partition === only);
}
