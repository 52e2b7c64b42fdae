import type { Call } from '../../../internal/clients/smq/call.ts';
import type { SmqClient } from '../../../internal/clients/smq/client.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { jsonLine } from '../../../internal/lib/printable.ts';
import { encodeEnveloped } from '../../../internal/protocol/grpc/write-message.ts';
import { ProduceRequest, ProduceResponse } from '../../../internal/protocol/smq/smq.ts';
import { command } from '../../cli/run-program.ts';
import { counted, reporter } from '../report.ts';
import { withSmq } from './connect.ts';
import { smqProduceProgram } from './flags.ts';
import { payloadsOf } from './payloads.ts';

export const produce = command(smqProduceProgram, async (invocation) => {
  const { values, operands, stop } = invocation;
  const [topic, ...files] = operands;
  const payloads = payloadsOf(values, files, process.stdin);
  // What was read is still sent when somebody stops it; only before that there is nothing to lose.
  const giveUp = new AbortController();
  const endConnecting = () => giveUp.abort(stop.reason);
  stop.addEventListener('abort', endConnecting);
  const { messages, lastOffset } = await withSmq({ ...invocation, stop: giveUp.signal }, (client) => {
    stop.removeEventListener('abort', endConnecting);
    stop.addEventListener('abort', () => process.stdin.destroy());
    return produceAll(client);
  });
  if (values.json) process.stdout.write(jsonLine({ topic, messages, lastOffset }));
  else reporter(values.quiet)(summaryOf(messages, topic, lastOffset));

  async function produceAll(client: SmqClient): Promise<{ messages: number; lastOffset: number | null }> {
    let messages = 0;
    let lastOffset: number | null = null;
    const call = client.open('StreamProduce', ProduceResponse, ({ offset }) => {
      lastOffset = Number(offset);
    });
    try {
      // The call ends by itself only where the server refuses: then there is no point in reading on.
      await Promise.race([sendAll(call), call.ended]);
      call.halfClose();
      await client.watch(call);
    } catch (error) {
      if (messages === 0) throw error;
      throw new Failure(
        `${(error as Error).message}; ${counted(messages, 'message')} sent and not acknowledged`,
      );
    } finally {
      process.stdin.destroy();
    }
    return { messages, lastOffset: messages === 0 ? null : lastOffset };

    async function sendAll(call: Call<typeof ProduceResponse>): Promise<void> {
      try {
        for await (const some of payloads) {
          for (const message of some) {
            const room = call.write(encodeEnveloped(ProduceRequest, { topic, message }));
            messages++;
            if (room !== undefined) await room;
            if (messages === values.count || stop.aborted) return;
          }
        }
      } catch (error) {
        // The input that was closed by the signal.
        if (!stop.aborted) throw error;
      }
    }
  }
});

function summaryOf(messages: number, topic: string, lastOffset: number | null): string {
  if (lastOffset === null) return `Sent nothing to ${topic}.`;
  return `Sent ${counted(messages, 'message')} to ${topic}; the last has offset ${lastOffset}.`;
}
