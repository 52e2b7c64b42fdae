import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningBroker, startBroker } from '../../../pkg/embed/index.ts';
import { runTinymq } from '../../../test/support/tinymq-program.ts';

let broker: RunningBroker;

beforeAll(async () => {
  broker = await startBroker({ memory: true, kafka: { listen: ['tcp://127.0.0.1:0'] } });
});
afterAll(() => broker.close());

function topics(...args: string[]) {
  return runTinymq(['topics', ...args, '-address', broker.url.slice('tcp://'.length)]);
}

describe('tinymq topics', () => {
  it('creates a topic with partitions and settings, and shows it as Kafka does', async () => {
    const created = await topics('create', 'orders', '-partitions', '2', '-config', 'retention.ms=5000');
    expect(created).toEqual({ code: 0, out: 'Created topic orders.\n', errors: '' });
    const { code, out } = await topics('describe', 'orders');
    expect(code).toBe(0);
    expect(out.replace(/TopicId: [\w-]{22}/, 'TopicId: ID').split('\n')).toEqual([
      'Topic: orders\tTopicId: ID\tPartitionCount: 2\tReplicationFactor: 1\tConfigs: retention.ms=5000',
      expect.stringMatching(
        /^\tTopic: orders\tPartition: 0\tLeader: 1\tReplicas: 1\tIsr: 1\tElr: \tLastKnownElr: \tFirstOffset: 0\tEndOffset: 0\tMessages: 0\tBytes: 0$/,
      ),
      expect.stringMatching(
        /^\tTopic: orders\tPartition: 1\tLeader: 1\tReplicas: 1\tIsr: 1\tElr: \tLastKnownElr: \tFirstOffset: 0\tEndOffset: 0\tMessages: 0\tBytes: 0$/,
      ),
      '',
    ]);
  });

  it('shows offsets, counts and sizes', async () => {
    await topics('create', 'filled', '-partitions', '2');
    const address = ['-address', `kafka://${broker.url.slice('tcp://'.length)}`];
    await runTinymq(['produce', 'filled', '-partition', '1', ...address], 'a\nb\nc\n');
    const text = await topics('describe', 'filled');
    expect(text.out).toMatch(
      /Partition: 1\t.*\tFirstOffset: 0\tEndOffset: 3\tMessages: 3\tBytes: [1-9]\d*$/m,
    );
    const [empty, full] = JSON.parse((await topics('describe', 'filled', '-json')).out).partitions;
    expect(empty).toMatchObject({ firstOffset: 0, endOffset: 0, messages: 0, bytes: 0 });
    expect(full).toMatchObject({ firstOffset: 0, endOffset: 3, messages: 3, bytes: expect.any(Number) });
  });

  it('does not create it twice, unless that is no mistake', async () => {
    await topics('create', 'twice', '-quiet');
    const [again, tolerant] = await Promise.all([
      topics('create', 'twice'),
      topics('create', 'twice', '-if-not-exists'),
    ]);
    expect(again).toMatchObject({ code: 1, out: '' });
    expect(again.errors).toMatch(
      /^tinymq topics create: topic 'twice': TOPIC_ALREADY_EXISTS: .*-if-not-exists/,
    );
    expect(tolerant).toEqual({ code: 0, out: 'Topic twice is there already.\n', errors: '' });
  });

  it('changes partitions and settings', async () => {
    await topics('create', 'changing', '-config', 'retention.ms=1', '-config', 'max.message.bytes=2000');
    const changed = await topics(
      ...['alter', 'changing', '-partitions', '3'],
      ...['-config', 'retention.ms=7000', '-delete-config', 'max.message.bytes'],
    );
    expect(changed.out).toBe(
      'Changed retention.ms, max.message.bytes of topic changing.\nTopic changing has 3 partitions now.\n',
    );
    const { out } = await topics('describe', 'changing', '-json');
    expect(JSON.parse(out)).toMatchObject({
      topic: 'changing',
      partitionCount: 3,
      replicationFactor: 1,
      configs: { 'retention.ms': '7000' },
      partitions: [{ partition: 0, leader: 1 }, { partition: 1 }, { partition: 2 }],
    });
    expect(JSON.parse(out).configs).not.toHaveProperty('max.message.bytes');
  });

  it('lists topics by name, and deletes them', async () => {
    await topics('create', 'b');
    await topics('create', 'a');
    expect((await topics('list')).out).toMatch(/^a\nb\n/);
    const deleted = await topics('delete', 'b', 'nothing', 'a');
    expect(deleted.code).toBe(1);
    expect(deleted.out.split('\n').sort()).toEqual(['', 'Deleted topic a.', 'Deleted topic b.']);
    expect(deleted.errors).toContain("topic 'nothing': UNKNOWN_TOPIC_OR_PARTITION");
    expect(await topics('delete', 'nothing', '-if-exists', '-quiet')).toEqual({
      code: 0,
      out: '',
      errors: '',
    });
    const listed = (await topics('list', '-json')).out.split('\n').filter((line) => line !== '');
    const names = listed.map((line) => JSON.parse(line).topic);
    expect(names).not.toContain('a');
  });

  it.each<[string[], number, RegExp]>([
    [
      ['describe', 'nothing'],
      1,
      /^tinymq topics describe: topic 'nothing': UNKNOWN_TOPIC_OR_PARTITION \('tinymq/,
    ],
    [['create', 'a b'], 1, /^tinymq topics create: topic 'a b': INVALID_TOPIC_EXCEPTION: /],
    [['create', 'x', '-config', 'nonsense=1'], 1, /INVALID_CONFIG: .*nonsense/],
    [
      ['create', 'x', '-config', 'nonsense'],
      2,
      /-config 'nonsense' is not NAME=VALUE \(see tinymq topics create -help/,
    ],
    [['create'], 2, /^tinymq topics create: NAME is missing: the name of the topic/],
    [['alter', 'x'], 2, /say what to change by -partitions, -config or -delete-config/],
    [['create', 'x', '-partitions', '0'], 2, /-partitions is at least 1, not '0'/],
  ])('%j ends with a clear word', async (args, code, message) => {
    const ended = await topics(...args);
    expect(ended).toMatchObject({ code, out: '' });
    expect(ended.errors).toMatch(message);
    expect(ended.errors.split('\n').length).toBe(2);
  });
});

describe('tinymq', () => {
  it('has help for all of it, for a group and for a command', async () => {
    const [all, group, command, version, nothing] = await Promise.all([
      runTinymq(['-help']),
      runTinymq(['topics']),
      runTinymq(['help', 'topics', 'create']),
      runTinymq(['-version']),
      runTinymq([]),
    ]);
    expect(all).toMatchObject({ code: 0, errors: '' });
    expect(all.out).toContain('tinymq groups reset-offsets GROUP');
    expect(group.out).toContain('tinymq topics alter NAME');
    expect(command.out).toContain('tinymq topics create orders -partitions 6');
    expect(version.out).toMatch(/^tinymq \d+\.\d+\.\d+\n$/);
    expect(nothing).toMatchObject({ code: 2, out: '' });
    expect(nothing.errors).toMatch(
      /^tinymq: a command is missing \(see tinymq -help\)\n( {2,}[A-Za-z:, ]+\n)*? {2}Topics: topics\n/,
    );
  });

  it('takes the address from the environment', async () => {
    const env = { TINYMQ_KAFKA_ADDRESS: broker.url.slice('tcp://'.length) };
    expect(await runTinymq(['topics', 'list'], '', env)).toMatchObject({ code: 0, errors: '' });
  });

  it('says in one line that nobody is there', async () => {
    const ended = await runTinymq(['topics', 'list', '-address', '127.0.0.1:1']);
    expect(ended).toEqual({
      code: 1,
      out: '',
      errors: 'tinymq topics list: cannot connect to 127.0.0.1:1: connection refused\n',
    });
    expect(await runTinymq(['topics', 'list', '-address', 'a:b'])).toMatchObject({
      code: 2,
      errors: "tinymq topics list: -address 'a:b' is not host:port (see tinymq topics list -help)\n",
    });
  });
});
