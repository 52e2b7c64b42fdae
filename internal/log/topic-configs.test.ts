import { describe, expect, it } from 'vitest';
import {
  defaultTopicConfigs,
  TOPIC_CONFIGS,
  topicConfigProblem,
  topicConfigsProblem,
  topicSettings,
} from './topic-configs.ts';

describe('the configs of a topic', () => {
  it('stand in the order of their names, each with a default that it would accept', () => {
    const names = TOPIC_CONFIGS.map(({ name }) => name);
    expect(names).toEqual([...names].sort());
    for (const { name, default: value } of TOPIC_CONFIGS)
      expect(topicConfigProblem(name, value)).toBeUndefined();
  });

  it.each<[string, string]>([
    ['cleanup.policy', 'compact'],
    ['cleanup.policy', 'compact, delete'],
    ['cleanup.policy', ''],
    ['compression.type', 'gzip'],
    ['compression.gzip.level', '-1'],
    ['compression.zstd.level', '-7'],
    ['leader.replication.throttled.replicas', '*'],
    ['leader.replication.throttled.replicas', '0:1, 1:1'],
    ['retention.ms', ' +5 '],
    ['retention.bytes', '-2'],
    ['retention.ms', '-1'],
    ['retention.bytes', '9223372036854775807'],
    ['message.timestamp.type', 'LogAppendTime'],
    ['min.cleanable.dirty.ratio', '0.01'],
    ['preallocate', 'TRUE'],
  ])('accept %s=%s', (name, value) => {
    expect(topicConfigProblem(name, value)).toBeUndefined();
  });

  it.each<[string, string, string]>([
    ['no.such', '1', "unknown config of a topic: 'no.such'"],
    ['retention.sm', '1', "unknown config of a topic: 'retention.sm'; did you mean retention.ms?"],
    ['cleanup.policy', 'shred', "cleanup.policy: 'shred' is not one of delete, compact"],
    ['cleanup.policy', 'delete,', "cleanup.policy: '' is not one of delete, compact"],
    [
      'compression.type',
      'rar',
      "compression.type: 'rar' is not one of uncompressed, zstd, lz4, snappy, gzip, producer",
    ],
    ['compression.gzip.level', '0', 'compression.gzip.level: 0 is not between 1 and 9'],
    ['compression.lz4.level', '-1', 'compression.lz4.level: -1 is not between 1 and 17'],
    ['leader.replication.throttled.replicas', '0:1,x', "'0:1,x' is neither * nor a list of partition:broker"],
    ['retention.ms', '1.5', "retention.ms: '1.5' is no whole number"],
    ['retention.ms', '-2', 'retention.ms: -2 is not between -1 and 9223372036854775807'],
    ['retention.ms', '9223372036854775808', 'is not between'],
    ['max.message.bytes', '2147483648', 'is not between 0 and 2147483647'],
    ['min.cleanable.dirty.ratio', '', "'' is not between 0 and 1"],
    ['min.cleanable.dirty.ratio', '1.1', "'1.1' is not between 0 and 1"],
    ['preallocate', 'yes', "'yes' is neither true nor false"],
  ])('refuse %s=%s', (name, value, problem) => {
    expect(topicConfigProblem(name, value)).toContain(problem);
  });
});

describe('what holds for a topic', () => {
  const defaults = defaultTopicConfigs({ retentionMs: 5_000, retentionBytes: 0 });

  it('is the default where it says nothing', () => {
    expect(topicSettings({}, defaults)).toMatchObject({
      deletes: true,
      compacts: false,
      retentionMs: 5_000,
      retentionBytes: Number.POSITIVE_INFINITY,
      maxBatchBytes: 1_048_588,
      hasLogAppendTime: false,
    });
  });

  it('is neither deleted nor compacted without a policy', () => {
    const configs = { 'cleanup.policy': '' };
    expect(topicSettings(configs, defaults)).toMatchObject({ deletes: false, compacts: false });
  });

  it('has no lags of compaction that exclude one another', () => {
    const lags = { 'min.compaction.lag.ms': '10', 'max.compaction.lag.ms': '5' };
    expect(topicConfigsProblem(lags, defaults)).toContain('is beyond max.compaction.lag.ms');
    expect(topicConfigsProblem({ ...lags, 'min.compaction.lag.ms': '5' }, defaults)).toBeUndefined();
  });

  it('is what it says otherwise', () => {
    const configs = {
      'cleanup.policy': 'compact',
      'retention.ms': '-1',
      'message.timestamp.type': 'LogAppendTime',
      'max.compaction.lag.ms': '9223372036854775807',
    };
    expect(topicSettings(configs, defaults)).toMatchObject({
      deletes: false,
      compacts: true,
      retentionMs: Number.POSITIVE_INFINITY,
      maxCompactionLagMs: Number.POSITIVE_INFINITY,
      hasLogAppendTime: true,
    });
  });
});
