import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Deliveries } from '../../pkg/client/deliveries.ts';
import { RichMessage } from '../../pkg/client/message.ts';
import { CommandRunner } from './command-runner.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tinymq-exec-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs a command for messages, and returns what became of each once all are dealt with. */
async function run(command: string, payloads: string[], { parallel = 1, retries = 0 } = {}) {
  const fates: string[] = [];
  const complaints: string[] = [];
  await new Promise<void>((resolve) => {
    const runner = new CommandRunner({
      ...{ command, parallel, retries, retryAfterMs: 1 },
      complain: (problem) => complaints.push(problem),
      pause() {},
      resume() {},
      dealtWith: (count) => count === payloads.length && resolve(),
    });
    for (const payload of payloads) runner.take(new Judged(payload, fates));
  });
  return { fates, complaints };
}

class Judged extends RichMessage {
  readonly #fates: string[];

  constructor(payload: string, fates: string[]) {
    const bytes = Buffer.from(payload);
    const settlement = new Deliveries(
      () => {},
      () => {},
    ).next();
    const extras = { properties: { headers: [['unit', 'C']] as [string, string][] }, settlement };
    super('jobs/a', 'sender', bytes, 0, bytes.length, extras);
    this.#fates = fates;
  }

  override ack(): void {
    this.#fates.push(`ack ${this.text()}`);
  }

  override reject(reason?: string): void {
    this.#fates.push(`reject ${this.text()}: ${reason}`);
  }
}

it('has the payload as input and the rest in the environment, and acknowledges', async () => {
  const file = join(folder, 'out');
  const command = `{ cat; echo " $TINYMQ_MESSAGE_TOPIC $TINYMQ_MESSAGE_CLIENT $TINYMQ_MESSAGE_QOS $TINYMQ_MESSAGE_HEADERS"; } >> ${file}`;
  expect(await run(command, ['1', '2'])).toEqual({ fates: ['ack 1', 'ack 2'], complaints: [] });
  expect(readFileSync(file, 'utf8')).toBe('1 jobs/a sender 1 {"unit":"C"}\n2 jobs/a sender 1 {"unit":"C"}\n');
});

it('is run again where it fails, and rejects its message in the end', async () => {
  const file = join(folder, 'tries');
  const { fates, complaints } = await run(`echo x >> ${file}; exit 3`, ['1'], { retries: 2 });
  expect(fates).toEqual(['reject 1: the command ended with 3']);
  expect(complaints).toHaveLength(3);
  expect(readFileSync(file, 'utf8')).toBe('x\nx\nx\n');
  const once = await run(`test -e ${file}-second || { touch ${file}-second; exit 1; }`, ['2'], {
    retries: 1,
  });
  expect(once.fates).toEqual(['ack 2']);
});

it('runs side by side as many as it may, and a message need not be read', async () => {
  // Each waits until the other is there.
  const command = `touch ${folder}/$$; while [ $(ls ${folder} | wc -l) -lt 2 ]; do sleep 0.05; done`;
  const { fates } = await run(command, ['1', '2'], { parallel: 2 });
  expect(fates.sort()).toEqual(['ack 1', 'ack 2']);
  const large = 'x'.repeat(1_000_000);
  expect((await run('true', [large])).fates).toEqual([`ack ${large}`]);
});
