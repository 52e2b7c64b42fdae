import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { eventually } from '../../support/eventually.ts';

/**
 * A Kafka client, as a program with three verbs that speak JSON lines, so that one suite tries all clients.
 * `BOOTSTRAP` names brokers (`host:port`, between commas), the first argument the verb, the second one its options as
 * JSON. A program sets no option of its client that it was not asked to set, but for what makes it stop in time.
 *
 * - `produce` sends the records that it reads. At an empty line and at the end of the input it waits until all are
 *   acknowledged, and prints where each one went.
 * - `consume` prints the records that come, until it has `count` of them (then it commits, if it is in a group) or its
 *   input ends. Either way it leaves in good order.
 * - `admin` reads steps and prints the answer to each: `{ok}`, `{error: code}`, or `{lacks}` if the client has no such
 *   call.
 */
export interface ClientProgram {
  /** As its users call it, with the version. */
  readonly name: string;
  readonly command: readonly string[];
  readonly env?: Record<string, string>;
  readonly compressions: readonly string[];
  readonly canBeIdempotent: boolean;
  /** Its idempotent producer fails by itself, at times, when it has to send again (IBM/sarama issue 3354). */
  readonly losesSequences?: boolean;
  /**
   * Its admin crashes where it asks for the offsets of a group and hears that another broker coordinates it now, or none: it tells the
   * group that a consumer is in, and an admin is in none (confluentinc/confluent-kafka-javascript issue 374; librdkafka 2.16).
   */
  readonly crashesWithoutCoordinator?: boolean;
  /** It asks no other brokers for metadata than those that it was given. */
  readonly needsAllBrokers?: boolean;
  /**
   * It is ended when it has committed what it has read: what is left is read again by another one (kafkajs), it asks its last
   * coordinator for ever where that has gone and it has not yet found the next one (aiokafka), or fails (platformatic-kafka), or it
   * commits once when it ends, to whoever that is (librdkafka).
   */
  readonly endsWhenCommitted?: boolean;
  /** It gives its users null where there was nothing in a key, a value or a header. */
  readonly readsEmptyAsNull?: boolean;
  /** The admin calls that it does not have. */
  readonly lacks: readonly string[];
}

/** Bytes are in base64. */
export interface InteropRecord {
  key: string | null;
  value: string | null;
  headers: [name: string, value: string | null][];
  /** Where it must go; the client's own partitioner without it. */
  partition?: number;
  /** In milliseconds since 1970; now, without it. */
  timestamp?: number;
}

export interface ConsumedRecord extends InteropRecord {
  partition: number;
  offset: number;
  timestamp: number;
}

/** Where a record went. */
export interface Acknowledged {
  partition: number;
  offset: number;
}

export interface ProduceOptions {
  topic: string;
  compression?: string;
  idempotent?: boolean;
  /** Tries again for as long as a broker may take to be replaced, where the client gives up earlier by itself. */
  isPatient?: boolean;
  /** Raises the client's own limits to this. */
  maxBytes?: number;
}

export interface ConsumeOptions {
  topic: string;
  group?: string;
  count?: number;
  /** Raises the client's own limits to this. */
  maxBytes?: number;
}

export type AdminStep = { op: string } & Record<string, unknown>;

/** A run that does not end has hung; clients wait for half a minute or more before they give up by themselves. */
const RUN_PATIENCE_MS = 55_000;

/** Of tests nothing is to be known: kafkajs gives up after a second, and not after ten, where this says `test`. */
const NO_TEST = { NODE_ENV: undefined };

/** How a program ended that should have ended in good order. */
export class FailedRun extends Error {
  /** The exit code, or the name of the signal. */
  readonly how: number | string | null;

  constructor(what: string, how: number | string | null, stderr: string) {
    super(`${what} ended with ${how}: ${stderr}`);
    this.how = how;
  }
}

