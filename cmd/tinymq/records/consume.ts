import { UsageError } from '../../../internal/config/program.ts';
import { consumeProgram } from '../../../internal/config/tinymq-records.ts';
import { Output } from '../../shared/output.ts';
import { command, complain, Failure } from '../../shared/run-program.ts';
import { withKafka } from '../connect.ts';
import type { KafkaClient } from '../kafka-client/client.ts';
import type { TopicPartition } from '../kafka-client/offsets.ts';
import { type ConsumedRecord, Reader } from '../kafka-client/reader.ts';
import { note } from '../report.ts';
import { rendererOf } from './render.ts';
import { positionsOf, startOf } from './start.ts';

export const consume = command(consumeProgram, async (invocation) => {
  const { values, operands, stop } = invocation;
  const [topic] = operands;
  const start = startOf(values.from ?? 'beginning', Date.now());
  if (start.kind === 'stored' && values.group === undefined) {
    throw new UsageError('-from stored is where a -group is: say which');
  }
  const render = rendererOf(values, process.stdout.isTTY);
  const output = new Output(process.stdout);
  let received = 0;
  try {
    await withKafka(invocation, async (client) => {
      const partitions = await partitionsOf(client, topic, values.partition);
      const positions = await positionsOf(client, start, partitions, values.group);
      const open = new Set(positions.keys());
      const reader = new Reader(client, topic, positions, {
        isolationLevel: values.isolation === 'read_committed' ? 1 : 0,
        onRecord: print,
        onEnd,
        onNote: (text) => complain('tinymq consume', text),
        room: () => output.room,
      });
      await reader.run();

      function onEnd(partition: number, offset: number): void {
        if (!values.exit || !open.delete(partition)) return;
        const isLast = open.size === 0;
        if (!values.quiet && process.stderr.isTTY) {
          note(
            `Reached end of topic ${topic} [${partition}] at offset ${offset}${isLast ? ': exiting' : ''}`,
          );
        }
        if (isLast) reader.stop();
      }
    });
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    await output.end();
  }

  function print(record: ConsumedRecord): boolean {
    for (const piece of render(record)) output.write(piece);
    received++;
    return received !== values.count;
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
