import { describe, expect, it } from 'vitest';
import { readMessage } from '../grpc/read-message.ts';
import { encodeMessage } from '../grpc/write-message.ts';
import { ExportMetricsRequest, ExportResponse, ExportTraceRequest } from './otlp.ts';
import { otlpJson } from './otlp-json.ts';

const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'tinymq' } }] };
const scope = { name: 'tinymq' };
const hex = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));

const SPANS = {
  resourceSpans: [
    {
      resource,
      scopeSpans: [
        {
          scope,
          spans: [
            {
              traceId: hex('4bf92f3577b34da6a3ce929d0e0e4736'),
              spanId: hex('0102030405060708'),
              traceState: 'congo=t61',
              parentSpanId: hex('00f067aa0ba902b7'),
              ...{ name: 'publish é', kind: 2 },
              startTimeUnixNano: 1_795_921_529_873_990_000n,
              endTimeUnixNano: 1_795_921_529_907_000_000n,
              attributes: [
                { key: 'n', value: { intValue: -5 } },
                { key: 'empty', value: { stringValue: '' } },
              ],
              status: { code: 2, message: 'store-unavailable' },
              flags: 769,
            },
          ],
        },
      ],
    },
  ],
};

const METRICS = {
  resourceMetrics: [
    {
      resource,
      scopeMetrics: [
        {
          scope,
          metrics: [
            {
              ...{ name: 'g', description: 'd', unit: 'By' },
              gauge: {
                dataPoints: [
                  { timeUnixNano: 5, asDouble: 0 },
                  {
                    ...{ timeUnixNano: 5, asDouble: -1.5 },
                    attributes: [{ key: 'door', value: { stringValue: 'mqtt' } }],
                  },
                ],
              },
            },
            {
              name: 'c',
              sum: {
                dataPoints: [{ startTimeUnixNano: 1, timeUnixNano: 2n ** 63n + 1n, asDouble: 7 }],
                ...{ aggregationTemporality: 2, isMonotonic: true },
              },
            },
            {
              name: 'h',
              histogram: {
                dataPoints: [
                  {
                    ...{ startTimeUnixNano: 1, timeUnixNano: 2, count: 3, sum: 0.25 },
                    ...{ bucketCounts: [0, 3, 0], explicitBounds: [0.001, 1] },
                  },
                ],
                aggregationTemporality: 2,
              },
            },
          ],
        },
      ],
    },
  ],
};

// The bytes are those that OpenTelemetry's own library for Python (opentelemetry-proto) writes for the same.
describe('a request in protobuf is what another library writes', () => {
  it('of spans', () => {
    const written = [
      '0ab9010a1a0a180a0c736572766963652e6e616d6512080a0674696e796d71129a010a080a0674696e796d71128d010a',
      '104bf92f3577b34da6a3ce929d0e0e4736120801020304050607081a09636f6e676f3d743631220800f067aa0ba902b7',
      '2a0a7075626c69736820c3a930023970819dc01d65ec1841c03295c21d65ec184a100a016e120b18fbffffffffffffff',
      'ff014a0b0a05656d70747912020a007a15121173746f72652d756e617661696c61626c651802850101030000',
    ].join('');
    expect(Buffer.from(encodeMessage(ExportTraceRequest, SPANS)).toString('hex')).toBe(written);
  });

  it('of metrics', () => {
    const written = [
      '0af2010a1a0a180a0c736572766963652e6e616d6512080a0674696e796d7112d3010a080a0674696e796d7112440a01',
      '671201641a0242792a380a121905000000000000002100000000000000000a2219050000000000000021000000000000',
      'f8bf3a0e0a04646f6f7212060a046d71747412260a01633a210a1b110100000000000000190100000000000080210000',
      '000000001c401002180112590a01684a540a501101000000000000001902000000000000002103000000000000002900',
      '0000000000d03f32180000000000000000030000000000000000000000000000003a10fca9f1d24d62503f0000000000',
      '00f03f1002',
    ].join('');
    expect(Buffer.from(encodeMessage(ExportMetricsRequest, METRICS)).toString('hex')).toBe(written);
  });
});

it('an answer of such a library is read', () => {
  const { partialSuccess } = readMessage(ExportResponse, hex('0a0c08031208746f6f206d616e79'));
  expect(partialSuccess).toEqual({ rejected: 3n, errorMessage: 'too many' });
});

it('in JSON integers of 64 bits are texts, and ids hexadecimal', () => {
  const { spans } = JSON.parse(otlpJson(ExportTraceRequest, SPANS)).resourceSpans[0].scopeSpans[0];
  expect(spans[0]).toMatchObject({
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    ...{ startTimeUnixNano: '1795921529873990000', kind: 2, flags: 769 },
    attributes: [{ value: { intValue: '-5' } }, { value: { stringValue: '' } }],
  });
  const { metrics } = JSON.parse(otlpJson(ExportMetricsRequest, METRICS)).resourceMetrics[0].scopeMetrics[0];
  expect(metrics[1].sum.dataPoints[0]).toEqual({
    ...{ startTimeUnixNano: '1', timeUnixNano: '9223372036854775809', asDouble: 7 },
  });
  expect(metrics[2].histogram.dataPoints[0]).toMatchObject({ count: '3', bucketCounts: ['0', '3', '0'] });
});
