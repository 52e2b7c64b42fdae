import { BulkRetrieveRequest, BulkRetrieveResponse } from '../../../internal/protocol/smq/smq.ts';
import { Output } from '../../cli/output.ts';
import { command } from '../../cli/run-program.ts';
import { withSmq } from './connect.ts';
import { smqBulkProgram } from './flags.ts';
import { rendererOf } from './render.ts';

/** For BulkRetrieve, what is not positive is all. */
const ALL = 0;

export const bulk = command(smqBulkProgram, async (invocation) => {
  const { values, operands } = invocation;
  const [topic] = operands;
  const render = rendererOf(values, process.stdout.isTTY);
  const types = { request: BulkRetrieveRequest, response: BulkRetrieveResponse };
  // The service gives what lies behind an offset.
  const request = { topic, startOffset: values.from - 1, limit: values.count ?? ALL };
  const { messages } = await withSmq(invocation, (client) => client.unary('BulkRetrieve', types, request));
  const output = new Output(process.stdout);
  for (const { message, offset } of messages) {
    for (const piece of render({ topic, message, offset })) output.write(piece);
    await output.room;
  }
  await output.end();
});
