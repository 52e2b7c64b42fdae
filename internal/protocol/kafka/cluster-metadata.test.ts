import { describe, expect, it } from 'vitest';
import { decodeMetadataRecord, encodeMetadataRecord } from './cluster-metadata.ts';
import { KafkaProtocolError } from './protocol-error.ts';

const TOPIC_ID = '0123456789abcdefghijkA';

describe('a metadata record', () => {
  it('is read from the bytes of a log', () => {
    const topic = fromHex('01 02 00 0d73656e736f72732e74656d70 d35db7e39ebbf3d69b71d79f8218a390 00');
    expect(decodeMetadataRecord(topic)).toEqual({
      kind: 'topic',
      value: { name: 'sensors.temp', topicId: TOPIC_ID },
    });
    const level = fromHex('01 0c 00 11 6d657461646174612e76657273696f6e 001d 00');
    expect(decodeMetadataRecord(level)).toEqual({
      kind: 'featureLevel',
      value: { name: 'metadata.version', featureLevel: 29 },
    });
  });

  it('that was written is read', () => {
    const partition = {
      partitionId: 3,
      topicId: TOPIC_ID,
      replicas: [1],
      isr: [1],
      removingReplicas: [],
      addingReplicas: [],
      leader: 1,
      leaderEpoch: 4,
    };
    for (const version of [0, 1, 2]) {
      const record = decodeMetadataRecord(encodeMetadataRecord('partition', version, partition));
      expect(record).toMatchObject({ kind: 'partition', value: partition });
    }
    const change = decodeMetadataRecord(
      encodeMetadataRecord('partitionChange', 2, { partitionId: 3, topicId: TOPIC_ID }),
    );
    expect(change).toMatchObject({
      kind: 'partitionChange',
      value: { leader: -2, isr: null, replicas: null },
    });
    const config = { resourceType: 2, resourceName: 'a', name: 'retention.ms', value: null };
    expect(decodeMetadataRecord(encodeMetadataRecord('config', 0, config))).toEqual({
      kind: 'config',
      value: config,
    });
  });

  it('of a type that is not needed is passed over', () => {
    expect(decodeMetadataRecord(fromHex('01 1b 00 00000001 00'))).toBeUndefined();
    expect(decodeMetadataRecord(fromHex('01 14 00 00'))).toBeUndefined();
  });

  it.each([
    ['of another frame', '02 02 00', 'metadata frame of version 2'],
    ['of a newer version', '01 02 01 00', 'metadata record 2 has no version 1'],
    ['that is torn', '01 02 00 0d7365', 'name: 12 bytes wanted, 2 left'],
    ['of nothing', '', 'varint without an end'],
  ])('%s is refused', (_, hex, problem) => {
    expect(() => decodeMetadataRecord(fromHex(hex))).toThrow(problem);
    expect(() => decodeMetadataRecord(fromHex(hex))).toThrow(KafkaProtocolError);
  });
});

function fromHex(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex');
}
