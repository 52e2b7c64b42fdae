import { Producer } from '../../../internal/clients/kafka/producer.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { jsonLine } from '../../../internal/lib/printable.ts';
import { Output } from '../../cli/output.ts';
import { command, complain } from '../../cli/run-program.ts';
import { withKafka } from '../connect.ts';
import { ACKS } from '../kafka-flags.ts';
import { counted, note } from '../report.ts';
import { produceProgram } from './flags.ts';
import { messagesOf } from './messages.ts';

export const produce = command(produceProgram, async (invocation) => {
  const { values, operands, stop } = invocation;
  const [topic, ...files] = operands;
  const messages = messagesOf(values, files, process.stdin);
  const output = new Output(process.stdout);
  let count = 0;
  // What was read is still sent when somebody stops it; only before that there is nothing to lose.
  const giveUp = new AbortController();
  const endConnecting = () => giveUp.abort(stop.reason);
  stop.addEventListener('abort', endConnecting);
  await withKafka({ ...invocation, stop: giveUp.signal }, async (client) => {
    const producer = await Producer.open(client, topic, {
      acks: ACKS[values.acks],
      compression: values.compression,
      partition: values.partition,
      maxBatchBytes: values['batch-size'],
      timeoutMs: values['request-timeout'],
      onNote: (text) => complain('tinymq produce', text),
      onStored: values.json ? printPlaces : undefined,
    });
    stop.removeEventListener('abort', endConnecting);
    stop.addEventListener('abort', () => process.stdin.destroy());
    try {
      await Promise.race([produceAll(producer), producer.failed]);
      await producer.flush();
    } catch (error) {
      if (producer.unansweredCount === 0) throw error;
      throw new Failure(
        `${(error as Error).message}; ${producer.unansweredCount} messages were read and not acknowledged`,
      );
    } finally {
      process.stdin.destroy();
    }
  });
  await output.end();
  // With -json each message is told already.
  if (!values.quiet && !values.json)
    note(`Sent ${count === 0 ? 'nothing' : counted(count, 'message')} to ${topic}.`);

  async function produceAll(producer: Producer): Promise<void> {
    try {
      for await (const batch of messages) {
        for (const { key, value, headers } of batch) {
          const room = producer.add(Date.now(), key, value, headers);
          count++;
          if (room !== undefined) await room;
          if (count === values.count || stop.aborted) return;
        }
      }
    } catch (error) {
      // The input that was closed by the signal.
      if (!stop.aborted) throw error;
    }
  }

  function printPlaces(partition: number, baseOffset: number, count: number): void {
    for (let index = 0; index < count; index++) {
      const offset = baseOffset === -1 ? null : baseOffset + index;
      output.write(jsonLine({ topic, partition, offset }));
    }
  }
});
