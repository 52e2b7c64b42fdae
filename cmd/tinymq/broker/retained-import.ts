import type { MessageForm } from '../../../internal/admin/message-form.ts';
import { importRetained } from '../../../internal/admin/operations/retained.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { maxImportedMessages } from '../../../internal/limits/admin.ts';
import { command } from '../../cli/run-program.ts';
import { report } from '../access/output.ts';
import { Progress } from '../import/progress.ts';
import { withBroker } from '../reach/reach.ts';
import { counted } from '../report.ts';
import { retainedImportProgram } from './flags.ts';
import { jsonLinesOf, REQUEST_CHARACTERS } from './json-lines.ts';

interface Batch {
  readonly messages: MessageForm[];
  readonly firstLine: number;
  readonly lastLine: number;
}

export const importRetainedMessages = command(retainedImportProgram, async (invocation) => {
  const file = invocation.operands[0]!;
  const progress = new Progress(process.stderr, invocation.values.quiet);
  const done = { imported: 0, expired: 0 };
  await withBroker(invocation, async (broker) => {
    for await (const { messages, firstLine, lastLine } of batchesOf(file)) {
      invocation.stop.throwIfAborted();
      try {
        const { imported, expired } = await broker.call(importRetained, { messages });
        done.imported += imported;
        done.expired += expired;
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        throw new Failure(`${file}, lines ${firstLine} to ${lastLine}: ${error.message}`);
      }
      progress.tell(() => `${done.imported} messages`);
    }
  }).finally(() => progress.end());
  const left = done.expired === 0 ? '' : `; ${done.expired} had expired`;
  report(
    invocation.values,
    { file, ...done },
    `Published ${counted(done.imported, 'retained message')}${left}.`,
  );
});

/** @throws Failure where a line is no message, or the file cannot be read. */
async function* batchesOf(file: string): AsyncGenerator<Batch> {
  let messages: MessageForm[] = [];
  let firstLine = 1;
  let lastLine = 0;
  let characters = 0;
  for await (const { value, number, bytes } of jsonLinesOf(file)) {
    const isFull = messages.length >= maxImportedMessages || characters + bytes > REQUEST_CHARACTERS;
    if (isFull && messages.length > 0) {
      yield { messages, firstLine, lastLine };
      [messages, characters, firstLine] = [[], 0, number];
    }
    messages.push(value as MessageForm);
    characters += bytes;
    lastLine = number;
  }
  if (messages.length > 0) yield { messages, firstLine, lastLine };
}
