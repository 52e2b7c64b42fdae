import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import type {
  AdminStep,
  ConsumeOptions,
  InteropRecord,
  ProduceOptions,
} from '../../support/client-program.ts';

/** Gets a package from where the tests installed it. */
export const requireInstalled = createRequire(process.env.PACKAGES!);

/** Where brokers are. */
export const bootstrap = process.env.BOOTSTRAP!.split(',');

/** What a Node client does for each verb. */
export interface Verbs {
  produce(options: ProduceOptions): Promise<void>;
  consume(options: ConsumeOptions): Promise<void>;
  admin(): Promise<void>;
}

/** Runs the verb that was asked for, and ends, whatever the client still keeps open. */
export async function main(verbs: Verbs): Promise<void> {
  const [verb, options] = process.argv.slice(2) as [keyof Verbs, string];
  await verbs[verb](JSON.parse(options));
  await new Promise((resolve) => process.stdout.write('', resolve));
  process.exit(0);
}

export function emit(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** The records up to each empty line, and those up to the end. */
export async function* batches<Line = InteropRecord>(): AsyncGenerator<Line[]> {
  let batch: Line[] = [];
  for await (const line of createInterface({ input: process.stdin })) {
    if (line !== '') {
      batch.push(JSON.parse(line));
      continue;
    }
    yield batch;
    batch = [];
  }
  yield batch;
}

export type Answers = Record<string, (step: AdminStep & Step) => Promise<unknown>>;

/** What steps have beside their name. */
export interface Step {
  topic: string;
  group: string;
  partition: number;
  partitions: number;
  total: number;
  offset: number;
  before: number;
  configs?: Record<string, string>;
  names: string[];
  at: 'earliest' | 'latest' | number;
}

/** Answers each step. */
export async function steps(answers: Answers, codeOf: (error: unknown) => unknown): Promise<void> {
  for await (const batch of batches<AdminStep & Step>()) {
    for (const step of batch) {
      const answer = answers[step.op];
      if (answer === undefined) {
        emit({ lacks: step.op });
        continue;
      }
      try {
        emit({ ok: (await answer(step)) ?? null });
      } catch (error) {
        emit({ error: codeOf(error) });
      }
    }
  }
}

/** Resolves when the input has ended. */
export function inputEnded(): Promise<void> {
  return new Promise((resolve) => process.stdin.resume().once('end', resolve));
}

export function decoded(text: string | null): Buffer | null {
  return text === null ? null : Buffer.from(text, 'base64');
}

export function encoded(bytes: Buffer | null | undefined): string | null {
  return bytes?.toString('base64') ?? null;
}