/** A client program that is running. */
export class ProgramRun<Line> implements AsyncDisposable {
  /** What it printed so far. */
  readonly lines: Line[] = [];
  readonly #child: ChildProcess;
  readonly #what: string;
  readonly #ended: Promise<number | string | null>;
  #stderr = '';
  #end: number | string | null | undefined;

  constructor(client: ClientProgram, bootstrap: string, verb: string, options: object) {
    const [command, ...args] = [...client.command, verb, JSON.stringify(options)];
    this.#what = `${client.name}: ${verb} ${JSON.stringify(options)}`;
    const env = { ...process.env, ...NO_TEST, ...client.env, BOOTSTRAP: bootstrap };
    this.#child = spawn(command, args, { env });
    this.#child.stdin!.on('error', () => {});
    this.#child.stderr!.setEncoding('utf8').on('data', (text) => {
      this.#stderr = (this.#stderr + text).slice(-20_000);
    });
    const lines = createInterface({ input: this.#child.stdout! });
    lines.on('line', (line) => {
      this.lines.push(JSON.parse(line) as Line);
    });
    const read = new Promise((resolve) => lines.once('close', resolve));
    this.#ended = new Promise((resolve) => {
      const end = async (how: number | string | null) => {
        await read;
        this.#end = how;
        resolve(how);
      };
      this.#child.once('close', (code, signal) => end(signal ?? code));
      this.#child.once('error', (error) => end(error.message));
    });
  }

  /** Gives it more input, and at an empty line a reason to answer. */
  send(...inputs: object[]): void {
    this.#child.stdin!.write(`${inputs.map((each) => `${JSON.stringify(each)}\n`).join('')}`);
  }

  flush(): void {
    this.#child.stdin!.write('\n');
  }

  /** Waits for something that it prints; fails at once if it ends before. */
  async until<T>(look: () => T | undefined | false, what: string): Promise<T> {
    const found = await eventually(() => {
      const there = look();
      return there !== undefined && there !== false ? { there } : this.#end !== undefined && 'ended';
    }, `${what} of ${this.#what} (${this.lines.length} lines so far; ${this.#stderr})`);
    if (found === 'ended')
      throw new Error(`${this.#what} ended with ${this.#end} before ${what}: ${this.#stderr}`);
    return found.there;
  }

  /** Ends its input and waits until it has ended too. Throws what it said if it failed. */
  async end(): Promise<Line[]> {
    this.#child.stdin!.end();
    const patience = setTimeout(() => this.#child.kill('SIGKILL'), RUN_PATIENCE_MS);
    const how = await this.#ended;
    clearTimeout(patience);
    if (how !== 0) throw new FailedRun(this.#what, how, this.#stderr);
    return this.lines;
  }

  /** Ends it at once, without a word to the broker. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** Sends records and waits until all are acknowledged. */
export async function produce(
  client: ClientProgram,
  bootstrap: string,
  options: ProduceOptions,
  records: readonly InteropRecord[],
): Promise<Acknowledged[]> {
  await using run = new ProgramRun<Acknowledged>(client, bootstrap, 'produce', options);
  run.send(...records);
  return await run.end();
}

/** Reads so many records from the beginning, or from where the group is. */
export async function consume(
  client: ClientProgram,
  bootstrap: string,
  options: ConsumeOptions & { count: number },
): Promise<ConsumedRecord[]> {
  await using run = new ProgramRun<ConsumedRecord>(client, bootstrap, 'consume', options);
  await run.until(() => run.lines.length >= options.count, `${options.count} records`);
  return await run.end();
}

/** Goes through the steps and returns the answers. */
export async function admin(
  client: ClientProgram,
  bootstrap: string,
  ...steps: AdminStep[]
): Promise<Record<string, unknown>[]> {
  await using run = new ProgramRun<Record<string, unknown>>(client, bootstrap, 'admin', {});
  run.send(...steps);
  return await run.end();
}
