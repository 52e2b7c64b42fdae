import { SmqRefusal } from '../../../internal/clients/smq/refusal.ts';
import { jsonLine } from '../../../internal/lib/printable.ts';
import * as smq from '../../../internal/protocol/smq/smq.ts';
import { UsageError } from '../../cli/options/program.ts';
import { command } from '../../cli/run-program.ts';
import { failTogether, reporter } from '../report.ts';
import { tableText } from '../table.ts';
import { withSmq } from './connect.ts';
import { smqTopicsCreateProgram, smqTopicsDeleteUntilProgram, smqTopicsShowProgram } from './flags.ts';
import { earliestOffset, latestOffset } from './offsets.ts';

export const createTopics = command(smqTopicsCreateProgram, async (invocation) => {
  const report = reporter(invocation.values.quiet);
  const types = { request: smq.CreateTopicRequest, response: smq.CreateTopicResponse };
  await withSmq(invocation, (client) =>
    forEach(invocation.operands, async (topic) => {
      await client.unary('CreateTopic', types, { topic });
      report(`Topic ${topic} is there.`);
    }),
  );
});

export const showTopics = command(smqTopicsShowProgram, async (invocation) => {
  const { values, operands } = invocation;
  await withSmq(invocation, async (client) => {
    const rows: [topic: string, earliest: number | undefined, latest: number | undefined][] = [];
    try {
      await forEach(operands, async (topic) => {
        rows.push([topic, await earliestOffset(client, topic), await latestOffset(client, topic)]);
      });
    } finally {
      if (rows.length > 0) process.stdout.write(values.json ? rows.map(jsonRow).join('') : tableOf(rows));
    }
  });
});

export const deleteUntil = command(smqTopicsDeleteUntilProgram, async (invocation) => {
  const [topic, text] = invocation.operands;
  const offset = offsetOf(text);
  const types = { request: smq.DeleteUntilOffsetRequest, response: smq.DeleteUntilOffsetResponse };
  await withSmq(invocation, (client) => client.unary('DeleteUntilOffset', types, { topic, offset }));
  reporter(invocation.values.quiet)(`Deleted the messages of ${topic} up to offset ${offset}.`);
});

/** Does the same for each topic once; one that is refused does not hold up the others. @throws Failure */
async function forEach(topics: readonly string[], work: (topic: string) => Promise<void>): Promise<void> {
  const refusals: SmqRefusal[] = [];
  for (const topic of new Set(topics)) {
    try {
      await work(topic);
    } catch (error) {
      if (!(error instanceof SmqRefusal)) throw error;
      refusals.push(error);
    }
  }
  failTogether(refusals);
}

type Row = readonly [topic: string, earliest: number | undefined, latest: number | undefined];

function tableOf(rows: readonly Row[]): string {
  return tableText([{ title: 'TOPIC' }, { title: 'EARLIEST-OFFSET' }, { title: 'LATEST-OFFSET' }], rows);
}

function jsonRow([topic, earliest = null, latest = null]: readonly [
  topic: string,
  earliest?: number | null,
  latest?: number | null,
]): string {
  return jsonLine({ topic, earliestOffset: earliest, latestOffset: latest });
}

/** @throws UsageError */
function offsetOf(text: string): number {
  const offset = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(offset)) throw new UsageError(`OFFSET is a whole number, not '${text}'`);
  return offset;
}
