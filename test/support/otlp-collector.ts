import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';
import { expect, onTestFinished } from 'vitest';
import { readMessage } from '../../internal/protocol/grpc/read-message.ts';
import { ExportMetricsRequest, ExportTraceRequest } from '../../internal/protocol/otlp/otlp.ts';
import { otlpJson } from '../../internal/protocol/otlp/otlp-json.ts';

export interface Point {
  attributes: { key: string; value: { stringValue: string } }[];
  startTimeUnixNano?: string;
  timeUnixNano: string;
  asDouble?: number;
  count?: string;
  bucketCounts?: string[];
  explicitBounds?: number[];
}

export interface Shown {
  name: string;
  unit: string;
  description: string;
  sum?: { aggregationTemporality: number; isMonotonic: boolean; dataPoints: Point[] };
  gauge?: { dataPoints: Point[] };
  histogram?: { aggregationTemporality: number; dataPoints: Point[] };
}

export interface ShownSpan {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  traceState: string;
  flags: number;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: { stringValue?: string; intValue?: string } }[];
  status?: { code: number; message: string };
}

export interface Export {
  path: string | undefined;
  headers: IncomingHttpHeaders;
  attributes: Record<string, string>;
  metrics: Map<string, Shown>;
}

/** A collector that remembers what it got, and answers as it is told. */
export async function startCollector(
  answer: (response: ServerResponse) => void = (response) => response.end(),
) {
  const got: Export[] = [];
  const spans: ShownSpan[] = [];
  const state = { answer };
  const server = createServer(async (request, response) => {
    const isCompressed = request.headers['content-encoding'] === 'gzip';
    const body = await buffer(isCompressed ? request.pipe(createGunzip()) : request);
    const { resourceMetrics, resourceSpans } = bodyOf(body, request);
    for (const { scopeSpans } of resourceSpans ?? []) spans.push(...scopeSpans[0].spans);
    const [{ resource, scopeMetrics } = { resource: { attributes: [] }, scopeMetrics: [{ metrics: [] }] }] =
      resourceMetrics ?? resourceSpans ?? [];
    got.push({
      path: request.url,
      headers: request.headers,
      attributes: Object.fromEntries(
        resource.attributes.map(({ key, value }: Point['attributes'][0]) => [key, value.stringValue]),
      ),
      metrics: new Map((scopeMetrics?.[0].metrics ?? []).map((shown: Shown) => [shown.name, shown])),
    });
    state.answer(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { got, spans, state, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** A request as JSON has it, whatever it came as. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at whatever came.
function bodyOf(body: Buffer, { url, headers }: IncomingMessage): any {
  if (headers['content-type'] === 'application/json') return JSON.parse(body.toString());
  expect(headers['content-type']).toBe('application/x-protobuf');
  const isTraces = url?.endsWith('/v1/traces') === true;
  return JSON.parse(
    isTraces
      ? otlpJson(ExportTraceRequest, readMessage(ExportTraceRequest, body))
      : otlpJson(ExportMetricsRequest, readMessage(ExportMetricsRequest, body)),
  );
}
