import { describe, expect, it } from 'vitest';
import { expectBytes } from '../../../test/support/hex-dump.ts';
import { produce } from './apis/00-produce.ts';
import { fetch } from './apis/01-fetch.ts';
import { apiVersions } from './apis/18-api-versions.ts';
import { offsetDelete } from './apis/47-offset-delete.ts';
import { ALL_APIS } from './apis/all.ts';
import { decodeRequest, decodeResponse, encodeRequest, encodeResponse, peekRequest } from './exchange.ts';
import { KafkaProtocolError } from './protocol-error.ts';
import { RequestFrames } from './request-frame.ts';

/** The first thing that kcat on librdkafka 2.0.2 says. */
const KCAT_HELLO =
  '00000024 0012 0003 00000001 0007 72646b61666b61 00 0b6c696272646b61666b61 06322e302e32 00';

describe('a request', () => {
  it('of a real client is read, and written as it came', () => {
    const bytes = fromHex(KCAT_HELLO);
    const frames = new RequestFrames(1000);
    frames.push(bytes);
    const request = frames.next()!;
    expect(peekRequest(request)).toMatchObject({ apiKey: 18, apiVersion: 3, correlationId: 1 });
    const { header, body } = decodeRequest(apiVersions, request);
    expect(header).toEqual({ apiKey: 18, apiVersion: 3, correlationId: 1, clientId: 'rdkafka' });
    expect(body).toEqual({ clientSoftwareName: 'librdkafka', clientSoftwareVersion: '2.0.2' });
    expectBytes(Buffer.concat(encodeRequest(apiVersions, 3, header, body)), bytes);
  });

  it('without a client id has null there', () => {
    const bytes = fromHex('0000000a 0012 0000 00000001 ffff');
    expectBytes(
      Buffer.concat(encodeRequest(apiVersions, 0, { correlationId: 1, clientId: null }, {})),
      bytes,
    );
    expect(decodeRequest(apiVersions, bytes.subarray(4)).header.clientId).toBeNull();
  });

  it('in a version that nobody wrote down is refused by name', () => {
    const request = fromHex('0012 0005 00000001 ffff');
    expect(peekRequest(request)).toMatchObject({ apiVersion: 5, correlationId: 1 });
    expect(() => decodeRequest(apiVersions, request)).toThrow('ApiVersions request has no version 5');
    expect(() => decodeRequest(produce, request)).toThrow('API 18 instead of Produce');
    expect(() => decodeRequest(apiVersions, fromHex('0012 ffff 00000001 ffff'))).toThrow(KafkaProtocolError);
  });

  it('that ends in its header is refused', () => {
    for (const hex of ['', '00', '0012 0003 0000', '0012 0003 00000001 0007 72']) {
      expect(() => decodeRequest(apiVersions, fromHex(hex))).toThrow(KafkaProtocolError);
    }
  });
});

describe('a response', () => {
  it.each([
    ['classic: no tags', offsetDelete, 0, '00000004'],
    ['flexible: tags', produce, 9, '0000000400'],
    ['of ApiVersions: never tags', apiVersions, 4, '00000004'],
  ] as const)('has the header that its version has; %s', (_, api, version, header) => {
    const body = { errorCode: 0, apiKeys: [], responses: [], topics: [] };
    const bytes = Buffer.concat(encodeResponse(api, version, 4, body));
    expect(bytes.readInt32BE(0)).toBe(bytes.length - 4);
    const rest = decodeResponse(api, version, bytes.subarray(4));
    expect(rest.correlationId).toBe(4);
    expect(bytes.toString('hex', 4, 4 + header.length / 2)).toBe(header);
  });

  it('with record batches does not copy them, and its size counts them', () => {
    const batches = [Buffer.alloc(5000, 1), Buffer.alloc(100, 2), Buffer.alloc(70_000, 3)];
    const chunks = encodeResponse(fetch, 12, 7, {
      throttleTimeMs: 0,
      responses: [
        {
          topic: 'a',
          partitions: [
            {
              partitionIndex: 0,
              errorCode: 0,
              highWatermark: 9,
              abortedTransactions: null,
              records: batches,
            },
          ],
        },
      ],
    });
    expect(chunks).toContain(batches[0]);
    expect(chunks).toContain(batches[2]);
    expect(chunks.every((chunk) => chunk.length > 0)).toBe(true);
    const bytes = Buffer.concat(chunks);
    expect(bytes.readInt32BE(0)).toBe(bytes.length - 4);
    const { body } = decodeResponse(fetch, 12, bytes.subarray(4));
    const read = body.responses[0].partitions[0].records!;
    expectBytes(read, Buffer.concat(batches));
    expect(read.buffer).toBe(bytes.buffer);
  });

  it('that was handed out is not written again by the next ones', () => {
    const written = Array.from({ length: 2000 }, (_, index) => {
      const chunks = encodeResponse(apiVersions, 1, index, { errorCode: index, apiKeys: [] });
      return { chunks, copy: Buffer.concat(chunks) };
    });
    for (const { chunks, copy } of written) expectBytes(Buffer.concat(chunks), copy);
  });

  it('that cannot be written leaves no trace in the next one', () => {
    const broken = () => encodeResponse(apiVersions, 1, 1, { errorCode: 70_000, apiKeys: [] });
    expect(broken).toThrow('errorCode: 70000 is no int16');
    const next = Buffer.concat(encodeResponse(apiVersions, 1, 2, { errorCode: 0, apiKeys: [] }));
    expectBytes(next, fromHex('0000000e 00000002 0000 00000000 00000000'));
  });
});

it('APIs have each their own key, and a range of versions that contains where tags begin', () => {
  expect(new Set(ALL_APIS.map((api) => api.key)).size).toBe(ALL_APIS.length);
  for (const { validVersions, advertisedFrom, flexibleFrom } of ALL_APIS) {
    expect(validVersions.max).toBeLessThan(Number.POSITIVE_INFINITY);
    expect(advertisedFrom).toBeLessThanOrEqual(validVersions.min);
    if (flexibleFrom < Number.POSITIVE_INFINITY) expect(flexibleFrom).toBeLessThanOrEqual(validVersions.max);
  }
});

function fromHex(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex');
}
