import { factsOf } from '../../internal/cluster/messages.ts';
import { batchesOf } from '../../internal/cluster/packed-batches.ts';
import { Shard } from '../../internal/cluster/shard.ts';
import type { Writer, WriterParts } from '../../internal/cluster/shard-writer.ts';
import { FakeJetStream, Machine, World } from './fake-jetstream.ts';

const NODES = 3;
const PARTITIONS = 3;
/** How long things go wrong. */
const TROUBLE_MS = 40_000;

/** What became of one schedule. */
export interface Simulated {
  /** What must not be, in words; empty if all is well. */
  problems: string[];
  acknowledged: number;
  /** Appends that were refused, or of which nothing was heard. */
  unacknowledged: number;
  owners: number;
}

interface Acknowledged {
  partition: number;
  baseOffset: number;
}

/** One schedule: nodes that share a shard, append to it, pause, die and claim it whenever they like, on a stream that behaves badly. */
export async function simulate(
  seed: number,
  makeWriter?: (parts: WriterParts) => Writer,
): Promise<Simulated> {
  const world = new World(seed);
  const { chance } = world;
  const stream = new FakeJetStream(world);
  const acknowledged = new Map<string, Acknowledged>();
  let appended = 0;
  let lastNode = 0;

  function begin() {
    const machine = new Machine(world);
    const node = ++lastNode;
    const shard = new Shard({
      ...{ node, clock: machine, stream: stream.reachedBy(machine), makeWriter },
      events: { applied() {}, ownership() {} },
    });
    shard.follow();
    return { machine, shard };
  }

  function append(shard: Shard): void {
    const partition = chance.below(PARTITIONS);
    const baseOffset = shard.endOf(partition).nextOffset;
    const count = 1 + chance.below(3);
    const name = `batch ${++appended}`;
    const batch = { baseOffset, lastOffset: baseOffset + count - 1, count, maxTimestamp: appended };
    shard.append(partition, { ...batch, bytes: Buffer.from(name) }).then(
      () => acknowledged.set(name, { partition, baseOffset }),
      () => {},
    );
  }

  const nodes = Array.from({ length: NODES }, begin);
  /** Now and then until the trouble ends. */
  function often(everyMs: number, happen: () => void): void {
    world.after(chance.between(0, 2 * everyMs), () => {
      happen();
      if (world.nowMs < TROUBLE_MS) often(everyMs, happen);
    });
  }
  const anyNode = () => nodes[chance.below(NODES)];
  const haste = chance.between(0.3, 3);
  often(150 * haste, () => {
    for (const { machine, shard } of nodes) {
      machine.happens(() => {
        if (shard.leader !== 'here') return;
        for (let more = chance.below(4); more > 0; more--) append(shard);
      });
    }
  });
  often(1_500 * haste, () => {
    const { machine, shard } = anyNode();
    machine.happens(() => shard.claim());
  });
  often(6_000 * haste, () => anyNode().machine.pause(chance.between(100, 12_000)));
  often(8_000 * haste, () => stream.changeLeader());
  often(15_000 * haste, () => {
    const { machine, shard } = anyNode();
    machine.happens(() => shard.stepDown());
  });
  often(20_000 * haste, () => {
    const index = chance.below(NODES);
    nodes[index].machine.isDead = true;
    nodes[index] = begin();
  });
  world.after(TROUBLE_MS, () => {
    stream.isWell = true;
  });
  await world.run();
  const states = nodes.map(({ shard }) => shard.state);
  const behind = states.filter(({ applied }) => applied !== stream.stored.length);
  return {
    problems: [
      ...problemsOf(stream, acknowledged),
      ...behind.map(({ applied }) => `a node knows ${applied} of ${stream.stored.length} messages`),
    ],
    acknowledged: acknowledged.size,
    unacknowledged: appended - acknowledged.size,
    owners: stream.stored.filter(({ subject }) => subject === 'm').length,
  };
}

/** Reads all that is stored and compares it with what was promised. */
function problemsOf(stream: FakeJetStream, acknowledged: ReadonlyMap<string, Acknowledged>): string[] {
  const problems: string[] = [];
  const found = new Map<string, Acknowledged>();
  const ends = new Map<number, number>();
  let epoch = 0;
  for (const message of stream.stored) {
    const facts = factsOf(message)!;
    if (facts.kind === 'marker' && facts.number === 0) {
      if (facts.epoch <= epoch)
        problems.push(`a marker of epoch ${facts.epoch} comes behind one of ${epoch}`);
      epoch = facts.epoch;
      continue;
    }
    if (facts.epoch !== epoch) {
      problems.push(`${message.sequence}: epoch ${facts.epoch} wrote behind the marker of epoch ${epoch}`);
    }
    if (facts.kind !== 'batch') continue;
    const { partition } = facts;
    for (const { bytes, baseOffset, lastOffset } of batchesOf(facts, message.body)) {
      const name = Buffer.from(bytes).toString();
      const end = ends.get(partition) ?? 0;
      if (baseOffset !== end) problems.push(`${name} is at offset ${baseOffset}, where ${end} comes next`);
      ends.set(partition, lastOffset + 1);
      if (found.has(name)) problems.push(`${name} is stored twice`);
      found.set(name, { partition, baseOffset });
    }
  }
  for (const [name, { partition, baseOffset }] of acknowledged) {
    const place = found.get(name);
    if (place === undefined) problems.push(`${name} was acknowledged and is lost`);
    else if (place.partition !== partition || place.baseOffset !== baseOffset)
      problems.push(`${name} has moved`);
  }
  return problems;
}
