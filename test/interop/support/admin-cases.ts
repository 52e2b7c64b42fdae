import { expect, it } from 'vitest';
import { type AdminStep, admin, type ClientProgram, consume, produce } from './client-program.ts';
import { numbered, record } from './records.ts';
import type { Trial } from './trial.ts';

const UNKNOWN_TOPIC_OR_PARTITION = 3;
const TOPIC_ALREADY_EXISTS = 36;
const INVALID_PARTITIONS = 37;

/** What administrators do. */
export function adminCases(client: ClientProgram, trial: () => Trial): void {
  /** Goes through the steps; what the client has no call for may be missing, and nothing else. */
  async function expectAnswers(bootstrap: string, steps: (readonly [step: AdminStep, answer: unknown])[]) {
    const answers = await admin(client, bootstrap, ...steps.map(([step]) => step));
    for (const [index, [step, answer]] of steps.entries()) {
      const expected = client.lacks.includes(step.op) ? { lacks: step.op } : answer;
      expect(answers[index], JSON.stringify(step)).toEqual(expected);
    }
  }
  const nothing = { ok: null };

  it('creates, describes, alters and deletes topics', async () => {
    const { peer, unique } = trial();
    const topic = unique('administered');
    const names = ['retention.ms', 'max.message.bytes', 'cleanup.policy'];
    await expectAnswers(peer.bootstrap, [
      [{ op: 'createTopic', topic, partitions: 2, configs: { 'retention.ms': '3600000' } }, nothing],
      [{ op: 'createTopic', topic, partitions: 2 }, { error: TOPIC_ALREADY_EXISTS }],
      [{ op: 'topics' }, { ok: expect.arrayContaining([topic]) }],
      [{ op: 'describeTopic', topic }, { ok: 2 }],
      [
        { op: 'configs', topic, names },
        { ok: { 'retention.ms': '3600000', 'max.message.bytes': '1048588', 'cleanup.policy': 'delete' } },
      ],
      [
        { op: 'alterConfigs', topic, configs: { 'retention.ms': '7200000', 'max.message.bytes': '2000000' } },
        nothing,
      ],
      [
        { op: 'configs', topic, names },
        { ok: { 'retention.ms': '7200000', 'max.message.bytes': '2000000', 'cleanup.policy': 'delete' } },
      ],
      [{ op: 'createPartitions', topic, total: 5 }, nothing],
      [{ op: 'createPartitions', topic, total: 3 }, { error: INVALID_PARTITIONS }],
      [{ op: 'describeTopic', topic }, { ok: 5 }],
      [{ op: 'deleteTopic', topic }, nothing],
      [{ op: 'deleteTopic', topic }, { error: UNKNOWN_TOPIC_OR_PARTITION }],
    ]);
  });

  it('finds offsets, also by time, and deletes records', async () => {
    const { peer, unique } = trial();
    const topic = unique('offsets');
    const base = Date.now() - 1_000_000;
    const sent = Array.from({ length: 10 }, (_, index) =>
      record({ value: `at ${index}`, partition: 0, timestamp: base + index * 1_000 }),
    );
    const at = (when: unknown) => ({ op: 'offset', topic, partition: 0, at: when });
    await produce(client, peer.bootstrap, { topic }, sent);
    const read = await consume(client, peer.bootstrap, { topic, count: sent.length });
    expect(read.map(({ timestamp }) => timestamp)).toEqual(sent.map(({ timestamp }) => timestamp));
    await expectAnswers(peer.bootstrap, [
      [at('earliest'), { ok: 0 }],
      [at('latest'), { ok: 10 }],
      [at(base), { ok: 0 }],
      [at(base + 3_000), { ok: 3 }],
      [at(base + 3_001), { ok: 4 }],
      [at(base + 9_000), { ok: 9 }],
      [{ op: 'deleteRecords', topic, partition: 0, before: 4 }, { ok: 4 }],
      [at('earliest'), { ok: client.lacks.includes('deleteRecords') ? 0 : 4 }],
      [at('latest'), { ok: 10 }],
    ]);
  });

  it('lists and describes groups, moves and deletes their offsets, and deletes them', async () => {
    const { peer, unique } = trial();
    const topic = unique('grouped');
    const group = unique('administered');
    await produce(client, peer.bootstrap, { topic }, numbered(10, 1));
    await consume(client, peer.bootstrap, { topic, group, count: 7 });
    await expectAnswers(peer.bootstrap, [
      [{ op: 'groups' }, { ok: expect.arrayContaining([group]) }],
      [{ op: 'describeGroup', group }, { ok: { state: 'Empty', members: 0 } }],
      [{ op: 'groupOffsets', group, topic }, { ok: { [`${topic}/0`]: 7 } }],
      [{ op: 'setGroupOffset', group, topic, partition: 0, offset: 2 }, nothing],
      [
        { op: 'groupOffsets', group, topic },
        { ok: { [`${topic}/0`]: client.lacks.includes('setGroupOffset') ? 7 : 2 } },
      ],
    ]);
    if (!client.lacks.includes('setGroupOffset')) {
      const [again] = await consume(client, peer.bootstrap, { topic, group, count: 8 });
      expect(again).toMatchObject({ offset: 2 });
    }
    await expectAnswers(peer.bootstrap, [
      [{ op: 'deleteGroupOffset', group, topic, partition: 0 }, nothing],
      [{ op: 'deleteGroup', group }, nothing],
      [
        { op: 'groups' },
        {
          ok: client.lacks.includes('deleteGroup') ? expect.anything() : expect.not.arrayContaining([group]),
        },
      ],
    ]);
  });
}
