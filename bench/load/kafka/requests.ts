/** Requests that are made beforehand, and where in their answers the figures are. */

import { BatchBuilder } from '../../../internal/batch/build.ts';
import { produce } from '../../../internal/protocol/kafka/apis/00-produce.ts';
import { fetch } from '../../../internal/protocol/kafka/apis/01-fetch.ts';
import { encodeRequest, SIZE_BYTES } from '../../../internal/protocol/kafka/exchange.ts';
import { seededRandom } from '../../stats.ts';

/** The last versions whose answers have every field at the same place. */
export const PRODUCE_VERSION = 7;
export const FETCH_VERSION = 11;

/** What the records of a producer look like. */
export interface RecordShape {
  /** Of a record's value; it has neither key nor headers. */
  recordBytes: number;
  /** The batch of a request has as many records as fit so many bytes, but at least one. */
  batchBytes: number;
}

/** So many requests with other bytes follow each other, so that the same ones do not stay in the processor's cache. */
const RING_BYTES = 4 * 1024 * 1024;
const MOST_REQUESTS = 4096;
const CLIENT_ID = 'bench';

/** Produce requests of one size, one behind the other, which wait for acks of all replicas. */
export interface ProduceRequests {
  bytes: Buffer;
  count: number;
  requestBytes: number;
  batchBytes: number;
  recordsPerRequest: number;
  /** Where in an answer the error code is. */
  errorCodeAt: number;
  /** Where in a request the number of the partition is. */
  partitionAt: number;
}

/** @param topic ASCII; partition 0 of it. */
export function produceRequests(topic: string, shape: RecordShape): ProduceRequests {
  const random = seededRandom(1);
  const first = produceRequest(topic, shape, random);
  const count = Math.max(1, Math.min(MOST_REQUESTS, Math.floor(RING_BYTES / first.bytes.length)));
  const requests = [first.bytes];
  while (requests.length < count) requests.push(produceRequest(topic, shape, random).bytes);
  return {
    bytes: Buffer.concat(requests),
    count,
    requestBytes: first.bytes.length,
    batchBytes: first.batchBytes,
    recordsPerRequest: first.records,
    // correlation id, topics, the name, partitions, its number
    errorCodeAt: 4 + 4 + 2 + topic.length + 4 + 4,
    // before its number: the size of the request, its header, no transaction, acks, timeout, topics, the name, partitions
    partitionAt: SIZE_BYTES + 2 + 2 + 4 + 2 + CLIENT_ID.length + 2 + 2 + 4 + 4 + 2 + topic.length + 4,
  };
}

function produceRequest(
  topic: string,
  { recordBytes, batchBytes }: RecordShape,
  random: () => number,
): { bytes: Buffer; batchBytes: number; records: number } {
  const builder = new BatchBuilder(batchBytes + recordBytes);
  const timestamp = Date.now();
  let oneRecordBytes = 0;
  do {
    const before = builder.sizeBytes;
    const value = Buffer.alloc(recordBytes);
    for (let at = 0; at + 4 <= recordBytes; at += 4) value.writeUInt32LE((random() * 2 ** 32) >>> 0, at);
    builder.append(timestamp, null, 0, 0, value, 0, recordBytes);
    oneRecordBytes = Math.max(oneRecordBytes, builder.sizeBytes - before);
  } while (builder.sizeBytes + oneRecordBytes <= batchBytes);
  const records = builder.count;
  const batch = builder.finish();
  const body = {
    acks: -1,
    timeoutMs: 30_000,
    topicData: [{ name: topic, partitionData: [{ index: 0, records: batch }] }],
  };
  const chunks = encodeRequest(produce, PRODUCE_VERSION, { correlationId: 0, clientId: CLIENT_ID }, body);
  return { bytes: Buffer.concat(chunks), batchBytes: batch.length, records };
}

/** A Fetch of partition 0, which can be written again with another offset after the kernel took it. */
export interface FetchRequest {
  bytes: Buffer;
  setOffset(offset: number): void;
  /** Where in an answer these are: the partition's error code, the bytes of records, the records themselves. */
  errorCodeAt: number;
  recordsLengthAt: number;
  recordsAt: number;
}

/** @param topic ASCII. */
export function fetchRequest(
  topic: string,
  { maxBytes, maxWaitMs }: { maxBytes: number; maxWaitMs: number },
): FetchRequest {
  const body = {
    maxWaitMs,
    minBytes: 1,
    maxBytes,
    topics: [
      { topic, partitions: [{ partition: 0, fetchOffset: OFFSET_MARK, partitionMaxBytes: maxBytes }] },
    ],
  };
  const header = { correlationId: 0, clientId: CLIENT_ID };
  const bytes = Buffer.concat(encodeRequest(fetch, FETCH_VERSION, header, body));
  const mark = Buffer.alloc(8);
  mark.writeBigInt64BE(BigInt(OFFSET_MARK));
  const offsetAt = bytes.indexOf(mark, SIZE_BYTES);
  // correlation id, throttle time, error, session, topics, the name, partitions, its number
  const errorCodeAt = 4 + 4 + 2 + 4 + 4 + 2 + topic.length + 4 + 4;
  // error, high watermark, last stable offset, log start offset, no aborted transactions, preferred replica
  const recordsLengthAt = errorCodeAt + 2 + 8 + 8 + 8 + 4 + 4;
  return {
    bytes,
    setOffset: (offset) => bytes.writeBigInt64BE(BigInt(offset), offsetAt),
    errorCodeAt,
    recordsLengthAt,
    recordsAt: recordsLengthAt + 4,
  };
}

/** An offset that is found again in an encoded request. */
const OFFSET_MARK = 0x01_23_45_67_89_ab_c;
