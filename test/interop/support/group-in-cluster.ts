import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import {
  type Acknowledged,
  admin,
  type ClientProgram,
  type ConsumedRecord,
  consume,
  FailedRun,
  ProgramRun,
} from './client-program.ts';
import { record } from './records.ts';
import { unique } from './trial.ts';

const MEMBERS = 6;
const PARTITIONS = Array.from({ length: MEMBERS }, (_, partition) => partition);
/** Records of each partition that the group has read before, and committed. */
const COMMITTED = 20;
/** Longer than members take until they commit what they have. */
const LOOKS_BEFORE_ANOTHER = 10;

/**
 * A producer and a group of one client on a cluster: each record is numbered in its partition, so what is lost, comes twice or
 * lies in another place is seen.
 */
export class GroupInCluster implements AsyncDisposable {
  readonly client: ClientProgram;
  readonly topic: string;
  readonly group: string;
  /** Every broker, and one of them only: half of the programs know no other at first. */
  readonly #bootstraps: readonly [all: string, one: string];
  #producer: ProgramRun<Acknowledged> | undefined;
  readonly #members: ProgramRun<ConsumedRecord>[] = [];
  /** Records that were sent to each partition. */
  #sent = 0;

  constructor(client: ClientProgram, bootstraps: readonly [all: string, one: string]) {
    this.client = client;
    this.#bootstraps = client.needsAllBrokers ? [bootstraps[0], bootstraps[0]] : bootstraps;
    const name = client.name.replaceAll(/\W/g, '-');
    this.topic = unique(`orders-${name}`);
    this.group = unique(`workers-${name}`);
  }

