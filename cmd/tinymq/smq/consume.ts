import type { SmqClient } from '../../../internal/clients/smq/client.ts';
import { encodeEnveloped } from '../../../internal/protocol/grpc/write-message.ts';
import { ConsumeRequest, ConsumeResponse } from '../../../internal/protocol/smq/smq.ts';
import { UsageError } from '../../cli/options/program.ts';
import { Output } from '../../cli/output.ts';
import { command } from '../../cli/run-program.ts';
import { withSmq } from './connect.ts';
import { smqConsumeProgram } from './flags.ts';
import { earliestOffset, FIRST_OFFSET, latestOffset } from './offsets.ts';
import { rendererOf } from './render.ts';

/** The offset of a response that says no more than that the server is there. */
const HEARTBEAT_OFFSET = -1n;

export const consume = command(smqConsumeProgram, async (invocation) => {
  const { values, operands, stop } = invocation;
  const [topic] = operands;
  const start = startOf(values.from);
  const render = rendererOf(values, process.stdout.isTTY);
  const output = new Output(process.stdout);
  try {
    await withSmq(invocation, consumeWith);
  } catch (error) {
    if (!stop.aborted || error !== stop.reason) throw error;
  } finally {
    await output.end();
  }

  async function consumeWith(client: SmqClient): Promise<void> {
    const end = values.exit ? ((await latestOffset(client, topic)) ?? 0) : Number.POSITIVE_INFINITY;
    const from = await offsetOf(client, topic, start);
    if (from > end) return;
    let received = 0;
    const call = client.open('StreamConsume', ConsumeResponse, ({ message, offset }) => {
      if (offset === HEARTBEAT_OFFSET) {
        // There is nothing more, even where what had the last offset is no message.
        if (values.exit) call.cancel();
        return;
      }
      if (offset > end) {
        call.cancel();
        return;
      }
      for (const piece of render({ topic, message, offset })) output.write(piece);
      received++;
      const { room } = output;
      if (received === values.count || Number(offset) === end) call.cancel();
      else if (room !== undefined) call.waitFor(room);
    });
    call.write(encodeEnveloped(ConsumeRequest, { topic, offset: from }));
    call.halfClose();
    await client.watch(call);
  }
});

type Start = 'beginning' | 'end' | number;

/** @throws UsageError */
function startOf(text: string): Start {
  if (text === 'beginning' || text === 'end') return text;
  const offset = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(offset)) {
    throw new UsageError(`-from is beginning, end or an offset, not '${text}'`);
  }
  return offset;
}

async function offsetOf(client: SmqClient, topic: string, start: Start): Promise<number> {
  if (typeof start === 'number') return start;
  if (start === 'beginning') return (await earliestOffset(client, topic)) ?? FIRST_OFFSET;
  // Where nothing is there, whatever comes first is behind the end.
  return ((await latestOffset(client, topic)) ?? 0) + 1;
}
