import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import type { MessageForm } from '../../../internal/admin/message-form.ts';
import { importRetained } from '../../../internal/admin/operations/retained.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { systemReason } from '../../../internal/lib/system-reason.ts';
import { maxAdminRequestBytes } from '../../../internal/limits/access.ts';
import { maxImportedMessages } from '../../../internal/limits/admin.ts';
import { command } from '../../cli/run-program.ts';
import { linesOf } from '../../publisher/lines.ts';
import { report } from '../access/output.ts';
import { Progress } from '../import/progress.ts';
import { withBroker } from '../reach/reach.ts';
import { counted } from '../report.ts';
import { retainedImportProgram } from './flags.ts';

/** Characters of the messages of one request: little enough for a broker that has other work. */
const REQUEST_CHARACTERS = 4_000_000;

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
  let line = 0;
  let characters = 0;
  for await (const bytes of readable(file)) {
    const message = messageOf(bytes, `${file}, line ${line + 1}`);
    const isFull = messages.length >= maxImportedMessages || characters + bytes.length > REQUEST_CHARACTERS;
    if (isFull && messages.length > 0) {
      yield { messages, firstLine, lastLine: line };
      [messages, characters, firstLine] = [[], 0, line + 1];
    }
    line++;
    messages.push(message);
    characters += bytes.length;
  }
  if (messages.length > 0) yield { messages, firstLine, lastLine: line };
}

async function* readable(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* linesOf(createReadStream(file), maxAdminRequestBytes);
  } catch (error) {
    if (error instanceof Failure) throw new Failure(`${file}: a line is longer than a broker takes`);
    throw new Failure(`cannot read ${file}: ${systemReason(error)}`);
  }
}

/** What is in it is judged by the broker. */
function messageOf(line: Uint8Array, place: string): MessageForm {
  try {
    const value: unknown = isUtf8(line) && JSON.parse(Buffer.from(line).toString());
    if (typeof value === 'object' && value !== null) return value as MessageForm;
  } catch {
    // It is told below.
  }
  throw new Failure(`${place}: it is no JSON object in UTF-8`);
}