  /** Begins all programs; each member has a partition then, and the group has committed something. */
  async begin(): Promise<void> {
    const { client, topic, group } = this;
    const [all, one] = this.#bootstraps;
    await admin(client, one, { op: 'createTopic', topic, partitions: PARTITIONS.length });
    this.#producer = new ProgramRun(client, one, 'produce', {
      ...{ topic, idempotent: this.#isIdempotent, isPatient: true },
    });
    await this.send(COMMITTED);
    const count = COMMITTED * PARTITIONS.length;
    await consume(client, all, { topic, group, count });
    for (let index = 0; index < MEMBERS; index++) {
      const bootstrap = this.#bootstraps[index % 2]!;
      this.#members.push(new ProgramRun(client, bootstrap, 'consume', { topic, group }));
    }
    await eventually(async () => {
      await this.sendAndReceive();
      return this.#members.every((member) => partitionsOf(member, this.#sent - 1).length === 1);
    }, `a partition for each member of ${client.name}`);
  }

  /** Sends so many records to each partition and waits until they are acknowledged. */
  async send(count: number): Promise<void> {
    const producer = this.#producer!;
    for (let index = 0; index < count; index++) {
      const value = String(this.#sent++);
      producer.send(...PARTITIONS.map((partition) => record({ value, partition })));
    }
    producer.flush();
    const lines = this.#sent * PARTITIONS.length;
    await producer.until(() => producer.lines.length === lines, `the acknowledgement of ${lines} records`);
  }

  /** Sends a record to each partition again and again, so that some are on their way whatever happens meanwhile. */
  async sendUntil(isOver: () => boolean, paceMs: number): Promise<void> {
    while (!isOver()) {
      await this.send(1);
      await pause(paceMs);
    }
  }

  /** Sends a record to each partition and waits until the group has got all of them. */
  async sendAndReceive(): Promise<void> {
    await this.send(1);
    const number = this.#sent - 1;
    const hasAll = () => this.#partitionsWith(number).size === PARTITIONS.length;
    const what = `record ${number} of every partition, at one member or another,`;
    await Promise.race(this.#members.map((member) => member.until(hasAll, what)));
  }

  /** What the group has committed, by its partition; undefined where nobody coordinates it at the moment. */
  async committed(bootstrap: string): Promise<Record<string, number> | undefined> {
    const { client, topic, group } = this;
    try {
      const [answer] = await admin(client, bootstrap, { op: 'groupOffsets', group, topic });
      return answer!.ok as Record<string, number> | undefined;
    } catch (error) {
      const isCrash = error instanceof FailedRun && error.how === 'SIGSEGV';
      if (isCrash && client.crashesWithoutCoordinator) return undefined;
      throw error;
    }
  }

  /** Nothing that was committed before came again, and nothing is missing. */
  expectAllOnceOrTwice(): void {
    for (const partition of PARTITIONS) {
      const came = this.#members.flatMap(({ lines }) => lines.filter((line) => line.partition === partition));
      const offsets = new Set(came.map(({ offset }) => offset));
      const expected = Array.from({ length: this.#sent - COMMITTED }, (_, index) => COMMITTED + index);
      expect(
        [...offsets].sort((one, other) => one - other),
        `what came of partition ${partition}`,
      ).toEqual(expected);
    }
  }

  /** Ends the members in good order: what they got is committed then, and another one goes on behind it. */
  async expectCommitted(bootstrap: string): Promise<void> {
    const { client, topic, group } = this;
    if (client.endsWhenCommitted) await this.#untilCommitted(bootstrap);
    for (const member of this.#members) await member.end();
    this.#members.length = 0;
    if (!client.lacks.includes('groupOffsets')) {
      const ends = Object.fromEntries(PARTITIONS.map((partition) => [`${topic}/${partition}`, this.#sent]));
      const committed = await eventually(
        () => this.committed(bootstrap),
        'somebody who coordinates the group',
      );
      expect(committed).toEqual(ends);
    }
    await this.send(1);
    const next = await consume(client, bootstrap, { topic, group, count: PARTITIONS.length });
    expect(next.map(({ offset }) => offset)).toEqual(PARTITIONS.map(() => this.#sent - 1));
  }

  async #untilCommitted(bootstrap: string): Promise<void> {
    let looks = 0;
    await eventually(async () => {
      const committed = await this.committed(bootstrap);
      if (committed !== undefined && Object.values(committed).every((offset) => offset === this.#sent))
        return true;
      // A commit that failed comes again with the next record only, at some (platformatic-kafka).
      if (++looks % LOOKS_BEFORE_ANOTHER === 0) await this.sendAndReceive();
      return false;
    }, 'the last commit');
  }

  /** What was acknowledged lies where its producer was told, once and in order, also for a reader at another node. */
  async expectStored(reader: ClientProgram, bootstrap: string): Promise<void> {
    const producer = this.#producer!;
    const acknowledged = await producer.end();
    const { topic } = this;
    const group = unique('readers');
    const read = await consume(reader, bootstrap, { topic, group, count: acknowledged.length });
    for (const partition of PARTITIONS) {
      const values = read.filter((line) => line.partition === partition).map(numberIn);
      const told = acknowledged.filter((line) => line.partition === partition);
      if (this.#isIdempotent) {
        expect(values, `the values of partition ${partition}`).toEqual(numbersBelow(this.#sent));
        expect(told.map(({ offset }) => offset)).toEqual(values);
      } else {
        for (const [number, { offset }] of told.entries()) expect(values[offset]).toBe(number);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#producer, ...this.#members].map((run) => run?.kill()));
  }

  get #isIdempotent(): boolean {
    return this.client.canBeIdempotent && this.client.losesSequences !== true;
  }

  #partitionsWith(number: number): Set<number> {
    return new Set(this.#members.flatMap((member) => partitionsOf(member, number)));
  }
}

function numbersBelow(count: number): number[] {
  return Array.from({ length: count }, (_, number) => number);
}

function numberIn({ value }: ConsumedRecord): number {
  return Number(Buffer.from(value!, 'base64').toString());
}

/** Of which partitions a member got the record with this number. */
function partitionsOf({ lines }: ProgramRun<ConsumedRecord>, number: number): number[] {
  const found = lines.filter((line) => numberIn(line) === number);
  return [...new Set(found.map(({ partition }) => partition))];
}
